import math
import os
import signal
import struct
import subprocess
import sys

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from tensorboardX.proto.event_pb2 import Event
from tensorboardX.record_writer import masked_crc32c

from experiments.results.provenance import versions
from experiments.results.resume import write_flags
from experiments.results.runs_csv import append_rows, read_rows
from experiments.results.tensorboard import write_curves
from tests.support.paths import ROOT

words = st.text(st.characters(exclude_characters="\r\n\0", exclude_categories=["Cs"]))
values = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), words)
tables = st.lists(st.dictionaries(st.sampled_from(["fold", "lambda", "a,b", 'c"']), values))


def same(read, written):
    if written is None or written == "":
        return read is None
    if isinstance(written, str):
        return str(read) == written  # a word may spell a number
    if isinstance(written, float) and math.isnan(written):
        return isinstance(read, float) and math.isnan(read)
    if written == 0:
        return read == 0 and str(read) == str(written)  # -0.0 keeps its sign, False its type
    return type(read) is type(written) and read == written


@settings(deadline=None)
@given(rows=tables, cuts=st.lists(st.integers(0, 10)))
def test_rows_come_back_and_do_not_depend_on_how_they_were_appended(rows, cuts, tmp_path_factory):
    directory = tmp_path_factory.mktemp("results")
    append_rows(directory / "once.csv", rows)
    for start, end in zip([0, *sorted(cuts)], [*sorted(cuts), len(rows)]):
        append_rows(directory / "often.csv", rows[start:end])
    if rows:
        assert (directory / "once.csv").read_bytes() == (directory / "often.csv").read_bytes()
    read = read_rows(directory / "often.csv")
    columns = {column for row in rows for column in row}
    assert len(read) == len(rows)
    for got, row in zip(read, rows):
        assert {*got} == columns
        assert all(same(got[column], row.get(column)) for column in columns)


def test_new_columns_stand_on_the_right(tmp_path):
    path = tmp_path / "runs.csv"
    append_rows(path, [{"fold": 0, "uar": 0.1 + 0.2}])
    append_rows(path, [{"new": "x", "fold": 1, "uar": float("nan")}])
    assert path.read_text() == "fold,uar,new\n0,0.30000000000000004,\n1,nan,x\n"


@pytest.mark.parametrize("scalar", [np.float32(0.1), np.int32(3), np.bool_(True), np.array(2.5)])
def test_array_scalars_are_numbers(tmp_path, scalar):
    append_rows(tmp_path / "runs.csv", [{"x": scalar}])
    (row,) = read_rows(tmp_path / "runs.csv")
    assert row["x"] == scalar.item() and type(row["x"]) is type(scalar.item())


@pytest.mark.parametrize("value", ["two\nlines", "a\rb", [1, 2], np.zeros(2), np.zeros(1)])
def test_what_fits_no_cell_is_refused_and_harms_nothing(tmp_path, value):
    path = tmp_path / "runs.csv"
    append_rows(path, [{"x": 1}])
    with pytest.raises(ValueError, match="column 'x'"):
        append_rows(path, [{"x": 2}, {"x": value}])
    assert read_rows(path) == [{"x": 1}]


def test_a_damaged_table_is_named_with_its_line(tmp_path):
    path = tmp_path / "runs.csv"
    path.write_text("a,b\n1,2\n3\n")
    with pytest.raises(ValueError, match=r"runs\.csv, line 3: 1 cells under 2 columns"):
        read_rows(path)


