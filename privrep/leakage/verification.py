"""Speaker verification of held-out speakers: how well h distinguishes two unseen speakers (host).

Closed-set identification succeeds where open-set verification fails. Whether h hides the speaker is
therefore measured by the equal error rate over pairs of utterances of the same or of two speakers.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import scipy.linalg
import scipy.special

from privrep.statistics.attack_scores import equal_error_rate
from privrep.statistics.upper_bound import POWER
from privrep.statistics.verdict import Verdict
from privrep.types import SECONDARY, InferenceSettings, renumber

_PER_SPEAKER = 10  # utterances of a test speaker, at most
_PER_TARGET = 500  # test utterances, at most
_SHRINKAGE = 0.1  # of the covariance within speakers, towards its diagonal


class VerificationTarget(NamedTuple):
    """h float[N, D], and which utterances an attacker is trained and tested on, bool[N] each."""

    h: np.ndarray
    training: np.ndarray
    tested: np.ndarray


class _Trials(NamedTuple):
    """The pairs of one target: speaker int[n] of its utterances, and pairs i, j int[n (n-1) / 2]
    of them with their scores."""

    speaker: np.ndarray
    i: np.ndarray
    j: np.ndarray
    scores: np.ndarray


def verify(
    targets: Sequence[VerificationTarget],
    speaker: np.ndarray,
    settings: InferenceSettings = SECONDARY,
) -> Verdict:
    """Scores pairs of test utterances by cosine after whitening within the training speakers.

    The score is 1 - equal error rate over the pairs of all targets; chance is 0.5. h is
    standardised and whitened by the covariance within the training speakers (WCCN; Hatch, Kajarekar
    & Stolcke 2006). Cosines of a target are brought to mean 0 and standard deviation 1. At most 10
    utterances of a speaker are tested, and 500 of a target.

    If h carries no information about the speaker, test utterances are exchangeable between
    speakers: p is the share of permutations of the speaker labels, within each target, with a score
    at least as high. Bounds are by the jackknife over speakers: all pairs of one are left out at a
    time.

    Args:
      targets: no utterance is tested in two.
      speaker: int[N] from 0 to S - 1.
      settings: of the test; its folds are not used.

    Raises:
      ValueError: no target tests two utterances of one speaker and one of another.
    """
    rng = np.random.default_rng(settings.seed)
    trials = []
    for target in targets:
        rows = _drawn(target.tested, speaker, rng)
        white = _whitened(target.h, target.training, speaker, rows)
        i, j = np.triu_indices(len(rows), 1)
        cosine = (white @ white.T)[i, j]
        cosine = (cosine - cosine.mean()) / max(cosine.std(), 1e-12)
        trials.append(_Trials(speaker[rows], i, j, cosine))
    order = np.argsort(-np.concatenate([t.scores for t in trials]), kind="stable")
    score = -np.arange(len(order), dtype=float)  # ranks; cosines rarely tie

    def pairs(speakers: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """The speakers of both utterances of all pairs, the most similar pair first."""
        first = np.concatenate([of[t.i] for of, t in zip(speakers, trials)])
        second = np.concatenate([of[t.j] for of, t in zip(speakers, trials)])
        return first[order], second[order]

    a, b = pairs([t.speaker for t in trials])
    same = a == b
    if same.all() or not same.any():
        raise ValueError(
            "speakers cannot be verified: it takes two utterances of one and one of another"
        )
    value = 1 - equal_error_rate(score, same)
    null = []
    for _ in range(settings.permutations):
        c, d = pairs([rng.permutation(t.speaker) for t in trials])
        null.append(1 - equal_error_rate(score, c == d))
    left_out = []
    for s in np.unique(a):
        kept = (a != s) & (b != s)
        if same[kept].any() and not same[kept].all():
            left_out.append(1 - equal_error_rate(score[kept], same[kept]))
    error = float(np.sqrt((len(left_out) - 1) * np.var(left_out))) if left_out else 1.0
    return _verdict(value, np.array(null), error, settings)


def _verdict(value: float, null: np.ndarray, error: float, settings: InferenceSettings) -> Verdict:
    """From the score, its values under permuted labels, and its standard error over speakers."""
    spread = max(error, float(np.std(null)))
    z = scipy.special.ndtri(1 - settings.alpha)
    p = (1 + int((null >= value).sum())) / (1 + len(null))
    upper = min(1.0, max(value, 0.5) + z * spread)
    detectable = np.quantile(null, 1 - settings.alpha) + scipy.special.ndtri(POWER) * spread
    if p <= settings.alpha:
        verdict, reason = "leaks", "unseen speakers can be distinguished"
    elif upper <= 0.5 + settings.limit:
        verdict, reason = "no_leak_shown", "unseen speakers cannot be distinguished"
    else:
        verdict, reason = "cannot_tell", "a leak is neither shown nor excluded"
    return Verdict(
        verdict=verdict,
        uar=float(value),
        lower=float(max(0.0, value - z * spread)),
        upper=float(upper),
        p=float(p),
        smallest_p=1 / (1 + len(null)),
        minimum_detectable=float(min(detectable, 1)),
        limit=0.5 + settings.limit,
        reason=f"Speaker verification scores {value:.3f} (1 - equal error rate): {reason}.",
    )


def closed_set(
    seed: int, h: np.ndarray, known: np.ndarray, speaker: np.ndarray
) -> tuple[float, float]:
    """Closed-set identification: the accuracy of recognising which known speaker is speaking.

    Half of the utterances of each speaker, at random, are trained on: the prediction is the speaker
    whose mean direction, whitened as in `verify`, has the highest cosine. Identification succeeds
    more easily than verification, which is the score to report.

    Args:
      seed: of the halves.
      h: float[N, D].
      known: bool[N], the utterances of the known speakers.
      speaker: int[N].

    Returns:
      Mean recall over the speakers with two utterances, and chance, 1 / speakers. (NaN, NaN) if
      there are fewer than two such speakers.
    """
    rows = np.random.default_rng(seed).permutation(np.flatnonzero(known))
    rows = rows[np.argsort(speaker[rows], kind="stable")]
    counts = np.unique(speaker[rows], return_counts=True)[1]
    rows = rows[np.repeat(counts > 1, counts)]
    if (counts > 1).sum() < 2:
        return float("nan"), float("nan")
    names, first, number = np.unique(speaker[rows], return_index=True, return_inverse=True)
    training = (np.arange(len(rows)) - first[number]) % 2 == 0
    white = _whitened(h[rows], training, speaker[rows], np.arange(len(rows)))
    means = np.zeros((len(names), h.shape[1]))
    np.add.at(means, number[training], white[training])
    means /= np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-12)
    correct = (white[~training] @ means.T).argmax(1) == number[~training]
    recalls = np.bincount(number[~training], correct) / np.bincount(number[~training])
    return float(recalls.mean()), 1 / len(names)


def _drawn(tested: np.ndarray, speaker: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Rows: up to 10 utterances of each test speaker, of at most as many speakers as 500 allow."""
    rows = rng.permutation(np.flatnonzero(tested))
    rows = rows[np.argsort(speaker[rows], kind="stable")]
    place = np.arange(len(rows)) - np.searchsorted(speaker[rows], speaker[rows])
    rows = rows[place < _PER_SPEAKER]
    chosen = rng.permutation(np.unique(speaker[rows]))[: max(2, _PER_TARGET // _PER_SPEAKER)]
    return rows[np.isin(speaker[rows], chosen)]


def _whitened(
    h: np.ndarray, training: np.ndarray, speaker: np.ndarray, rows: np.ndarray
) -> np.ndarray:
    """Unit vectors float[n, D] of `rows`, whitened by the covariance within training speakers."""
    known = np.asarray(h[training], np.float64)
    mean, sd = known.mean(0), known.std(0)
    constant = sd <= 1e-5 * np.sqrt(1 + mean**2)
    scale = np.where(constant, 0, 1 / np.where(constant, 1, sd))
    known = (known - mean) * scale
    number = renumber(speaker[training])
    sums = np.zeros((number.max() + 1, h.shape[1]))
    np.add.at(sums, number, known)
    within = known - (sums / np.bincount(number)[:, None])[number]
    covariance = within.T @ within / len(known)
    diagonal = np.diag(np.diag(covariance) + 1e-4)
    factor = np.linalg.cholesky((1 - _SHRINKAGE) * covariance + _SHRINKAGE * diagonal)
    x = (np.asarray(h[rows], np.float64) - mean) * scale
    white = scipy.linalg.solve_triangular(factor, x.T, lower=True).T
    return white / np.maximum(np.linalg.norm(white, axis=1, keepdims=True), 1e-12)
