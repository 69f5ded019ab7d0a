"""The measurement: how much of a private attribute h tells, and how sure that is."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from privrep.closed_form import ATTACKS, Attack
from privrep.verdicts import ALPHA, LIMIT, Verdict


class AttackerResult(NamedTuple):
    """One attacker of the suite, in plain values (float, int, str, tuple).

    Attributes:
      uar: over all speakers, each tested once by an attacker that never saw them.
      lower, upper: one-sided bounds of uar at 1 - alpha each, for this attacker alone.
      p: for this attacker alone.
      detectable: minimum detectable leak for this attacker alone, as a UAR; may be infinity.
      recalls: float per class.
      null_mean, null_deviation: of the UAR under exchanged labels.
      null: the UAR of every exchanged labelling, for a histogram.
      auc: area under the ROC curve of class 1 against 0; NaN for more than two classes.
      equal_error_rate, tpr_at_1_percent: likewise.
      bits: V-information in bits per utterance (Xu et al. 2020); at most entropy.
      entropy: of the labels, in bits.
      chosen: what was chosen on validation speakers, per fold.
    """

    uar: float
    lower: float
    upper: float
    p: float
    detectable: float
    recalls: tuple[float, ...]
    null_mean: float
    null_deviation: float
    null: tuple[float, ...]
    auc: float
    equal_error_rate: float
    tpr_at_1_percent: float
    bits: float
    entropy: float
    chosen: tuple[str, ...]


class VictimResult(NamedTuple):
    """The headline attacker that has several utterances of one victim and adds up their evidence.

    lower and upper are a 95 % interval over speakers, not corrected for the choice of attacker;
    speakers with fewer utterances than k are attacked with all they have.
    """

    k: int
    uar: float
    lower: float
    upper: float


class Measurement(NamedTuple):
    """All that was measured. Everything but `counts` and `predictions` is a plain value.

    Attributes:
      verdict: see `verdicts.Verdict`.
      headline: name of the strongest attacker.
      attackers: {name: AttackerResult}.
      victims: VictimResult for k = 1, 2, 5, 20.
      chance: 1 / C.
      num_utterances, num_speakers: that counted; unknown labels do not.
      utterances_per_class, speakers_per_class: int per class, of a speaker's most frequent class.
      num_folds: K; no speaker is in two.
      paired: whether labels were exchanged within sessions only.
      num_permutations: exchanged labellings for which every attacker was trained anew.
      distinct_permutations: that the design allows, the true one included; 10**18 is "or more".
      complete: whether all of them were tried.
      varies_within_speaker: whether some speaker has several values of the attribute.
      seconds: wall time of each attacker, {name: float}.
      counts: int64[S, C, C], the headline's confusion counts per speaker, for
        `statistics.compare` of two systems; rows in the order of `numpy.unique(speakers)` of the
        utterances that counted.
      predictions: int16[N], the headline's guess of every utterance, -1 where the label is unknown.
    """

    verdict: Verdict
    headline: str
    attackers: dict[str, AttackerResult]
    victims: tuple[VictimResult, ...]
    chance: float
    num_utterances: int
    num_speakers: int
    utterances_per_class: tuple[int, ...]
    speakers_per_class: tuple[int, ...]
    num_folds: int
    paired: bool
    num_permutations: int
    distinct_permutations: int
    complete: bool
    varies_within_speaker: bool
    seconds: dict[str, float]
    counts: np.ndarray
    predictions: np.ndarray


def measure(
    h: np.ndarray,
    labels: np.ndarray,
    speakers: np.ndarray,
    *,
    sessions: np.ndarray | None = None,
    attackers: Mapping[str, Attack] = ATTACKS,
    num_folds: int = 5,
    num_permutations: int = 200,
    limit: float = LIMIT,
    alpha: float = ALPHA,
    seed: int = 0,
) -> Measurement:
    """Attacks frozen representations with a suite of fresh attackers, and judges the result.

    Speakers are dealt to folds; each is tested once, by attackers that learned from other speakers
    and were chosen on yet others. The whole is repeated with the attribute exchanged between
    speakers (`permutations.permute`), every attacker trained anew; the verdict follows from where
    the true labels stand among the exchanged ones (`verdicts.judge`).

    Args:
      h: float[N, D], finite. For [N, T, D] pool first, as the mean over valid frames.
      labels: int[N], classes 0 to C - 1, -1 for unknown, which does not count.
      speakers: [N], anything that numpy.unique can tell apart: str or int.
      sessions: likewise, or None. Where each session has speakers of at least two classes, labels
        are exchanged within sessions only.
      attackers: {name: Attack}, see `closed_form.Attack`; another attacker is a function of the
        same signature.
      num_folds: K, at least 3.
      num_permutations: how many exchanged labellings; where the design has at most twice as many,
        all of them.
      limit: the leak UAR - chance over which "no leak" may not be said.
      alpha: level of the test and of the bounds.
      seed: of folds, permutations, landmarks and bootstrap; the same seed gives the same result.

    Raises:
      ValueError: shapes that do not fit, h that is not finite, fewer than two classes, a class with
        one speaker, or fewer than 3 speakers.
    """
    raise NotImplementedError
