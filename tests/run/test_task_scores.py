"""Columns about the recognised emotion: equal to scikit-learn's, by fold, pooled and by group."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score, recall_score

from experiments.results.columns import column_of
from experiments.results.seeds import confusion, gaps, recognised
from experiments.run.task_scores import task_scores
from privrep.types import Split, Utterance
from tests.support.attack_targets import columns_of, logits_of, target_of

FOLDS, SPEAKERS, EACH = 3, 12, 6
SPEAKER = np.repeat(np.arange(SPEAKERS), EACH)
NAMES = ("low", "mid", "high")


@pytest.fixture(scope="module")
def loaded():
    rng = np.random.default_rng(0)
    gender = SPEAKER % 2
    fold = SPEAKER // 2 % FOLDS
    rotation = np.stack([(fold - k) % FOLDS for k in range(FOLDS)])
    folds = SimpleNamespace(
        split=Split(train=rotation == 2, val=rotation == 1, test=rotation == 0),
        task=np.tile(rng.integers(0, 3, len(SPEAKER)), (FOLDS, 1)).astype(np.int32),
    )
    utterances = [
        Utterance(id=f"u{i}", speaker=f"s{s:02d}", private={"gender": ("f", "m")[gender[i]]})
        for i, s in enumerate(SPEAKER)
    ]
    packed = SimpleNamespace(data=SimpleNamespace(folds=folds), task_names=NAMES)
    return SimpleNamespace(utterances=utterances, packed=packed)


@pytest.fixture(scope="module")
def made(loaded):
    """(columns, predictions [seed, fold, N]) of two seeds; men are recognised more often."""
    rng = np.random.default_rng(1)
    truth, gender = loaded.packed.data.folds.task[0], SPEAKER % 2
    targets, predictions = [], np.zeros((2, FOLDS, len(SPEAKER)), int)
    for seed in range(2):
        for fold in range(FOLDS):
            right = rng.random(len(truth)) < np.where(gender, 0.9, 0.3)
            guess = np.where(right, truth, rng.integers(0, 3, len(truth)))
            predictions[seed, fold] = guess
            settings = {"task": "t", "lambda": 0.0, "seed": seed, "fold": fold}
            h = np.zeros((len(truth), 2), np.float32)
            targets.append(target_of(settings, h, logits_of(guess, 3)))
    raw = {"task": "t", "lambda": None, "seed": 0, "fold": 0}
    targets.append(target_of(raw, None, control="raw"))
    return task_scores(targets, loaded, ["gender"]), predictions


def test_scores_of_a_fold_equal_scikit_learns(loaded, made):
    rows, predictions = made
    folds = loaded.packed.data.folds
    for number, row in enumerate(rows[:-1]):
        seed, fold = divmod(number, FOLDS)
        for part in ("val", "test"):
            tested = getattr(folds.split, part)[fold]
            truth, guess = folds.task[fold][tested], predictions[seed, fold][tested]
            macro = f1_score(truth, guess, average="macro")
            assert row[f"{part}_emotion_macro_f1"] == pytest.approx(macro)
            accuracy = accuracy_score(truth, guess)
            assert row[f"{part}_emotion_weighted_accuracy"] == pytest.approx(accuracy)
            recalls = recall_score(truth, guess, labels=range(3), average=None)
            actual = [row[f"{part}_emotion_recall_{name}"] for name in NAMES]
            np.testing.assert_allclose(actual, recalls)
    assert rows[-1] == {}  # nothing recognises emotion


def test_all_folds_and_seeds_are_one_confusion_matrix(loaded, made):
    rows, predictions = made
    folds = loaded.packed.data.folds
    guess = np.concatenate([np.select(list(folds.split.test), of_seed) for of_seed in predictions])
    truth = np.tile(folds.task[0], 2)
    by_name = columns_of(rows[:-1])
    assert len({*by_name["emotion_confusion"]}) == 1
    matrix = json.loads(by_name["emotion_confusion"][0])
    assert [*matrix] == [*NAMES]
    expected = confusion_matrix(truth, guess)
    assert [[*row.values()] for row in matrix.values()] == expected.tolist()
    assert by_name["emotion_pooled_macro_f1"][0] == pytest.approx(
        f1_score(truth, guess, average="macro")
    )
    for name in ("macro_f1", "weighted_accuracy", *(f"recall_{name}" for name in NAMES)):
        value, lower, upper = (
            by_name[f"emotion_pooled_{name}{e}"][0] for e in ("", "_lower", "_upper")
        )
        assert lower < value < upper
    assert confusion(rows[:-1]) == matrix
    assert [*recognised(rows[:-1])][:2] == ["macro_f1", "weighted_accuracy"]


def test_the_gap_of_the_groups_is_of_their_scores(loaded, made):
    rows, predictions = made
    folds = loaded.packed.data.folds
    guess = [np.select(list(folds.split.test), of_seed) for of_seed in predictions]
    scores = []
    for gender in (0, 1):
        group = gender == SPEAKER % 2
        truth = np.tile(folds.task[0][group], 2)
        of_group = np.concatenate([of_seed[group] for of_seed in guess])
        scores.append(recall_score(truth, of_group, average="macro"))
    (group,) = gaps(rows[:-1])
    gap = gaps(rows[:-1])[group]
    assert group == "gender=f"
    assert gap["difference"] == pytest.approx(scores[0] - scores[1])
    assert gap["lower"] < gap["difference"] < gap["upper"] < 0


def test_every_column_stands_in_the_schema(made):
    names = {name for row in made[0] for name in row}
    for name in names:
        column = column_of(name)
        assert (
            column is not None
            and column.name.split("<")[0] == name[: len(column.name.split("<")[0])]
        )
    assert (
        column_of("emotion_pooled_recall_low_upper").name == "emotion_pooled_recall_<class>_upper"
    )
    assert column_of("emotion_pooled_recall_low").name == "emotion_pooled_recall_<class>"
    assert column_of("emotion_pooled_lower").name == "emotion_pooled_lower"
