"""Two modalities are compared on the speakers that both tested, and read back as they were kept."""

import numpy as np
import pytest

from experiments.results.columns import MODALITY_COLUMNS
from experiments.results.modalities import FILE, Compared, compared, write_modalities
from experiments.results.runs_csv import read_rows
from experiments.results.speaker_counts import SpeakerCounts, read_counts, write_counts
from experiments.results.summary import summarise
from privrep.statistics.concordance import compare_ccc, moments
from privrep.statistics.paired_comparison import compare
from privrep.statistics.uar import confusion_counts
from tests.support.result_rows import SETTINGS, run

MODALITIES = ("acoustic", "lexical", "multimodal")
SKILL = dict(zip(MODALITIES, (0.5, 0.2, 0.7)))
SPEAKERS = np.array([f"s{i:02d}" for i in range(20)])
ROWS = [
    run(lambda_, fold, seed=seed, modality=m, recipe="" if lambda_ == 0 else "paper")
    for lambda_ in (0.0, 1.0)
    for m in MODALITIES
    for seed in (0, 1)
    for fold in (0, 1)
]


def counts_of(skill, seed, classes=3):
    rng = np.random.default_rng(seed)
    speaker = np.repeat(np.arange(len(SPEAKERS)), 15)
    truth = np.random.default_rng(99).integers(0, classes, len(speaker))
    right = rng.random(len(speaker)) < skill
    return confusion_counts(
        np.where(right, truth, rng.integers(0, classes, len(speaker))), truth, speaker, classes
    )


def kept():
    lots = []
    for i, row in enumerate(row for row in ROWS if row["fold"] == 0):
        settings = {name: value for name, value in row.items() if name in (*SETTINGS, "recipe")}
        del settings["fold"]
        skill = SKILL[row["modality"]]
        lots.append(SpeakerCounts(settings, "emotion", SPEAKERS, counts_of(skill, i)))
        lots.append(SpeakerCounts(settings, "gender", SPEAKERS, counts_of(skill, 100 + i, 2)))
    return lots


def test_counts_are_read_back(tmp_path):
    lots = kept()
    write_counts(tmp_path, lots)
    for lot, again in zip(lots, read_counts(tmp_path), strict=True):
        assert (again.settings, again.subject) == (lot.settings, lot.subject)
        np.testing.assert_array_equal(again.speakers, lot.speakers)
        np.testing.assert_array_equal(again.sums, lot.sums)
    assert read_counts(tmp_path / "none") == []


def test_each_pair_is_the_paired_comparison_of_all_seeds():
    lots = kept()
    summary = summarise(ROWS, [*SETTINGS, "recipe"])
    rows = compared(summary, lots)
    assert len(rows) == 2 * 3 * 2  # networks, pairs, emotion and gender
    row = next(r for r in rows if r.network == "ordinary" and r.subject == "gender")
    assert (row.modality_a, row.modality_b, row.seeds, row.speakers) == (
        "multimodal",
        "acoustic",
        2,
        20,
    )

    def summed(modality):
        of = [
            lot.sums
            for lot in lots
            if lot.subject == "gender"
            and (lot.settings["modality"], lot.settings["lambda"]) == (modality, 0.0)
        ]
        return np.sum(of, 0)

    expected = compare(summed("multimodal"), summed("acoustic"))
    assert row.difference == pytest.approx(expected.difference, abs=1e-6)
    assert (row.lower, row.upper) == pytest.approx((expected.lower, expected.upper), abs=1e-6)
    assert row.value_a - row.value_b == pytest.approx(row.difference, abs=2e-6)
    assert row.p == expected.p < 0.05


def test_speakers_whom_one_did_not_test_do_not_count():
    summary = summarise(ROWS, [*SETTINGS, "recipe"])
    whole = kept()
    fewer = [
        lot._replace(speakers=SPEAKERS[3:], sums=lot.sums[3:])
        if lot.settings["modality"] == "lexical"
        else lot
        for lot in whole
    ]
    rows = [row for row in compared(summary, fewer) if "lexical" in row]
    assert {row.speakers for row in rows} == {17}
    cut = [lot._replace(speakers=SPEAKERS[3:], sums=lot.sums[3:]) for lot in whole]
    assert rows == [row for row in compared(summary, cut) if "lexical" in row]


def test_regressions_are_compared_by_ccc():
    rng = np.random.default_rng(0)
    speaker = np.repeat(np.arange(20), 10)
    truth = rng.uniform(1, 5, len(speaker))
    rows = [
        run(0.0, modality=m, bins="continuous") | {"test_emotion_ccc": 0.5, "val_emotion_ccc": 0.5}
        for m in ("acoustic", "lexical")
    ]
    settings = [*SETTINGS, "bins"]
    lots = [
        SpeakerCounts(
            {n: row[n] for n in settings if n != "fold"},
            "emotion",
            SPEAKERS,
            moments(truth + spread * rng.normal(size=len(truth)), truth, speaker),
        )
        for row, spread in zip(rows, (0.5, 1.5))
    ]
    (row,) = compared(summarise(rows, settings), lots)
    expected = compare_ccc(lots[0].sums, lots[1].sums)
    assert row.score == "CCC" and row.task == "activation (rating)"
    assert row.difference == pytest.approx(expected.difference, abs=1e-6) and row.lower > 0


def test_the_table_has_the_columns_of_the_schema(tmp_path):
    rows = compared(summarise(ROWS, [*SETTINGS, "recipe"]), kept())
    write_modalities(tmp_path, rows)
    assert [Compared(**row) for row in read_rows(tmp_path / FILE)] == rows
    assert tuple(column.name for column in MODALITY_COLUMNS) == Compared._fields
    write_modalities(tmp_path, [])
    assert not (tmp_path / FILE).exists()
