"""The attribute matrix: what else h tells, of every label at hand (host)."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from privrep.attacks.lda import linear
from privrep.leakage.measurement import measure
from privrep.leakage.verification import Known, verify
from privrep.statistics.permutation_test import design
from privrep.statistics.verdict import ALPHA, LIMIT, Verdict

SPEAKER = "speaker"
MOST_CLASSES = 20
_LEAST = 2  # speakers of a class


class Attribute(NamedTuple):
    """What h tells of one attribute, in plain values.

    Attributes:
      name: of its column; "speaker" stands for verification of strangers, 1 - equal error rate.
      classes: how many values it has; 2 of "speaker", same or not.
      chance: 1 / classes.
      verdict: of the linear attacker, for this attribute alone: of twenty attributes that h does
        not tell, one is expected to be called a leak.
    """

    name: str
    classes: int
    chance: float
    verdict: Verdict


def measure_attributes(
    h: np.ndarray,
    speakers: np.ndarray,
    columns: Mapping[str, Sequence[str | None]],
    *,
    sessions: np.ndarray | None = None,
    num_permutations: int = 99,
    limit: float = LIMIT,
    alpha: float = ALPHA,
    seed: int = 0,
) -> tuple[tuple[Attribute, ...], dict[str, str]]:
    """Attacks every column that can be judged with the linear attacker, and verifies speakers.

    Args:
      h: float[N, D], finite.
      speakers: int32[N] from 0 to S - 1.
      columns: {name: N cells}, None where the value is not known.
      sessions, num_permutations, limit, alpha, seed: see `measurement.measure`.

    Returns:
      The attributes, the most told first, and {name: why it was left out}.
    """
    found, left_out = [], {}
    for name, cells in columns.items():
        codes, names = _numbered(cells)
        reason = why_not(codes, names, speakers)
        if reason:
            left_out[name] = reason
            continue
        try:
            told = measure(
                h,
                codes,
                speakers,
                sessions=None if _same(codes, sessions) else sessions,
                attackers={"linear": linear},
                num_permutations=num_permutations,
                limit=limit,
                alpha=alpha,
                seed=seed,
            )
        except ValueError as error:
            left_out[name] = str(error)
            continue
        found.append(Attribute(name, len(names), told.chance, told.verdict))
    try:
        found.append(_speaker(h, speakers, num_permutations, limit, alpha, seed))
    except ValueError as error:
        left_out[SPEAKER] = str(error)
    return tuple(sorted(found, key=lambda one: one.chance - one.verdict.uar)), left_out


def why_not(codes: np.ndarray, names: Sequence[str], speakers: np.ndarray) -> str:
    """Why an attribute cannot be attacked, or "". codes int[N], -1 unknown; speakers int[N]."""
    if len(names) < 2:
        return "has one value only" if names else "has no value"
    if len(names) > MOST_CLASSES:
        return f"has {len(names):,} values, and {MOST_CLASSES} are the most that are tried"
    for number, name in enumerate(names):
        owners = len(np.unique(speakers[codes == number]))
        if owners < _LEAST:
            return f"{name[:40]} is said of one speaker, and it takes {_LEAST} of each value"
    return ""


def _speaker(h, speakers, num_permutations, limit, alpha, seed) -> Attribute:
    folds = design(np.zeros_like(speakers), speakers, None, 5, seed).folds
    attacks = [Known(h, folds != fold, folds == fold) for fold in range(folds.max() + 1)]
    settings = {"num_permutations": num_permutations, "limit": limit, "alpha": alpha, "seed": seed}
    return Attribute(SPEAKER, 2, 0.5, verify(attacks, speakers, **settings))


def _same(codes: np.ndarray, sessions: np.ndarray | None) -> bool:
    """Whether the attribute is the session itself, which no fold could learn if kept together."""
    if sessions is None or (codes < 0).any():
        return False
    pairs = np.unique(np.stack([codes, sessions]), axis=1).shape[1]
    return pairs == len(np.unique(codes)) == len(np.unique(sessions))


def _numbered(cells: Sequence[str | None]) -> tuple[np.ndarray, tuple[str, ...]]:
    names = tuple(sorted({cell for cell in cells if cell is not None}))
    number = {None: -1} | {name: i for i, name in enumerate(names)}
    return np.array([number[cell] for cell in cells], np.int32), names
