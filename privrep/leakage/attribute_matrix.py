"""The attribute matrix: the leak of every other labelled attribute, and of the speaker (host)."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from threadpoolctl import threadpool_limits

from privrep.attacks.lda import linear
from privrep.leakage.measurement import measure
from privrep.leakage.verification import Conditions, VerificationTarget, verify
from privrep.statistics.design import design
from privrep.statistics.strata import Covariate
from privrep.statistics.verdict import Verdict
from privrep.types import SECONDARY, InferenceSettings, Sample

SPEAKER = "speaker"
MAX_CLASSES = 20
_MIN_SPEAKERS = 2  # of a class
_MIN_FOLDS, _MAX_FOLDS = 3, 5  # of verification
_SPEAKERS_OF_FOLD = 4  # of verification, at least where there are 12 speakers


class Attribute(NamedTuple):
    """The leak of one attribute, in plain values.

    Attributes:
      name: of its column; "speaker" stands for verification of held-out speakers, with the score
        1 - equal error rate, on the kind of pairs that reveals most, and "speaker, KIND" for that
        on one kind of pairs, see `verification.verify`.
      classes: number of values; 2 for "speaker", same or different.
      chance: 1 / classes.
      verdict: of the linear attacker, or of verification; not corrected for the number of
        attributes: of twenty that h does not reveal, one is expected to be called a leak.
    """

    name: str
    classes: int
    chance: float
    verdict: Verdict


def measure_attributes(
    sample: Sample,
    columns: Mapping[str, Sequence[str | None]],
    settings: InferenceSettings = SECONDARY,
    contents: Sequence[Covariate] = (),
) -> tuple[tuple[Attribute, ...], dict[str, str]]:
    """Attacks every column that can be judged with the linear attacker, and verifies speakers.

    Args:
      sample: its labels are not used.
      columns: {name: N cells}, None where the value is not known.
      settings: of each test.
      contents: what utterances of different speakers may have in common, such as script and
        emotion: speakers are verified on pairs of one content as well.

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
        speaker, not_tried = _speaker(sample, contents, settings)
        attributes += speaker
        left_out |= not_tried
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


def _speaker(
    sample: Sample, contents: Sequence[Covariate], settings: InferenceSettings
) -> tuple[list[Attribute], dict[str, str]]:
    """The rows of verification, and {name of a kind of pairs: why it was not tried}."""
    speaker, session = sample.speaker, sample.session
    num_folds = int(np.clip(sample.num_speakers // _SPEAKERS_OF_FOLD, _MIN_FOLDS, _MAX_FOLDS))
    # Speakers who were all recorded in one session each are compared within it: a fold holds it
    # as a whole. Speakers of several sessions are compared across them: folds part speakers alone.
    together = session if session is not None and _constant(session, speaker) else None
    # Without labels: the folds are independent of them.
    folds = design(np.zeros_like(speaker), speaker, together, num_folds, settings.seed).folds
    targets = [
        VerificationTarget(sample.h, folds != fold, folds == fold)
        for fold in range(folds.max() + 1)
    ]
    with threadpool_limits(1, "blas"):
        result = verify(targets, speaker, settings, Conditions(session, contents))
    rows = [Attribute(SPEAKER, 2, 0.5, result.verdict)]
    if len(result.kinds) > 1 or not result.strongest:
        rows += [Attribute(f"{SPEAKER}, {kind}", 2, 0.5, v) for kind, v in result.kinds.items()]
    return rows, {f"{SPEAKER}, {kind}": reason for kind, reason in result.left_out.items()}


def _constant(session: np.ndarray, speaker: np.ndarray) -> bool:
    """Whether every speaker was recorded in one session."""
    pairs = np.unique(np.stack([session, speaker]), axis=1).shape[1]
    return pairs == len(np.unique(speaker))


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
