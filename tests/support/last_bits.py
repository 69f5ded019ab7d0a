"""Draws of h that leak the gender plainly, and an attacker in float64 who reads the last bits."""

from functools import cache

import numpy as np

from privrep.attacks.lda import linear
from privrep.statistics.design import design
from privrep.statistics.uar import uars_of

D, EMOTIONS = 8, 4
KINDS = ("plain", "steep", "copies", "units")


@cache
def draw(seed, kind="plain", num_speakers=100, utterances=10):
    """h float32[N, D], gender, emotion, speaker int32[N]; of one population for every seed.

    The genders are 6 standard deviations apart in one direction, and speakers of one gender differ
    little, so that a hundred of them suffice to estimate it. `kind` is "plain"; "steep", columns
    that depend on each other, down to a hundredth of the variation; "copies", a column that is a
    difference of others and one that varies in its last bit alone, with the gender; or "units",
    columns of all sizes far from 0.
    """
    population, rng = np.random.default_rng(3), np.random.default_rng(seed)
    speaker = np.repeat(np.arange(num_speakers), utterances).astype(np.int32)
    gender = rng.permutation(np.arange(num_speakers, dtype=np.int32) % 2)[speaker]
    emotion = rng.integers(0, EMOTIONS, len(speaker)).astype(np.int32)
    direction, emotions = population.normal(size=D), population.normal(size=(EMOTIONS, D))
    h = 0.2 * rng.normal(size=(num_speakers, D))[speaker] + rng.normal(size=(len(speaker), D))
    h += emotions[emotion]
    h += 3 * (2 * gender - 1)[:, None] * direction / np.linalg.norm(direction)
    turn = np.linalg.qr(population.normal(size=(D, D)))[0]
    h = h * np.geomspace(1, 0.01, D) @ turn if kind == "steep" else h @ turn
    if kind == "copies":
        h[:, 3] = h[:, 2] - h[:, 4]
        h[:, 5] = 7 + 4e-7 * gender
    if kind == "units":
        h = h * np.geomspace(1e-4, 1e4, D) + np.geomspace(1e-3, 3e5, D)
    return h.astype(np.float32), gender, emotion, speaker


def last_bits_uar(h, gender, speaker):
    folds = design(gender, speaker, None, 3, 0).folds
    return uars_of(linear(0, h, gender[None], speaker, folds, 2).predictions, gender[None], 2)[0]


def blurred(h):
    """With noise of a ten-thousandth of a column's deviation: no last bit is left."""
    size = np.maximum(h.std(0, dtype=np.float64), 1e-5 * np.abs(h).max(0))
    return (h + 1e-4 * size * np.random.default_rng(0).normal(size=h.shape)).astype(np.float32)
