"""The measurement: how much of a private attribute h tells, and how sure that is."""

import time
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from privrep.attacks.lda import ATTACKS
from privrep.attacks.protocol import Attack, Attacked
from privrep.statistics import attack_scores as scores
from privrep.statistics.confidence import interval, standard_error
from privrep.statistics.permutation_test import design, permute, speaker_labels
from privrep.statistics.uar import confusion_counts, uar, uars_of
from privrep.statistics.verdict import ALPHA, LIMIT, Judged, Verdict, judge

VICTIMS = (1, 2, 5, 20)


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
      verdict: see `verdict.Verdict`.
      headline: name of the strongest attacker.
      attackers: {name: AttackerResult}.
      victims: VictimResult for k = 1, 2, 5, 20.
      chance: 1 / C.
      num_utterances, num_speakers: that counted; unknown labels do not.
      utterances_per_class, speakers_per_class: int per class, of a speaker's most frequent class.
      num_folds: K; no speaker is in two.
      exchanged: between whom labels were exchanged, see `permutation_test.Design`.
      num_permutations: exchanged labellings for which every attacker was trained anew.
      distinct_permutations: that the design allows, the true one included; 10**18 is "or more".
      complete: whether all of them were tried.
      varies_within_speaker: whether some speaker has several values of the attribute.
      seconds: wall time of each attacker, {name: float}.
      counts: int64[S, C, C], the headline's confusion counts per speaker, for
        `paired_comparison.compare` of two systems; rows in the order of `numpy.unique(speakers)`
        of the utterances that counted.
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
    exchanged: str
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
    speakers (`permutation_test.permute`), every attacker trained anew; the verdict follows from
    where the true labels stand among the exchanged ones (`verdict.judge`).

    Args:
      h: float[N, D], finite. For [N, T, D] pool first, as the mean over valid frames.
      labels: int[N], classes 0 to C - 1, -1 for unknown, which does not count.
      speakers: [N], anything that numpy.unique can tell apart: str or int.
      sessions: likewise, or None. In a session of several classes labels are exchanged within it,
        sessions of one class exchange theirs as a whole (`permutation_test.design`).
      attackers: {name: Attack}, see `protocol.Attack`; another attacker is a function of the
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
    h, labels = np.asarray(h), np.asarray(labels)
    _check_shapes(h, labels, speakers, sessions)
    known = np.flatnonzero(labels >= 0)
    names, people = np.unique(np.asarray(speakers)[known], return_inverse=True)
    visits = (
        None if sessions is None else np.unique(np.asarray(sessions)[known], return_inverse=True)[1]
    )
    x, y = h[known].astype(np.float32), labels[known].astype(np.int32)
    people = people.astype(np.int32)
    num_classes = int(y.max()) + 1
    usual = speaker_labels(y, people)
    _check_classes(y, people)
    dealt = design(y, people, visits, num_folds, seed)
    exchanged = permute(y, people, dealt.strata, num_permutations, seed, dealt.units)
    attacked, seconds = {}, {}
    for name, attack in attackers.items():
        start = time.perf_counter()
        attacked[name] = attack(seed, x, exchanged.labels, people, dealt.folds, num_classes)
        seconds[name] = time.perf_counter() - start
    uars = np.array(
        [uars_of(found.predictions, exchanged.labels, num_classes) for found in attacked.values()]
    )
    counts = {
        name: confusion_counts(found.predictions[0], y, people, num_classes)
        for name, found in attacked.items()
    }
    errors = np.array([standard_error(of, uar, usual) for of in counts.values()])
    verdict, judged = judge(uars, errors, exchanged, num_classes, limit, alpha)
    headline = list(attacked)[int(np.argmax(uars[:, 0]))]
    predictions = np.full(len(labels), -1, np.int16)
    predictions[known] = attacked[headline].predictions[0]
    return Measurement(
        verdict=verdict,
        headline=headline,
        attackers={
            name: _result(found, y, counts[name], row, one)
            for (name, found), row, one in zip(attacked.items(), uars, judged)
        },
        victims=tuple(
            _victim(k, attacked[headline], people, y, usual, num_classes, seed) for k in VICTIMS
        ),
        chance=1 / num_classes,
        num_utterances=len(y),
        num_speakers=len(names),
        utterances_per_class=tuple(np.bincount(y, minlength=num_classes).tolist()),
        speakers_per_class=tuple(np.bincount(usual, minlength=num_classes).tolist()),
        num_folds=int(dealt.folds.max()) + 1,
        exchanged=dealt.exchanged,
        num_permutations=len(exchanged.labels) - 1,
        distinct_permutations=exchanged.distinct,
        complete=exchanged.complete,
        varies_within_speaker=bool((y != usual[people]).any()),
        seconds=seconds,
        counts=counts[headline],
        predictions=predictions,
    )


