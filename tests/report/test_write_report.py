"""The report of a finished run: one page that loads nothing, every table and figure as a file."""

import csv
from html.parser import HTMLParser

import pytest

from experiments.report.write_report import main, write_report
from experiments.results.h_map import read_maps
from experiments.results.runs_csv import read_rows
from tests.support.corpora_on_disk import write_msp_improv
from tests.support.experiment_runs import check_results, run

pytestmark = pytest.mark.usefixtures("quickly_compiled")
_ALONE = {"meta", "img", "br"}


class Page(HTMLParser):
    """Which tags are open, what is referred to, and the text."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.open, self.references, self.ids, self.said = [], [], set(), []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        named = ("src", "href", "xlink:href", "action")
        self.references += [attributes[a] for a in named if a in attributes]
        self.ids |= {attributes["id"]} if "id" in attributes else set()
        assert tag not in ("script", "link", "iframe", "object", "base"), tag
        assert not any(name.startswith("on") for name in attributes)
        self.open += [] if tag in _ALONE else [tag]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.said.append(data)


@pytest.fixture(scope="module")
def workdir(finished_once, quickly_compiled):
    def make(folder):
        write_msp_improv(folder / "corpus", utterances_per_speaker=5)
        corpus = ("--dataset=msp_improv", f"--data_dir={folder / 'corpus'}")
        run(folder / "run", *corpus, report=True)

    return finished_once("report", make) / "run"


@pytest.mark.long
def test_the_main_job_writes_it_from_what_it_measured(workdir):
    rows = check_results(workdir, "activation", "gender", classes=3, report=True)
    chosen = [row for row in rows if row["control"] is None]
    for row in chosen:
        assert row["num_speakers"] == 12 and row["num_utterances"] == 60
        for who in ("female", "male"):
            of = [row[f"emotion_among_gender={who}_{c}"] for c in ("lower", "uar", "upper")]
            assert 0 <= of[0] <= of[1] <= of[2] <= 1
        lower, upper = row["gender_pooled_lower"], row["gender_pooled_upper"]
        assert lower <= row["gender_pooled_uar"] <= upper
    runs, maps = zip(*read_maps(workdir / "checkpoints" / "000"))
    assert len(runs) == 3 and all(1 <= len(h_map.xy) <= 30 for h_map in maps)
    with (workdir / "report" / "tables" / "table_1a.csv").open(encoding="utf-8") as file:
        _, *lines = csv.reader(file)
    assert [line[1:3] for line in lines] == [
        ["MSP-Improv", name] for name in ("ordinary", "paper", "posterior", "the poster")
    ]
    assert lines[-1][3:] == ["", "worse", "better"]


def test_the_page_is_whole_and_loads_nothing(workdir):
    text = (workdir / "report" / "report.html").read_text(encoding="utf-8")
    page = Page(text)
    assert page.open == []
    for reference in page.references:
        assert reference[1:] in page.ids, reference[:80]
    assert len(page.ids) == text.count(' id="')  # of figures, too, each its own
    said = " ".join(page.said)
    for title in ("Table 1a: gender adversary", "Maps of h", "What was not tested", "Training"):
        assert title in said
    assert "--dataset=msp_improv" in said and "networks validation chooses" in said
    assert read_rows(workdir / "runs.csv")[0]["data_hash"] in said
    assert str(workdir) not in text.replace(f"--data_dir={workdir.parent / 'corpus'}", "")


def test_the_same_directory_gives_the_same_bytes(workdir, tmp_path, capsys):
    main([str(workdir), f"--output={tmp_path / 'again'}"])
    assert capsys.readouterr().out.strip() == str(tmp_path / "again" / "report.html")
    first = {p.relative_to(workdir / "report"): p for p in (workdir / "report").rglob("*.*")}
    second = {p.relative_to(tmp_path / "again"): p for p in (tmp_path / "again").rglob("*.*")}
    assert {*first} == {*second} and len(first) > 20
    for name, path in first.items():
        assert path.read_bytes() == second[name].read_bytes(), name


def test_labels_and_flags_are_text_in_the_page(workdir, tmp_path):
    nasty = "<script>alert(1)</script> & $x_1$ |"
    folder = tmp_path / "run"
    folder.mkdir()
    table = (workdir / "runs.csv").read_text(encoding="utf-8")
    (folder / "runs.csv").write_text(table.replace(",msp_improv,", f",{nasty},"), "utf-8")
    (folder / "flags.txt").write_text(f"--dataset={nasty}\n", "utf-8")
    text = write_report([folder], tmp_path / "out").read_text(encoding="utf-8")
    assert Page(text).open == [] and "<script" not in text
    assert nasty in " ".join(Page(text).said)
