"""Whole jobs of an emotion head of two layers: trained, attacked, reported, stopped and resumed."""

import jax
import pytest

from experiments.report.write_report import write_report
from experiments.results import checkpoints
from experiments.results.checkpoints import load_params
from experiments.results.runs_csv import read_runs
from experiments.run import train_pack
from tests.support.corpora_on_disk import write_msp_improv
from tests.support.experiment_runs import run

pytestmark = [
    pytest.mark.long,
    pytest.mark.usefixtures("quickly_compiled", "few_permutations"),
    pytest.mark.filterwarnings("ignore"),
]
EACH, K = 14, 6
RECIPES = {  # {name of a job: its flags, and the recipes of its rows}
    "default": ((), {"none", "strong"}),
    "keep": (("--recipe=keep", f"--enrolment={K}", "--memory=24"), {"none", "keep"}),
    "further": (("--further_tasks=valence",), {"none", "strong"}),
}


@pytest.fixture(scope="module")
def corpus(finished_once):
    def make(folder):
        write_msp_improv(folder / "corpus", utterances_per_speaker=EACH)

    return finished_once("deep_head", make)


def flags(corpus, name):
    of_corpus = ("--dataset=msp_improv", f"--data_dir={corpus / 'corpus'}", "--task=activation")
    return (*of_corpus, "--folds=3", "--head_layers=2", "--membership=off", *RECIPES[name][0])


def finished(corpus, name):
    """The folder of a job that was not disturbed."""
    folder = corpus / name
    if not folder.exists():
        run(folder, *flags(corpus, name))
    return folder


@pytest.mark.parametrize("name", RECIPES)
def test_it_is_trained_attacked_and_reported(corpus, name):
    folder = finished(corpus, name)
    rows = read_runs(folder / "runs.csv")
    runs = [row for row in rows if row["control"] is None]
    recipes = RECIPES[name][1]
    assert {row["recipe"] for row in runs} == recipes and len(runs) == 3 * len(recipes)
    for row in runs:
        assert row["head_layers"] == 2 and row["diverged"] is False
        assert 0 <= row["test_emotion_uar"] <= 1 and 0 <= row["test_gender_attacker_uar"] <= 1
        assert 0 < row["valence_read_uar"] <= 1
        lower, value, upper = (row[f"emotion_pooled_{n}"] for n in ("lower", "uar", "upper"))
        assert 0 <= lower <= value <= upper <= 1
        assert (row["emotion_change_p"] is None) == (row["lambda"] == 0)
    # What is left of h where only the answer is sent: the answers of the trained head.
    decisions = [row for row in rows if row["control"] == "decision"]
    ordinary = [row for row in runs if row["lambda"] == 0]
    assert [row["test_emotion_uar"] for row in decisions] == [
        row["test_emotion_uar"] for row in ordinary
    ]
    params = load_params(folder / "checkpoints" / "000")
    shapes = {leaf.shape for leaf in jax.tree.leaves(params["emotion_head"]) if leaf.ndim == 3}
    assert shapes == {(len(runs), 8, 8), (len(runs), 8, 3)}
    assert any("valence" in layer for layer in params) == (name == "further")
    report = corpus / f"report_of_{name}"
    write_report([folder], report)
    page = (report / "report.html").read_text(encoding="utf-8")
    assert page.startswith("<!DOCTYPE html>") and page.endswith("</html>\n")
    for figure in ("leakage_msp_improv_activation_gender", "curves_msp_improv_activation"):
        assert (report / "figures" / f"{figure}.png").read_bytes().startswith(b"\x89PNG")
    assert "--head_layers=2" in (folder / "flags.txt").read_text().splitlines()


@pytest.mark.parametrize("name", RECIPES)
def test_stopped_in_training_and_resumed_it_is_the_same(corpus, name, monkeypatch):
    folder = finished(corpus, name)
    workdir = corpus / f"{name}_stopped"
    save = checkpoints.save_progress

    def then_stop(*arguments):
        save(*arguments)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(train_pack, "SECONDS_BETWEEN_SAVES", 0)
        patched.setattr(checkpoints, "save_progress", then_stop)
        run(workdir, *flags(corpus, name))
    assert not (workdir / "runs.csv").exists()
    resumed = run(workdir, *flags(corpus, name), "--resume")
    assert resumed == (folder / "runs.csv").read_bytes()
