"""Tables in parts: what is lost, doubled or changed in a table comes from its parts again."""

import shutil

import pytest

from experiments.results import parts
from experiments.results.runs_csv import read_rows
from privrep.inputs.split_linter import Finding


@pytest.fixture
def workdir(tmp_path):
    for pack in (1, 0):  # made anew, a pack stands where it stood
        parts.write_part(
            tmp_path, "search", pack, [{"pack": pack, f"of_{pack}": 0.5}, {"pack": pack}]
        )
    return tmp_path


def test_a_table_is_its_parts_by_pack(workdir):
    text = "pack,of_0,of_1\n0,0.5,\n0,,\n1,,0.5\n1,,\n"
    assert (workdir / "search.csv").read_text() == text
    parts.write_part(workdir, "search", 0, [{"pack": 0, "of_0": 0.25}])
    assert [row["of_0"] for row in read_rows(workdir / "search.csv")] == [0.25, None, None]
    assert parts.finished(workdir, "search") == {0, 1} and parts.check(workdir, "search")
    assert parts.finished(workdir, "runs") == set() and not parts.check(workdir, "runs")


def test_a_part_that_another_folder_holds_is_taken_to_the_byte(workdir, tmp_path):
    folder = tmp_path / "attempt"
    folder.mkdir()
    row = {"pack": 2, "hash": "0012", "of_1": float("nan"), "empty": None, "is": True, "t": "1e5"}
    parts.write_part(folder, "search", 2, [row])
    parts.take_part(workdir, "search", 2, folder)
    part = "rows/search_002.csv"
    assert (workdir / part).read_bytes() == (folder / part).read_bytes()
    assert parts.check(workdir, "search") and parts.finished(workdir, "search") == {0, 1, 2}
    (folder / part).write_text("pack\n2\n")
    with pytest.raises(ValueError, match=r"search_002\.csv is not as it was written"):
        parts.take_part(workdir, "search", 2, folder)


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text.replace("0.5", "0.6", 1),
        lambda text: "".join(text.splitlines(True)[:-1]),
        lambda text: text + text.splitlines(True)[-1],
        lambda text: "",
        None,
    ],
)
def test_a_table_that_is_not_its_parts_is_refused_and_made_anew(workdir, damage):
    path = workdir / "search.csv"
    whole = path.read_text()
    if damage is None:
        path.unlink()
    else:
        path.write_text(damage(whole))
    with pytest.raises(
        ValueError, match=r"search\.csv is (not as it was written|missing): .*--resume"
    ):
        parts.check(workdir, "search")
    if damage is None:
        parts.restore(workdir, "search")
    else:
        with pytest.warns(
            UserWarning, match=r"search\.csv is not what was written.*2 finished packs"
        ):
            parts.restore(workdir, "search")
    assert path.read_text() == whole and parts.check(workdir, "search")


@pytest.mark.parametrize("name", ["search_001.csv", "search_001.sha256"])
@pytest.mark.parametrize("damage", ["flip", "cut", "gone"])
def test_a_damaged_part_is_refused_and_its_pack_forgotten(workdir, name, damage):
    path = workdir / "rows" / name
    content = path.read_bytes()
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes(content[:-3] if damage == "cut" else content[:-2] + b"~" + content[-1:])
    with pytest.raises(ValueError, match=rf"{name} is (not as it was written|missing).*--resume"):
        parts.check(workdir, "search")
    with pytest.warns(UserWarning, match=rf"{name} is .*pack 001 of search\.csv is made anew"):
        assert parts.finished(workdir, "search") == {0}
    assert parts.finished(workdir, "search") == {0}


def test_a_table_of_nothing_that_is_known_is_left_alone(workdir):
    shutil.rmtree(workdir / "rows")
    before = (workdir / "search.csv").read_bytes()
    with pytest.raises(ValueError, match=r"search\.csv has no rows/ beside it"):
        parts.restore(workdir, "search")
    assert (workdir / "search.csv").read_bytes() == before


def test_findings_are_a_table_that_repeats_nothing(tmp_path):
    path = tmp_path / "split_findings.csv"
    parts.write_findings(tmp_path, 0, [])
    assert path.read_text("utf-8") == "pack,fold,severity,text\n" and read_rows(path) == []
    parts.write_findings(
        tmp_path, 0, [Finding(0, "note", "s1, s2\nsay so."), Finding(2, "fatal", "No.")]
    )
    parts.write_findings(tmp_path, 1, [Finding(1, "warning", '"Tied".')])
    parts.write_findings(
        tmp_path, 0, [Finding(2, "fatal", "No."), Finding(0, "note", "s1, s2\nsay so.")]
    )
    assert read_rows(path) == [
        {"pack": 0, "fold": 2, "severity": "fatal", "text": "No."},
        {"pack": 0, "fold": 0, "severity": "note", "text": "s1, s2 say so."},
        {"pack": 1, "fold": 1, "severity": "warning", "text": '"Tied".'},
    ]


def test_a_pack_is_added_without_reading_those_before_it(tmp_path, monkeypatch):
    """Each part is read once by `restore`, which says the same."""
    columns = [f"of_{i}" for i in range(4)]
    for pack in range(4):
        parts.write_part(tmp_path, "search", pack, [{"pack": pack, columns[pack]: 0.1}])
    read, read_cells = [], parts.read_cells
    monkeypatch.setattr(parts, "read_cells", lambda path: read.append(path) or read_cells(path))
    for pack in range(4, 20):
        parts.write_part(tmp_path, "search", pack, [{columns[pack % 4]: pack, "pack": pack}, {}])
        parts.write_part(tmp_path, "search", pack, [{columns[pack % 4]: pack, "pack": pack}, {}])
    assert read == []
    before = (tmp_path / "search.csv").read_bytes()
    parts.restore(tmp_path, "search")
    assert len(read) == 20 and (tmp_path / "search.csv").read_bytes() == before
    (tmp_path / "search.csv").write_bytes(b"\xff\n")  # changed by another program meanwhile
    parts.write_part(tmp_path, "search", 20, [{"pack": 20}])
    assert (tmp_path / "search.csv").read_bytes() == before + b"20,,,,\n"