def test_a_kill_loses_no_finished_row(tmp_path):
    """A process appends row after row and says so after each; it is killed on the way."""
    path = tmp_path / "runs.csv"
    program = (
        "import sys, itertools, pathlib; from experiments.results.runs_csv import append_rows\n"
        "for i in itertools.count():\n"
        "    append_rows(pathlib.Path(sys.argv[1]), [{'row': i, f'column{i % 7}': 'x' * 1000}])\n"
        "    print(i, flush=True)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", program, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        said = [process.stdout.readline() for _ in range(30)]
        process.send_signal(signal.SIGKILL)
        said += process.stdout.readlines()
    finished = [row["row"] for row in read_rows(path)]
    assert finished == list(range(len(finished)))
    assert len(finished) in (len(said), len(said) + 1)  # killed after a row and before saying so


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_kill_amid_writing_leaves_the_older_rows(tmp_path, monkeypatch, call):
    path = tmp_path / "runs.csv"
    append_rows(path, [{"row": 0}])

    def killed(*arguments):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(os, call, killed)
        append_rows(path, [{"row": 1}])
    assert read_rows(path) == [{"row": 0}]
    append_rows(path, [{"row": 1}])
    assert read_rows(path) == [{"row": 0}, {"row": 1}]


FLAGS = "--fold=5\n--lambda=0,1\n--workdir=out/a\n"


def begin(workdir):
    write_flags(workdir, FLAGS, resume=False)
    (workdir / "checkpoints").mkdir()


def test_flags_are_written_and_continued(tmp_path):
    workdir = tmp_path / "out" / "a"
    begin(workdir)
    assert (workdir / "flags.txt").read_text() == FLAGS
    text = "# again\n--lambda=0,1\n--fold=5\n--workdir=b\n--resume\n"
    assert write_flags(workdir, text, resume=True)
    assert (workdir / "flags.txt").read_text() == FLAGS


def test_resume_may_start_anew(tmp_path):
    assert not write_flags(tmp_path / "new", FLAGS, resume=True)
    assert (tmp_path / "new" / "flags.txt").read_text() == FLAGS


@pytest.mark.parametrize("resume", [False, True])
def test_results_of_other_flags_are_not_touched(tmp_path, resume):
    begin(tmp_path)
    with pytest.raises(ValueError) as error:
        write_flags(tmp_path, "--fold=5\n--lambda=0\n--seed=1\n", resume)
    message = str(error.value)
    assert "  there: --lambda=0,1\n  now:   --lambda=0\n" in message
    assert "  there: no --seed\n  now:   --seed=1\n" in message
    assert "--fold" not in message and "another --workdir" in message
    assert (tmp_path / "flags.txt").read_text() == FLAGS


def test_flags_of_which_nothing_came_may_change(tmp_path):
    write_flags(tmp_path, FLAGS, resume=False)
    write_flags(tmp_path, "--lambda=2\n", resume=False)
    assert (tmp_path / "flags.txt").read_text() == "--lambda=2\n"


def test_the_same_flags_need_resume(tmp_path):
    begin(tmp_path)
    with pytest.raises(ValueError, match="continue them with --resume"):
        write_flags(tmp_path, FLAGS, resume=False)


def test_rows_without_flags_are_not_continued(tmp_path):
    append_rows(tmp_path / "runs.csv", [{"fold": 0}])
    with pytest.raises(ValueError, match=r"no flags\.txt"):
        write_flags(tmp_path, FLAGS, resume=True)


def test_versions_are_columns():
    columns = versions()
    assert {*columns} == {
        f"version_{name}" for name in ("jax", "jaxlib", "flax", "optax", "numpy", "privrep")
    }
    assert columns["version_numpy"] == np.__version__


def events(path):
    """The records of a TensorBoard file: length, its checksum, data, its checksum."""
    data, records = path.read_bytes(), []
    while data:
        (length,), (check,) = struct.unpack("<Q", data[:8]), struct.unpack("<I", data[8:12])
        assert check == masked_crc32c(data[:8])
        record = data[12 : 12 + length]
        assert struct.unpack("<I", data[12 + length : 16 + length]) == (masked_crc32c(record),)
        records.append(Event.FromString(record))
        data = data[16 + length :]
    return records


def curves_in(directory):
    (path,) = directory.glob("*tfevents*")
    first, *others = events(path)
    assert first.file_version == "brain.Event:2"
    return [(e.step, {v.tag: v.simple_value for v in e.summary.value}) for e in others]


def test_curves_are_tensorboard_files_and_replace_older_ones(tmp_path):
    curves = {
        "fold0": {
            "train_loss": [2.0, 1.5, math.nan],
            "val_emotion_uar": np.array([0.5], np.float32),
        },
        "deep/fold1": {"train_loss": []},
    }
    write_curves(tmp_path, curves)
    expected = [(1, {"train_loss": 2.0, "val_emotion_uar": 0.5}), (2, {"train_loss": 1.5})]
    assert curves_in(tmp_path / "tensorboard" / "fold0") == expected
    assert curves_in(tmp_path / "tensorboard" / "deep" / "fold1") == []
    before = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    write_curves(tmp_path, curves)
    assert {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()} == before
    write_curves(tmp_path, {"fold0": {"train_loss": [1.0]}})
    assert curves_in(tmp_path / "tensorboard" / "fold0") == [(1, {"train_loss": 1.0})]
