"""The attribute matrix: the leak of every other labelled attribute, and of the speaker (host)."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from privrep.attacks.lda import linear
from privrep.leakage.measurement import measure
from privrep.leakage.verification import VerificationTarget, verify
from privrep.statistics.design import design
from privrep.statistics.verdict import Verdict
from privrep.types import SECONDARY, InferenceSettings, Sample

SPEAKER = "speaker"
MAX_CLASSES = 20
_MIN_SPEAKERS = 2  # of a class


class Attribute(NamedTuple):
    """The leak of one attribute, in plain values.

    Attributes:
      name: of its column; "speaker" stands for verification of held-out speakers, with the score
        1 - equal error rate.
      classes: number of values; 2 for "speaker", same or different.
      chance: 1 / classes.
      verdict: of the linear attacker, not corrected for the number of attributes: of twenty
        attributes that h does not reveal, one is expected to be called a leak.
    """

    name: str
    classes: int
    chance: float
    verdict: Verdict


def measure_attributes(
    sample: Sample,
    columns: Mapping[str, Sequence[str | None]],
    settings: InferenceSettings = SECONDARY,
) -> tuple[tuple[Attribute, ...], dict[str, str]]:
    """Attacks every column that can be judged with the linear attacker, and verifies speakers.

    Args:
      sample: its labels are not used.
      columns: {name: N cells}, None where the value is not known.
      settings: of each test.

    Returns:
      The attributes, the largest leak over chance first, and {name: why it was left out}.
    """
    attributes, left_out = [], {}
    for name, cells in columns.items():
        codes, names = _numbered(cells)
        reason = why_not(codes, names, sample.speaker)
        if reason:
            left_out[name] = reason
            continue
        session = None if _is_session(codes, sample.session) else sample.session
        labelled = replace(sample, labels=codes, session=session)
        try:
            result = measure(labelled, attackers={"linear": linear}, settings=settings)
        except ValueError as error:
            left_out[name] = str(error)
            continue
        attributes.append(Attribute(name, len(names), result.chance, result.verdict))
    try:
        attributes.append(_speaker(sample, settings))
    except ValueError as error:
        left_out[SPEAKER] = str(error)
    return tuple(sorted(attributes, key=lambda a: a.chance - a.verdict.uar)), left_out


def why_not(codes: np.ndarray, names: Sequence[str], speaker: np.ndarray) -> str:
    """Why an attribute cannot be attacked, or "". codes int[N], -1 unknown; speaker [N]."""
    if len(names) < 2:
        return "has one value only" if names else "has no value"
    if len(names) > MAX_CLASSES:
        return f"has {len(names):,} values, and at most {MAX_CLASSES} are tried"
    for number, name in enumerate(names):
        owners = len(np.unique(speaker[codes == number]))
        if owners < _MIN_SPEAKERS:
            return (
                f"has the value {name[:40]} for one speaker, and {_MIN_SPEAKERS} speakers of each "
                "value are needed"
            )
    return ""


def _speaker(sample: Sample, settings: InferenceSettings) -> Attribute:
    speaker = sample.speaker
    # Without labels: the folds are independent of them.
    folds = design(np.zeros_like(speaker), speaker, None, 5, settings.seed).folds
    targets = [
        VerificationTarget(sample.h, folds != fold, folds == fold)
        for fold in range(folds.max() + 1)
    ]
    return Attribute(SPEAKER, 2, 0.5, verify(targets, speaker, settings))


def _is_session(codes: np.ndarray, session: np.ndarray | None) -> bool:
    """Whether the attribute is the session itself, which cannot be learned across sessions."""
    if session is None or (codes < 0).any():
        return False
    pairs = np.unique(np.stack([codes, session]), axis=1).shape[1]
    return pairs == len(np.unique(codes)) == len(np.unique(session))


def _numbered(cells: Sequence[str | None]) -> tuple[np.ndarray, tuple[str, ...]]:
    names = tuple(sorted({cell for cell in cells if cell is not None}))
    number: dict[str | None, int] = {None: -1}
    number |= {name: i for i, name in enumerate(names)}
    return np.array([number[cell] for cell in cells], np.int32), names
