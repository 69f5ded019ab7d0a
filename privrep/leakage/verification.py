"""Speaker verification on people nobody learned from: how well h tells two strangers apart (host).

Closed-set identification falls easily where open-set verification does not, so it is the equal
error rate of pairs of utterances, one speaker or two, that says whether h hides who speaks.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import scipy.linalg
import scipy.special

from privrep.statistics.attack_scores import equal_error_rate
from privrep.statistics.verdict import ALPHA, LIMIT, POWER, Verdict

_EACH = 10  # utterances of a test speaker
_MOST = 500  # test utterances of a part
_SHRINK = 0.1  # of the covariance within speakers, towards its diagonal


class Known(NamedTuple):
    """One attack: h float[N, D], from whom it learns and whom it meets, bool[N] each."""

    h: np.ndarray
    learned: np.ndarray
    met: np.ndarray


def verify(
    attacks: Sequence[Known],
    speakers: np.ndarray,
    *,
    num_permutations: int = 99,
    limit: float = LIMIT,
    alpha: float = ALPHA,
    seed: int = 0,
) -> Verdict:
    """Scores pairs of utterances by cosine after whitening within the speakers learned from.

    The score is 1 - equal error rate over the pairs of all attacks, chance 0.5. h is standardised
    and whitened by the covariance within the known speakers (WCCN; Hatch, Kajarekar & Stolcke
    2006); scores of an attack are brought to mean 0 and deviation 1. At most 10 utterances of a
    speaker are tried, and 500 of an attack.

    If h says nothing of who speaks, the utterances met might as well be dealt to other speakers: p
    is the share of such exchanges, within an attack, that score as high. Bounds are by the
    jackknife over speakers, all pairs of one left out at a time.

    Args:
      attacks: no utterance is met in two.
      speakers: int[N] from 0 to S - 1.
      num_permutations, limit, alpha, seed: as in `measurement.measure`.

    Raises:
      ValueError: no attack meets two utterances of one speaker and one of another.
    """
    rng = np.random.default_rng(seed)
    scores, who = [], []
    for attack in attacks:
        rows = _drawn(attack.met, speakers, rng)
        white = _whitened(attack.h, attack.learned, speakers, rows)
        i, j = np.triu_indices(len(rows), 1)
        cosine = (white @ white.T)[i, j]
        scores.append((cosine - cosine.mean()) / max(cosine.std(), 1e-12))
        who.append((speakers[rows], i, j))
    order = np.argsort(-np.concatenate(scores), kind="stable")
    score = -np.arange(len(order), dtype=float)  # ranks; ties are rare among cosines

    def pairs(owners: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        first = np.concatenate([own[i] for own, (_, i, _) in zip(owners, who)])
        other = np.concatenate([own[j] for own, (_, _, j) in zip(owners, who)])
        return first[order], other[order]

    a, b = pairs([own for own, *_ in who])
    same = a == b
    if same.all() or not same.any():
        raise ValueError(
            "speakers cannot be verified: it takes two utterances of one and one of another"
        )
    found = 1 - equal_error_rate(score, same)
    null = []
    for _ in range(num_permutations):
        c, d = pairs([rng.permutation(own) for own, *_ in who])
        null.append(1 - equal_error_rate(score, c == d))
    left = []
    for speaker in np.unique(a):
        kept = (a != speaker) & (b != speaker)
        if same[kept].any() and not same[kept].all():
            left.append(1 - equal_error_rate(score[kept], same[kept]))
    error = float(np.sqrt((len(left) - 1) * np.var(left))) if left else 1.0
    spread = max(error, float(np.std(null)))
    z = scipy.special.ndtri(1 - alpha)
    p = (1 + sum(one >= found for one in null)) / (1 + num_permutations)
    upper = min(1.0, max(found, 0.5) + z * spread)
    detectable = np.quantile(null, 1 - alpha) + scipy.special.ndtri(POWER) * spread
    if p <= alpha:
        verdict, reason = "leaks", "strangers can be told apart"
    elif upper <= 0.5 + limit:
        verdict, reason = "no_leak_shown", "strangers cannot be told apart"
    else:
        verdict, reason = "cannot_tell", "not shown, and not excluded"
    reason = f"Speaker verification scores {found:.3f} (1 - equal error rate): {reason}."
    smallest = 1 / (1 + num_permutations)
    lower = max(0.0, found - z * spread)
    bounds = (found, lower, upper, p, smallest, float(min(detectable, 1)), 0.5 + limit)
    return Verdict(verdict, *map(float, bounds), reason)


def closed_set(
    seed: int, h: np.ndarray, known: np.ndarray, speakers: np.ndarray
) -> tuple[float, float]:
    """How often it is found out which of the known speakers said another utterance.

    Half of the utterances of each, at random, are learned from: the mean direction of a speaker,
    whitened as in `verify`, that has the highest cosine is the guess. Falls more easily than
    verification does, which is the headline.

    Args:
      seed: of the halves.
      h: float[N, D].
      known: bool[N], the utterances of the speakers known.
      speakers: int[N].

    Returns:
      Mean recall over the speakers with two utterances, and what guessing scores, 1 / speakers.
      (NaN, NaN) if there are fewer than two.
    """
    rows = np.random.default_rng(seed).permutation(np.flatnonzero(known))
    rows = rows[np.argsort(speakers[rows], kind="stable")]
    counts = np.unique(speakers[rows], return_counts=True)[1]
    rows = rows[np.repeat(counts > 1, counts)]
    if (counts > 1).sum() < 2:
        return float("nan"), float("nan")
    people, first, who = np.unique(speakers[rows], return_index=True, return_inverse=True)
    learned = (np.arange(len(rows)) - first[who]) % 2 == 0
    white = _whitened(h[rows], learned, speakers[rows], np.arange(len(rows)))
    means = np.zeros((len(people), h.shape[1]))
    np.add.at(means, who[learned], white[learned])
    means /= np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-12)
    right = (white[~learned] @ means.T).argmax(1) == who[~learned]
    recalls = np.bincount(who[~learned], right) / np.bincount(who[~learned])
    return float(recalls.mean()), 1 / len(people)


def _drawn(met: np.ndarray, speakers: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Rows: up to 10 utterances of each speaker met, of so many speakers that 500 are enough."""
    rows = rng.permutation(np.flatnonzero(met))
    rows = rows[np.argsort(speakers[rows], kind="stable")]
    place = np.arange(len(rows)) - np.searchsorted(speakers[rows], speakers[rows])
    rows = rows[place < _EACH]
    people = rng.permutation(np.unique(speakers[rows]))[: max(2, _MOST // _EACH)]
    return rows[np.isin(speakers[rows], people)]


def _whitened(
    h: np.ndarray, learned: np.ndarray, speakers: np.ndarray, rows: np.ndarray
) -> np.ndarray:
    """Directions float[n, D] of `rows`, as the speakers learned from say how to compare them."""
    known = np.asarray(h[learned], np.float64)
    mean, deviation = known.mean(0), known.std(0)
    constant = deviation <= 1e-5 * np.sqrt(1 + mean**2)
    scale = np.where(constant, 0, 1 / np.where(constant, 1, deviation))
    known = (known - mean) * scale
    _, people = np.unique(speakers[learned], return_inverse=True)
    sums = np.zeros((people.max() + 1, h.shape[1]))
    np.add.at(sums, people, known)
    within = known - (sums / np.bincount(people)[:, None])[people]
    covariance = within.T @ within / len(known)
    diagonal = np.diag(np.diag(covariance) + 1e-4)
    factor = np.linalg.cholesky((1 - _SHRINK) * covariance + _SHRINK * diagonal)
    x = (np.asarray(h[rows], np.float64) - mean) * scale
    white = scipy.linalg.solve_triangular(factor, x.T, lower=True).T
    return white / np.maximum(np.linalg.norm(white, axis=1, keepdims=True), 1e-12)