def _result(
    found: Attacked, labels: np.ndarray, counts: np.ndarray, uars: np.ndarray, judged: Judged
) -> AttackerResult:
    share = np.bincount(labels) / len(labels)
    pooled = counts.sum(0)
    ranks = dict.fromkeys(("auc", "equal_error_rate", "tpr_at_1_percent"), float("nan"))
    if len(share) == 2:
        score, positive = found.log_likelihoods[:, 1] - found.log_likelihoods[:, 0], labels == 1
        ranks = {
            "auc": scores.auc(score, positive),
            "equal_error_rate": scores.equal_error_rate(score, positive),
            "tpr_at_1_percent": scores.tpr_at_fpr(score, positive),
        }
    return AttackerResult(
        uar=float(uars[0]),
        recalls=tuple((np.diagonal(pooled) / np.maximum(pooled.sum(1), 1)).tolist()),
        null=tuple(uars[1:].tolist()),
        bits=scores.usable_bits(scores.log_posteriors(found.log_likelihoods, share), labels),
        entropy=scores.entropy(labels),
        chosen=found.chosen,
        **ranks,
        **judged._asdict(),
    )


def _victim(
    k: int,
    found: Attacked,
    speakers: np.ndarray,
    labels: np.ndarray,
    usual: np.ndarray,
    num_classes: int,
    seed: int,
) -> VictimResult:
    sums, owner, truth = scores.combine(found.log_likelihoods, speakers, labels, k, seed)
    counts = confusion_counts(sums.argmax(1), truth, owner, num_classes)
    return VictimResult(k, *interval(counts, uar, usual)[:3])


def _check_shapes(h: np.ndarray, labels: np.ndarray, speakers, sessions) -> None:
    if h.ndim != 2:
        raise ValueError(f"h has shape {h.shape}: one row per utterance is needed, [N, D]")
    for name, column in (("labels", labels), ("speakers", speakers), ("sessions", sessions)):
        if column is not None and np.shape(column) != h.shape[:1]:
            raise ValueError(f"{name} has shape {np.shape(column)} for {len(h)} rows of h")
    if not np.issubdtype(labels.dtype, np.integer):
        raise ValueError(f"labels are {labels.dtype}: number the classes from 0, -1 for unknown")
    if not (labels >= 0).any():
        raise ValueError("no label is known: every one is -1")
    with np.errstate(over="ignore"):
        broken = np.flatnonzero(~np.isfinite(h.astype(np.float32)).all(1))
    if len(broken):
        raise ValueError(
            f"{len(broken)} of {len(h)} rows of h are not finite in float32, the first is row "
            f"{broken[0]}: "
            "leave them out, or repair the network that made them"
        )


def _check_classes(labels: np.ndarray, speakers: np.ndarray) -> None:
    counts = np.bincount(labels)
    if len(counts) < 2 or not counts.all():
        raise ValueError(
            f"of the classes 0 to {len(counts) - 1} only {np.flatnonzero(counts).tolist()} occur: "
            "an attack needs two at least, numbered without gaps"
        )
    owners = np.unique(np.stack([labels, speakers]), axis=1)[0]
    single = np.flatnonzero(np.bincount(owners) == 1)
    if len(single):
        raise ValueError(
            f"class {single[0]} has one speaker: nobody could learn it from another, so that "
            "nothing can be said of it; leave it out or join it with another"
        )
