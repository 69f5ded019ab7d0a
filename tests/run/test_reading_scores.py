"""Columns of tasks read from h: lambda 0 first, others against it, what is no task left out."""

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest

from experiments.config.settings import Config
from experiments.results.columns import column_of
from experiments.results.seeds import read_tasks
from experiments.results.summary import summarise
from experiments.run.reading_scores import readable, reading_scores
from privrep.types import Split, Utterance
from tests.support.attack_targets import columns_of, target_of

FOLDS, SPEAKERS, EACH = 3, 15, 12
SPEAKER = np.repeat(np.arange(SPEAKERS), EACH)
N = len(SPEAKER)


@pytest.fixture(scope="module")
def loaded():
    """Emotion, statement and valence by utterance, an accent by speaker, a file name each."""
    rng = np.random.default_rng(0)
    emotion, statement = rng.integers(0, 3, N), rng.integers(0, 2, N)
    utterances = [
        Utterance(
            id=f"u{i}",
            speaker=f"s{s:02d}",
            ratings={"valence": float(rng.uniform(1, 5))},
            scale=(1, 5),
            categories={
                "emotion": ("angry", "happy", "sad")[emotion[i]],
                "statement": ("dogs", "kids")[statement[i]],
                "accent": "ab"[s % 2],
                "file": f"{i}",
                "gender": "fm"[s // 2 % 2] if i % 9 else "f",
            },
        )
        for i, s in enumerate(SPEAKER)
    ]
    fold = SPEAKER % FOLDS
    rotation = np.stack([(fold - k) % FOLDS for k in range(FOLDS)])
    split = Split(train=rotation == 2, val=rotation == 1, test=rotation == 0)
    packed = SimpleNamespace(data=SimpleNamespace(folds=SimpleNamespace(split=split)))
    valence = np.array([u.ratings["valence"] for u in utterances])
    return SimpleNamespace(
        utterances=utterances, packed=packed, content=(emotion, statement, valence)
    )


def columns(loaded, config):
    """lambda 0: h holds all tasks; lambda 1: emotion alone."""
    rng = np.random.default_rng(1)
    emotion, statement, valence = loaded.content
    targets = []
    for lambda_ in (0.0, 1.0):
        for fold in range(FOLDS):
            h = rng.normal(size=(N, 6)).astype(np.float32)
            h[:, :3] += 4 * np.eye(3)[emotion]
            if lambda_ == 0:
                h[:, 3] += 4 * statement
                h[:, 4] += 3 * valence
            row = {"task": "emotion", "lambda": lambda_, "seed": 0, "fold": fold}
            targets.append(target_of(row, h))
    return columns_of(reading_scores(targets, loaded, config))


def test_tasks_are_what_varies_within_speakers(loaded):
    assert readable(loaded.utterances, ["gender"]) == ["valence", "emotion", "statement"]
    plain = [dataclasses.replace(u, ratings={}) for u in loaded.utterances]
    assert readable(plain, ["gender", "emotion"]) == ["statement"]


def test_what_the_protection_takes_from_other_tasks_is_read(loaded):
    by_name = columns(loaded, Config(task="emotion", bins="tertiles"))
    assert min(by_name["emotion_read_uar"]) > 0.9
    assert by_name["statement_read_uar"][0] > 0.9
    assert by_name["statement_read_lower"][-1] < 0.5 < by_name["statement_read_upper"][-1]
    change = by_name["statement_read_change_difference"]
    assert change[:FOLDS] == [None] * FOLDS and change[-1] < -0.3
    assert by_name["statement_read_change_upper"][-1] < 0
    assert abs(by_name["emotion_read_change_difference"][-1]) < 0.1
    assert (by_name["valence_read_chance"][0], by_name["statement_read_chance"][0]) == (1 / 3, 0.5)
    assert all(column_of(name) is not None for name in by_name)
    assert column_of("valence_read_change_p").name == "<subject>_change_p"
    rows = [{name: column[i] for name, column in by_name.items()} for i in range(FOLDS)]
    assert {*read_tasks(rows)} == {"emotion", "statement", "valence"}


def test_in_a_regression_ratings_are_read_as_ratings(loaded):
    by_name = columns(loaded, Config(task="valence", bins="continuous"))
    assert by_name["valence_read_ccc"][0] > 0.8 > 0.3 > abs(by_name["valence_read_ccc"][-1])
    assert "valence_read_uar" not in by_name and by_name["emotion_read_uar"][0] > 0.9
    assert by_name["valence_read_change_difference"][-1] < -0.5
    base = {"task": "valence", "modality": "acoustic", "private": "gender", "recipe": ""}
    rows = [
        base
        | {"lambda": float(i >= FOLDS), "fold": i % FOLDS, "seed": 0}
        | {name: column[i] for name, column in by_name.items()}
        for i in range(2 * FOLDS)
    ]
    first, second = summarise(rows, ["modality", "task", "private", "lambda"])
    assert first["reads"]["valence"]["ccc"] == pytest.approx(by_name["valence_read_ccc"][0])
    assert second["over_speakers"]["valence_read"]["difference"] < -0.5
