"""The measurement: attacks on one h, a permutation test over speakers, bounds and a verdict (host).

See `fold_measurement` for a network that was trained once per fold.
"""

import time
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from privrep.attacks.lda import ATTACKS
from privrep.attacks.protocol import Attack, Attacked
from privrep.statistics import attack_scores as scores
from privrep.statistics.confidence import interval, standard_error
from privrep.statistics.design import design, speaker_labels
from privrep.statistics.permutation_test import permute
from privrep.statistics.uar import confusion_counts, uar, uars_of
from privrep.statistics.verdict import JudgedAttacker, Verdict, judge
from privrep.types import PRIMARY, InferenceSettings, Sample

VICTIM_UTTERANCES = (1, 2, 5, 20)


class AttackerResult(NamedTuple):
    """The result of one attacker of the suite, in plain values (float, int, str, tuple).

    Attributes:
      name: in the suite.
      uar: over all speakers, each tested once by an attacker that was trained on other speakers.
      lower, upper: one-sided bounds of uar at 1 - alpha each, for this attacker by itself.
      p: for this attacker by itself.
      minimum_detectable: minimum detectable UAR for this attacker by itself; may be infinity.
      recalls: float per class.
      null_mean, null_sd: mean and standard deviation of the UAR under permuted labels.
      null: the UAR under every permuted labelling, for a histogram.
      auc: area under the ROC curve of class 1 against 0; NaN for more than two classes.
      equal_error_rate, tpr_at_1_percent: likewise.
      bits: V-information in bits per utterance (Xu et al. 2020); at most entropy.
      entropy: of the labels, in bits.
      chosen: hyper-parameters that were selected on validation speakers, per fold.
    """

    name: str
    uar: float
    lower: float
    upper: float
    p: float
    minimum_detectable: float
    recalls: tuple[float, ...]
    null_mean: float
    null_sd: float
    null: tuple[float, ...]
    auc: float
    equal_error_rate: float
    tpr_at_1_percent: float
    bits: float
    entropy: float
    chosen: tuple[str, ...]


class VictimResult(NamedTuple):
    """The strongest attacker with several utterances of one victim, whose log-likelihoods it adds.

    lower and upper are a 95 % interval over speakers, not corrected for the choice of attacker.
    Speakers with fewer utterances are attacked with all they have.
    """

    utterances: int
    uar: float
    lower: float
    upper: float


class Measurement(NamedTuple):
    """The result of `measure`. Everything but `counts` and `predictions` is a plain value.

    Attributes:
      verdict: see `verdict.Verdict`.
      strongest: name of the attacker with the highest UAR.
      attackers: {name: AttackerResult}.
      victims: VictimResult for 1, 2, 5 and 20 utterances.
      chance: 1 / C.
      num_utterances, num_speakers: with known labels; only these count.
      utterances_per_class, speakers_per_class: int per class, of a speaker's most frequent class.
      num_folds: K; no speaker is in two.
      permuted_between: between whom labels were permuted, see `design.Design`.
      num_permutations: permuted labellings for which every attacker was trained anew.
      distinct_permutations: labellings that the design allows, the true one included; 10**18
        stands for that number or more.
      complete: whether all of them were tried.
      varies_within_speaker: whether some speaker has several values of the attribute.
      seconds: wall time of each attacker, {name: float}.
      counts: int64[S, C, C], confusion counts of the strongest attacker per speaker, for
        `paired_comparison.compare` of two systems; rows in the order of `numpy.unique(speaker)`
        of the utterances with known labels.
      predictions: int16[N], the prediction of the strongest attacker for every utterance, -1 where
        the label is unknown.
    """

    verdict: Verdict
    strongest: str
    attackers: dict[str, AttackerResult]
    victims: tuple[VictimResult, ...]
    chance: float
    num_utterances: int
    num_speakers: int
    utterances_per_class: tuple[int, ...]
    speakers_per_class: tuple[int, ...]
    num_folds: int
    permuted_between: str
    num_permutations: int
    distinct_permutations: int
    complete: bool
    varies_within_speaker: bool
    seconds: dict[str, float]
    counts: np.ndarray
    predictions: np.ndarray


