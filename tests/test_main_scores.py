"""Whole jobs of what speech-emotion papers report: published folds, regression, modalities."""

import numpy as np
import pytest

from experiments.report.write_report import write_report
from experiments.results.runs_csv import read_rows, read_runs
from tests.support.corpora_on_disk import write_msp_improv
from tests.support.experiment_runs import run

pytestmark = [
    pytest.mark.long,
    pytest.mark.usefixtures("quickly_compiled", "few_permutations"),
    pytest.mark.filterwarnings("ignore"),
]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scores")
    write_msp_improv(folder / "corpus", utterances_per_speaker=5)
    return folder


def job(folder, name, *flags):
    common = ("--dataset=msp_improv", f"--data_dir={folder / 'corpus'}", "--membership=off")
    run(folder / name, *common, *flags)
    return folder / name


def test_the_folds_of_a_directory_are_run_again_from_its_table(corpus):
    """Every score is the same; only how the folds are named differs."""
    drawn = job(corpus, "drawn", "--folds=3")
    published = job(corpus, "published", f"--folds={drawn / 'folds.csv'}")
    named = {"folds", "prepared_hash"}
    for row, again in zip(read_runs(drawn / "runs.csv"), read_runs(published / "runs.csv")):
        assert {n: v for n, v in row.items() if n not in named} == {
            n: v for n, v in again.items() if n not in named
        }
    assert (drawn / "folds.csv").read_bytes() == (published / "folds.csv").read_bytes()
    (drawn / "folds.csv").unlink()  # what it was made from need not stay
    write_report([published], corpus / "report")


def test_a_regression_is_trained_scored_and_reported(corpus):
    folder = job(corpus, "regression", "--bins=continuous", "--task=valence", "--folds=3")
    rows = read_runs(folder / "runs.csv")
    runs = [row for row in rows if row["control"] is None]
    assert {row["recipe"] for row in runs} == {"none", "strong"} and len(runs) == 6
    for row in runs:
        assert -1 <= row["test_emotion_ccc"] <= 1 and row["test_emotion_rmse"] > 0
        assert row["emotion_chance"] == 0 and "test_emotion_uar" not in row
        lower, value, upper = (row[f"emotion_pooled_{n}"] for n in ("lower", "ccc", "upper"))
        assert -1 <= lower <= value <= upper <= 1
        assert np.isfinite(row["valence_read_ccc"]) and 0 < row["scenario_read_uar"] <= 1
        assert (row["emotion_change_p"] is None) == (row["lambda"] == 0)
    assert {row["test_emotion_ccc"] for row in rows if row["control"] == "majority"} == {0}
    table = (folder / "summary.md").read_text()
    assert "emotion CCC" in table and "Tasks read from h" in table
    write_report([folder], corpus / "report_of_regression")


def test_modalities_are_compared_on_the_same_speakers(corpus):
    folder = job(corpus, "modalities", "--modality=acoustic,lexical", "--folds=3", "--seed=0,1")
    rows = read_rows(folder / "modalities.csv")
    assert {row["subject"] for row in rows} <= {"emotion", "gender"}
    of_runs = [row for row in read_runs(folder / "runs.csv") if row["control"] is None]
    for row in (
        row for row in rows if row["subject"] == "emotion" and row["network"] == "ordinary"
    ):
        assert (row["speakers"], row["seeds"]) == (12, 2)
        for which in "ab":
            (uar,) = {
                run["emotion_pooled_uar"]
                for run in of_runs
                if run["modality"] == row[f"modality_{which}"] and run["lambda"] == 0
            }
            assert row[f"value_{which}"] == pytest.approx(uar, abs=1e-5)
    assert rows and all(row["lower"] <= row["difference"] <= row["upper"] for row in rows)


def test_a_search_measures_the_choices_of_both_rules(corpus):
    folder = job(
        *(corpus, "search", "--folds=3", "--search=grid", "--search_rule=both"),
        *("--lambda=0,0.5,1", "--recipe=paper", "--attackers=lda"),
    )
    chosen = read_rows(folder / "chosen.csv")
    assert [row["rule"] for row in chosen] == ["paper", "paper", "leak_aware", "leak_aware"]
    assert all(isinstance(row["leak_aware_score"], float) for row in chosen)
    measured = {row["lambda"] for row in read_runs(folder / "runs.csv") if row["control"] is None}
    assert measured == {row["lambda"] for row in chosen} | {0.0}
    assert "--search_rule=both" in (folder / "flags.txt").read_text()
    write_report([folder], corpus / "report_of_search")
