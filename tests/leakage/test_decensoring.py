"""De-censoring restores what a protection only disguised, and invents nothing."""

import numpy as np

from privrep.attacks.lda import linear
from privrep.leakage.decensoring import decensor
from privrep.leakage.worlds import WORLDS
from privrep.statistics.design import design
from privrep.types import Sample


def drawn(world):
    sample = WORLDS[world].draw(0, 40, 10, 6)
    return sample.h, sample.gender, sample.speaker


def test_a_disguise_is_undone():
    """A mixed-up h tells nothing to one who knows the original, until he learns the mixture."""
    h, gender, speakers = drawn("linear")
    mixture = np.linalg.qr(np.random.default_rng(0).normal(size=(6, 6)))[0]
    undone = decensor(Sample.of(h @ mixture, gender, speakers), h)
    assert undone.verdict.verdict == "leaks" and undone.explained > 0.99
    folds = design(gender, speakers, None, 5, 0).folds
    direct = linear(0, h, gender[None], speakers, folds, 2).predictions[0]
    assert (
        abs(undone.verdict.uar - np.mean([np.mean(direct[gender == g] == g) for g in (0, 1)]))
        < 0.02
    )


def test_what_is_gone_is_not_restored():
    h, gender, speakers = drawn("speaker_only")
    rng = np.random.default_rng(0)
    signal = (3 * gender + rng.normal(size=len(gender)))[:, None]
    undone = decensor(Sample.of(h, gender, speakers), np.concatenate([h, signal], 1))
    assert undone.verdict.verdict != "leaks"
    assert 6 / 7 - 0.1 < undone.explained < 6 / 7 + 0.02  # of seven columns one cannot be had
    there = decensor(Sample.of(np.concatenate([h, signal], 1), gender, speakers), h)
    assert (
        there.verdict.verdict != "leaks"
    )  # who never saw the signal unprotected learns no map to it


def test_noise_is_averaged_away_as_far_as_it_can_be():
    h, gender, speakers = drawn("linear")
    noisy = h + np.random.default_rng(0).normal(size=h.shape)
    undone, clean = (decensor(Sample.of(p, gender, speakers), h) for p in (noisy, h))
    assert 0 < undone.explained < 0.9 < clean.explained
    assert undone.verdict.uar < clean.verdict.uar
    assert all(a >= b for a, b in zip(undone.ridges, clean.ridges))
