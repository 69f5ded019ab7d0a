"""Rows of runs.csv as a sweep writes them, for tests of tables and figures."""

import math

SETTINGS = ["dataset", "modality", "task", "private", "lambda", "placement", "fold", "seed"]
NAN = math.nan


def run(lambda_, fold=0, seed=0, emotion=0.5, gender=0.7, val=(0.5, 0.6), **changed):
    """One row, test scores `emotion` and of the attacker `gender`; val = emotion, attacker."""
    return {
        "dataset": "demo",
        "modality": "acoustic",
        "task": "activation",
        "private": "gender",
        "lambda": lambda_,
        "placement": "joint",
        "fold": fold,
        "seed": seed,
        "control": None,
        "diverged": False,
        "val_emotion_uar": val[0],
        "test_emotion_uar": emotion,
        "val_gender_adversary_uar": 0.52,
        "val_gender_attacker_uar": val[1],
        "test_gender_adversary_uar": 0.51,
        "test_gender_attacker_uar": gender,
        "test_gender_privacy": 1 - gender,
        "gender_attacker": "linear",
        "gender_chance": 0.5,
        "emotion_chance": 1 / 3,
        "version_jax": "0.10.2",
        "best_epoch": 3,
    } | changed


def control(name, gender, **changed):
    none = {"val_emotion_uar": None, "test_emotion_uar": None, "test_gender_adversary_uar": None}
    return run(None, gender=gender, control=name, **none) | changed


ROWS = [
    run(1.0, 0, 0, emotion=0.40, gender=0.50, val=(0.45, 0.50)),
    run(1.0, 1, 0, emotion=0.44, gender=0.58, val=(0.47, 0.50)),
    run(0.0, 0, 0, emotion=0.50, gender=0.70, val=(0.50, 0.75)),
    run(0.0, 1, 0, emotion=0.60, gender=0.80, val=(0.50, 0.75)),
    run(0.5, 0, 0, emotion=0.52, gender=0.74, val=(0.60, 0.52)),
    run(0.5, 1, 0, emotion=0.56, gender=0.74, val=(0.60, 0.52)),
    *(control("shuffled", gender, fold=fold) for fold, gender in enumerate((0.45, 0.57))),
    *(control("chance", 0.5, fold=fold) for fold in range(2)),
    *(control("untrained", 0.6, fold=fold) for fold in range(2)),
]
BOTH = [
    run(lambda_, fold, private="gender+speaker", speaker_chance=0.5)
    | {f"{part}_speaker_adversary_uar": NAN for part in ("val", "test")}
    | {"test_speaker_attacker_uar": 0.8 - lambda_ / 4, "test_speaker_privacy": 0.2 + lambda_ / 4}
    for lambda_ in (0.0, 1.0)
    for fold in range(2)
]
