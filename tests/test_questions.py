"""The paper's four questions, by their flagfiles, on every corpus that they are asked of."""

import pytest

from experiments import main
from experiments.config.settings import FIELDS, flag_name
from experiments.config.sweep import expand
from experiments.results.runs_csv import read_rows
from experiments.run.load_data import load, preparable, prepare_inputs, read
from tests.support import corpora_on_disk
from tests.support.experiment_runs import SMALL, run, set_flags
from tests.support.paths import ROOT

pytestmark = pytest.mark.usefixtures("quickly_compiled", "few_permutations")
WRITE = {
    "msp_improv": corpora_on_disk.write_msp_improv,
    "msp_podcast": corpora_on_disk.write_msp_podcast,
    "iemocap": corpora_on_disk.write_iemocap,
    "muse": corpora_on_disk.write_muse,
}
WITH_STATES = ("rq1", "rq4")  # `keep` takes the state of a person from five utterances and more
WITH_WORDS = ("iemocap", "muse")
FLAGFILES = sorted(path.stem for path in (ROOT / "experiments/flagfiles").glob("rq*.flags"))


def asked(question, corpus, root):
    """The command's flags; what a corpus has no words for is asked of its sound."""
    WRITE[corpus](root, utterances_per_speaker=14 if question in WITH_STATES else 6)
    flags = [f"--flagfile=experiments/flagfiles/{question}.flags", f"--dataset={corpus}"]
    flags += [f"--data_dir={root}"]
    return flags + ["--modality=acoustic"] * (corpus not in WITH_WORDS)


PAIRS = [
    (question, corpus)
    for question in FLAGFILES
    for corpus in (WITH_WORDS if question == "rq3" else WRITE)
]


def test_there_are_four_questions():
    assert FLAGFILES == ["rq1", "rq2", "rq3", "rq4"] and len(PAIRS) == 14


@pytest.mark.parametrize("question, corpus", PAIRS)
def test_a_question_can_be_asked_of_a_corpus(question, corpus, tmp_path, monkeypatch):
    """All up to training: what the flags mean, the corpus, its features, labels and folds."""
    monkeypatch.chdir(ROOT)
    set_flags(*asked(question, corpus, tmp_path / "corpus"), "--max_seconds=0.3")
    packs = expand({field: main.FLAGS[flag_name(field)].value for field in FIELDS})
    assert {pack.config.task for pack in packs} >= {"activation"}
    utterances = read(packs[0].config, tmp_path)
    for config in (packs[0].config, packs[-1].config):
        prepared = prepare_inputs(config, preparable(utterances), tmp_path, True)
        assert load(config, prepared).packed.num_private.keys() == {*config.private.split("+")}


@pytest.mark.long
@pytest.mark.parametrize(
    "question, corpus, tables",
    [
        ("rq1", "msp_podcast", {"table_1a", "leakage"}),
        ("rq2", "msp_improv", {"table_1a"}),
        ("rq3", "iemocap", {"table_1a", "placement"}),
        ("rq4", "muse", {"table_1b", "side_was_this_speaker_in_the_training_set_"}),
    ],
)
def test_a_question_is_answered_by_its_report(question, corpus, tables, tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    workdir = tmp_path / "out" / "a"
    run(
        workdir,
        *asked(question, corpus, tmp_path / "corpus"),
        *SMALL,
        *("--task=activation", "--lambda=0,1", f"--workdir={workdir}"),
        *(("--modality=multimodal",) if question == "rq3" else ("--modality=acoustic",)),
        f"--membership={'on' if question == 'rq4' else 'off'}",
        report=True,
    )
    rows = read_rows(workdir / "runs.csv")
    assert {row["dataset"] for row in rows} == {corpus}
    placements = {"joint", "modality"} if question == "rq3" else {"joint"}
    assert {row["placement"] for row in rows} == placements
    attributes = "gender+speaker" if question == "rq4" else "gender"
    assert {row["private"] for row in rows} == {attributes}
    assert tables <= {path.stem for path in (workdir / "report/tables").glob("*.csv")}
    assert list((workdir / "report/figures").glob("lambda_*.png"))
    assert (workdir / "report/report.html").stat().st_size > 10_000
