"""A grid search chooses what measuring everything would have, and says the same of it."""

import pytest

from experiments.config.sweep import expand
from experiments.results.runs_csv import read_rows
from experiments.search.candidates import candidates_of, questions, score
from tests.support.corpora_on_disk import write_msp_improv
from tests.support.experiment_runs import run

pytestmark = pytest.mark.usefixtures("quickly_compiled")

SWEEP = {"kernel_width": "2,3"}
SETTING = ("lambda", "recipe", "kernel_width", "fold")


def setting_of(row):
    return tuple(row[name] for name in SETTING)


@pytest.mark.long
def test_a_grid_chooses_by_validation_what_measuring_everything_would_have(tmp_path):
    write_msp_improv(tmp_path / "corpus", utterances_per_speaker=5)
    flags = ("--dataset=msp_improv", f"--data_dir={tmp_path / 'corpus'}", "--kernel_width=2,3")
    flags += ("--attackers=lda+kernel", "--membership=off")  # the attackers of a search
    run(tmp_path / "plain", *flags)
    run(tmp_path / "grid", *flags, "--search=grid")
    plain = [row for row in read_rows(tmp_path / "plain" / "runs.csv") if row["control"] is None]
    searched = read_rows(tmp_path / "grid" / "search.csv")
    of_plain = {setting_of(row): row for row in plain}
    assert {*map(setting_of, searched)} == {*of_plain} and len(searched) == len(plain) == 30
    scores = {}
    for row in searched:
        other = of_plain[setting_of(row)]
        for name in ("val_emotion_uar", "val_gender_attacker_uar", "val_gender_lda_uar"):
            assert row[name] == other[name], name
        assert (row["best_epoch"], row["collapsed"]) == (other["best_epoch"], other["collapsed"])
        scores.setdefault(row["setting"], []).append(other)
    scores = {s: score(rows) for s, rows in scores.items()}
    candidates = candidates_of(expand(SWEEP))
    chosen = {row["recipe"]: row for row in read_rows(tmp_path / "grid" / "chosen.csv")}
    for numbers in questions(candidates).values():
        row = chosen.pop(candidates[numbers[0]].config.recipe)
        sound = [s for s in numbers if scores[s].sound] or numbers
        assert row["of"] == len(numbers) == 2 and row["setting"] in sound
        assert scores[row["setting"]].value == max(scores[s].value for s in sound)
        assert row["selection_score"] == pytest.approx(scores[row["setting"]].value, abs=1e-6)
        within = scores[row["setting"]].within_leak
        assert row["rule"] == "paper" and row["leak_aware_score"] == pytest.approx(within, abs=1e-6)
    assert not chosen

    rows = [row for row in read_rows(tmp_path / "grid" / "runs.csv") if row["control"] is None]
    assert 15 <= len(rows) <= 25  # one architecture with all recipes, or two
    for row in rows:
        assert row == {name: of_plain[setting_of(row)].get(name) for name in row}
    table = (tmp_path / "grid" / "summary.md").read_text(encoding="utf-8")
    assert all(name in table for name in ("| ordinary |", "| posterior, λ ", "| paper, λ "))
