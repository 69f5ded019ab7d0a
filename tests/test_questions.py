"""The paper's four questions, by their flagfiles, on every corpus that they are asked of."""

from pathlib import Path

import pytest

from experiments.results import read_rows
from tests import corpora_on_disk
from tests.experiment_runs import SMALL, run

ROOT = Path(__file__).parent.parent
pytestmark = pytest.mark.usefixtures("quickly_compiled")
WRITE = {
    "msp_improv": corpora_on_disk.write_msp_improv,
    "msp_podcast": corpora_on_disk.write_msp_podcast,
    "iemocap": corpora_on_disk.write_iemocap,
    "muse": corpora_on_disk.write_muse,
}
SIZES = {"msp_improv": {"utterances_per_speaker": 5}}
WITH_WORDS = ("iemocap", "muse")
FLAGFILES = sorted(path.stem for path in (ROOT / "experiments/flagfiles").glob("rq*.flags"))
# What a question's report must hold, and on what it is asked here: the third needs both modalities.
ASKED = [
    *(("rq1", corpus, "acoustic", ["table_1a"]) for corpus in WRITE),
    *(("rq2", corpus, "acoustic", ["table_1a", "front"]) for corpus in WRITE),
    *(("rq3", corpus, "multimodal", ["placement"]) for corpus in WITH_WORDS),
    *(("rq4", corpus, "acoustic", ["table_1b", "membership"]) for corpus in WRITE),
]


def test_every_question_is_asked():
    assert FLAGFILES == ["rq1", "rq2", "rq3", "rq4"]
    assert {question for question, *_ in ASKED} == set(FLAGFILES)


@pytest.mark.parametrize(
    "question, corpus, modality, tables", ASKED, ids=[f"{one[0]}-{one[1]}" for one in ASKED]
)
def test_question_is_answered_on_a_corpus(
    question, corpus, modality, tables, tmp_path, monkeypatch
):
    monkeypatch.chdir(ROOT)
    WRITE[corpus](tmp_path / "corpus", **SIZES.get(corpus, {}))
    workdir = tmp_path / "out" / "a"
    run(
        workdir,
        f"--flagfile=experiments/flagfiles/{question}.flags",
        f"--dataset={corpus}",
        f"--data_dir={tmp_path / 'corpus'}",
        f"--modality={modality}",
        *("--task=activation", "--lambda=0,1", "--recipe=paper", f"--workdir={workdir}", *SMALL),
        "--attackers=linear",
        *(() if question == "rq4" else ("--membership=off",)),
    )
    rows = read_rows(workdir / "runs.csv")
    assert {row["dataset"] for row in rows} == {corpus}
    assert {row["placement"] for row in rows} == (
        {"joint", "modality"} if question == "rq3" else {"joint"}
    )
    if question == "rq4":
        assert {row["private"] for row in rows} == {"gender+speaker"}
        assert any(str(row["h_membership_verdict"]) != "None" for row in rows)
    text = (workdir / "report/report.html").read_text(encoding="utf-8")
    names = {path.stem for path in (workdir / "report/tables").glob("*.csv")}
    for table in tables:
        assert any(table in name for name in names), names
    assert "poster" in text or question != "rq1"