def measure(
    sample: Sample,
    *,
    attackers: Mapping[str, Attack] = ATTACKS,
    settings: InferenceSettings = PRIMARY,
) -> Measurement:
    """Attacks frozen representations with freshly trained attackers and tests the result.

    Speakers are assigned to folds. Each is tested once, by attackers that were trained on other
    speakers and tuned on yet others. The whole attack is repeated with the attribute permuted
    between speakers (`permutation_test.permute`), every attacker trained anew. The verdict follows
    from the rank of the true labels among the permuted ones (`verdict.judge`).

    Args:
      sample: see `types.Sample.of`. Utterances with unknown labels do not count. In a session with
        several classes labels are permuted within it; sessions of one class are permuted as a
        whole (`design.design`).
      attackers: {name: Attack}, see `protocol.Attack`; any function of this signature.
      settings: of the test.

    Raises:
      ValueError: no known label, fewer than two classes, a class with one speaker, or fewer than 3
        speakers.

    Example: a column that is the label itself, for 24 speakers of 4 utterances.
      >>> speaker = np.repeat(np.arange(24), 4)
      >>> noise = np.random.default_rng(0).normal(size=(96, 2))
      >>> h = noise + 3 * np.stack([speaker % 2, 0 * speaker], 1)
      >>> result = measure(Sample.of(h, speaker % 2, speaker))
      >>> result.verdict.verdict, result.chance
      ('leaks', 0.5)
    """
    if not (sample.labels >= 0).any():
        raise ValueError("no label is known: every one is -1")
    known = sample.with_known_labels()
    y, speaker, num_classes = known.labels, known.speaker, known.num_classes
    _check_classes(y, speaker)
    class_of = speaker_labels(y, speaker)
    dealt = design(y, speaker, known.session, settings.folds, settings.seed)
    permutations = permute(
        y, speaker, dealt.strata, settings.permutations, settings.seed, dealt.units
    )
    attacked, seconds = {}, {}
    for name, attack in attackers.items():
        start = time.perf_counter()
        attacked[name] = attack(
            settings.seed, known.h, permutations.labels, speaker, dealt.folds, num_classes
        )
        seconds[name] = time.perf_counter() - start
    uars = np.array(
        [uars_of(a.predictions, permutations.labels, num_classes) for a in attacked.values()]
    )
    counts = {
        name: confusion_counts(a.predictions[0], y, speaker, num_classes)
        for name, a in attacked.items()
    }
    errors = np.array([standard_error(of, uar, class_of) for of in counts.values()])
    verdict, judged = judge(uars, errors, permutations, num_classes, settings.limit, settings.alpha)
    strongest = list(attacked)[int(np.argmax(uars[:, 0]))]
    predictions = np.full(len(sample.labels), -1, np.int16)
    predictions[sample.labels >= 0] = attacked[strongest].predictions[0]
    return Measurement(
        verdict=verdict,
        strongest=strongest,
        attackers={
            name: _attacker_result(name, attacked[name], counts[name], row, judged_attacker, y)
            for name, row, judged_attacker in zip(attacked, uars, judged)
        },
        victims=tuple(
            _victim(size, attacked[strongest], known, settings.seed) for size in VICTIM_UTTERANCES
        ),
        chance=1 / num_classes,
        num_utterances=len(y),
        num_speakers=known.num_speakers,
        utterances_per_class=tuple(np.bincount(y, minlength=num_classes).tolist()),
        speakers_per_class=tuple(np.bincount(class_of, minlength=num_classes).tolist()),
        num_folds=int(dealt.folds.max()) + 1,
        permuted_between=dealt.permuted_between,
        num_permutations=len(permutations.labels) - 1,
        distinct_permutations=permutations.distinct,
        complete=permutations.complete,
        varies_within_speaker=bool((y != class_of[speaker]).any()),
        seconds=seconds,
        counts=counts[strongest],
        predictions=predictions,
    )


def _attacker_result(
    name: str,
    attacked: Attacked,
    counts: np.ndarray,
    uars: np.ndarray,
    judged: JudgedAttacker,
    labels: np.ndarray,
) -> AttackerResult:
    share = np.bincount(labels) / len(labels)
    pooled = counts.sum(0)
    two_class = dict.fromkeys(("auc", "equal_error_rate", "tpr_at_1_percent"), float("nan"))
    if len(share) == 2:
        score = attacked.log_likelihoods[:, 1] - attacked.log_likelihoods[:, 0]
        two_class = {
            "auc": scores.auc(score, labels == 1),
            "equal_error_rate": scores.equal_error_rate(score, labels == 1),
            "tpr_at_1_percent": scores.tpr_at_fpr(score, labels == 1),
        }
    return AttackerResult(
        name=name,
        uar=float(uars[0]),
        recalls=tuple((np.diagonal(pooled) / np.maximum(pooled.sum(1), 1)).tolist()),
        null=tuple(uars[1:].tolist()),
        bits=scores.usable_bits(scores.log_posteriors(attacked.log_likelihoods, share), labels),
        entropy=scores.entropy(labels),
        chosen=attacked.chosen,
        **two_class,
        **judged._asdict(),
    )


def _victim(size: int, attacked: Attacked, known: Sample, seed: int) -> VictimResult:
    """The attack on `size` utterances of a speaker at a time."""
    sums, owner, truth = scores.combine(
        attacked.log_likelihoods, known.speaker, known.labels, size, seed
    )
    counts = confusion_counts(sums.argmax(1), truth, owner, known.num_classes)
    class_of = speaker_labels(known.labels, known.speaker)
    return VictimResult(size, *interval(counts, uar, class_of)[:3])


def _check_classes(labels: np.ndarray, speaker: np.ndarray) -> None:
    counts = np.bincount(labels)
    if len(counts) < 2 or not counts.all():
        raise ValueError(
            f"of the classes 0 to {len(counts) - 1} only {np.flatnonzero(counts).tolist()} occur: "
            "an attack needs two at least, numbered without gaps"
        )
    owners = np.unique(np.stack([labels, speaker]), axis=1)[0]
    single = np.flatnonzero(np.bincount(owners) == 1)
    if len(single):
        raise ValueError(
            f"class {single[0]} has one speaker: it cannot be learned from one speaker and "
            "predicted for another, so that nothing can be said about it; leave it out or join it "
            "with another"
        )
