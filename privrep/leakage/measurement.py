"""The measurement: attacks on one h, a permutation test over speakers, bounds and verdicts (host).

Two statements are made where the utterances were recorded in sessions. *Total*: what an attacker
reads, whatever the cause; labels are permuted over all speakers. *Beyond sessions*: what is left
when the labels change places within sessions, or between sessions as wholes, only: a room in which
only women were recorded reveals gender, and the voice does not. Limit and gate are of the total.

See `fold_measurement` for a network that was trained once per fold.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from privrep.attacks.protocol import Attack
from privrep.attacks.scaling import constant
from privrep.attacks.suite import Suite, usual_suite
from privrep.leakage.attacker_results import (
    AttackerResult,
    VictimResult,
    WorstProtected,
    attacker_result,
    worst_protected,
)
from privrep.leakage.deals import Dealt, attack_deals
from privrep.leakage.sessions import BeyondSessions, beyond_sessions
from privrep.leakage.subsample import draw_evenly
from privrep.leakage.victims import victim_sizes
from privrep.statistics.design import (
    FREE,
    deal_folds,
    speaker_blocks,
    speaker_labels,
    speakers_per_class,
)
from privrep.statistics.permutation_test import Permutations, permute
from privrep.statistics.uar import uars_of
from privrep.statistics.verdict import JudgedAttacker, Verdict, doubted, judge
from privrep.types import PRIMARY, InferenceSettings, Sample

# Of a class with fewer speakers the recall is so uncertain that bounds of 95 % hold in 57 to 81 %
# of corpora, as bounds of the best possible attacker.
FEWEST_SPEAKERS = 10


class Measurement(NamedTuple):
    """The result of `measure`. Everything but `counts` and `predictions` is a plain value.

    Attributes:
      verdict: from one utterance, in total; see `verdict.Verdict`.
      person: from all utterances of a person together, in total.
      beyond_sessions: None where there is no session column.
      strongest: name of the attacker with the highest UAR.
      attackers: {name: AttackerResult}.
      untested: {name: UAR} of attackers that were trained for the true labels only.
      victims: VictimResult of 1, 2, 5 and 20 utterances, as far as most speakers have more, and of
        all; the first is `verdict`, the last is `person`.
      worst_protected: the speaker whom the strongest attacker names best.
      chance: 1 / C.
      num_utterances, num_speakers: with known labels; only these count.
      tested_utterances: on how many of them the test was made.
      utterances_per_class, speakers_per_class: int per class, see `design.speakers_per_class`.
      num_folds: K; no speaker is in two.
      num_deals: of folds, over which the UAR of each labelling is averaged.
      turned: share of single deals whose verdict is another than `verdict`.
      permuted_between: between whom labels were permuted for `verdict`, see `design.Design`.
      num_permutations: permuted labellings for which every attacker was trained anew.
      distinct_permutations: labellings that the design allows, the true one included; 10**18
        stands for that number or more.
      complete: whether all of them were tried.
      varies_within_speaker: whether some speaker has several values of the attribute.
      constant_columns: of h, int each, that have one value only.
      seconds: wall time of each attacker, {name: float}.
      counts: int64[S, C, C], confusion counts of the strongest attacker per speaker, summed over
        deals, for `paired_comparison.compare` of two systems; rows in the order of
        `numpy.unique(speaker)` of the utterances with known labels.
      predictions: int16[N], the prediction of the strongest attacker for every utterance in the
        first deal, -1 where the label is unknown.
    """

    verdict: Verdict
    person: Verdict
    beyond_sessions: BeyondSessions | None
    strongest: str
    attackers: dict[str, AttackerResult]
    untested: dict[str, float]
    victims: tuple[VictimResult, ...]
    worst_protected: WorstProtected
    chance: float
    num_utterances: int
    num_speakers: int
    tested_utterances: int
    utterances_per_class: tuple[int, ...]
    speakers_per_class: tuple[int, ...]
    num_folds: int
    num_deals: int
    turned: float
    permuted_between: str
    num_permutations: int
    distinct_permutations: int
    complete: bool
    varies_within_speaker: bool
    constant_columns: tuple[int, ...]
    seconds: dict[str, float]
    counts: np.ndarray
    predictions: np.ndarray


def measure(
    sample: Sample,
    *,
    attackers: Suite | Mapping[str, Attack] | None = None,
    settings: InferenceSettings = PRIMARY,
) -> Measurement:
    """Attacks frozen representations with freshly trained attackers and tests the result.

    Speakers are assigned to folds, several times (`deals`). In each deal a speaker is tested once,
    by attackers that were trained on other speakers and tuned on yet others. The whole attack is
    repeated with the attribute permuted between speakers (`permutation_test.permute`), every
    attacker trained anew. The verdict follows from the rank of the true labels among the permuted
    ones (`verdict.judge`). Whether the verdict may be no_leak_shown is further subject to
    `verdict.doubted`: a class of few speakers, or an untested attacker that reads
    more than the bound.

    Args:
      sample: see `types.Sample.of`. Utterances with unknown labels do not count. Sessions are
        looked at for `beyond_sessions`, and as blocks of an attribute that varies within a speaker.
      attackers: a `Suite`, or {name: Attack} for all deals, see `protocol.Attack`; None for
        `suite.usual_suite`.
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
    suite = _as_suite(attackers)
    known = sample.with_known_labels()
    _check_classes(known.labels, known.speaker)
    rows = draw_evenly(known.speaker, settings.utterances, settings.seed, known.labels, least=1)
    tested = known if len(rows) == len(known.labels) else known.take(rows)
    permutations = _permuted_freely(tested, settings)
    deals = settings.deal_seeds
    several, all_utterances = victim_sizes(tested.speaker, tested.labels)
    dealt = attack_deals(tested, permutations, None, suite, deals, settings.folds, several)
    num_classes, test = known.num_classes, (settings.limit, settings.alpha)
    verdict, judged = judge(dealt.one_utterance, permutations, num_classes, *test)
    person, _ = judge(
        dealt.person, permutations, num_classes, *test, evidence="all utterances of a person"
    )
    of_several = {
        size: judge(dealt.several[size], permutations, num_classes, *test)[0] for size in several
    }
    class_of = speaker_labels(known.labels, known.speaker)
    num_of_class = speakers_per_class(known.labels, known.speaker)
    varies = bool((known.labels != class_of[known.speaker]).any())
    rare = _rare(num_of_class, varies)
    most, blind = _untested_doubts(dealt.untested, verdict)
    most_person, blind_person = _untested_doubts(dealt.untested_person, person)
    verdict = doubted(verdict, [*rare, *blind], most)
    person = doubted(person, [*rare, *blind_person], most_person)
    beyond = beyond_sessions(tested, suite, deals, settings)
    if beyond is not None and beyond.verdict is not None:
        beyond = beyond._replace(verdict=doubted(beyond.verdict, [*rare, *blind]))
    best = int(np.argmax(dealt.one_utterance.uars[:, 0]))
    strongest = dealt.names[best]
    predictions = np.full(len(sample.labels), -1, np.int16)
    if tested is known:
        predictions[sample.labels >= 0] = dealt.first[strongest].predictions[0]
    else:
        of_all = _predict_all(suite.tested[strongest], known, settings)
        predictions[sample.labels >= 0] = of_all
        uar_of_all = float(uars_of(of_all[None], known.labels[None], num_classes)[0])
        verdict = _at(verdict, uar_of_all)
    single = [judge(scores, permutations, num_classes, *test)[0] for scores in dealt.of_deal]
    turned = [
        doubted(of_deal, [*rare, *blind], most).verdict != verdict.verdict for of_deal in single
    ]
    return Measurement(
        verdict=verdict,
        person=person,
        beyond_sessions=beyond,
        strongest=strongest,
        attackers=_attacker_results(dealt, judged, tested.labels),
        untested=dealt.untested,
        victims=_victims(dealt, verdict, of_several, person, all_utterances, most),
        worst_protected=worst_protected(dealt.counts[strongest], dealt.deals[strongest]),
        chance=1 / num_classes,
        num_utterances=len(known.labels),
        num_speakers=known.num_speakers,
        tested_utterances=len(tested.labels),
        utterances_per_class=tuple(np.bincount(known.labels, minlength=num_classes).tolist()),
        speakers_per_class=tuple(num_of_class.tolist()),
        num_folds=min(settings.folds, known.num_speakers),
        num_deals=len(deals),
        turned=float(np.mean(turned)),
        permuted_between=FREE,
        num_permutations=len(permutations.labels) - 1,
        distinct_permutations=permutations.distinct,
        complete=permutations.complete,
        varies_within_speaker=varies,
        constant_columns=tuple(np.flatnonzero(constant(known.h)).tolist()),
        seconds=dealt.seconds,
        counts=dealt.counts[strongest],
        predictions=predictions,
    )


def _victims(
    dealt: Dealt,
    single: Verdict,
    of_several: Mapping[int, Verdict],
    person: Verdict,
    all_utterances: int,
    untested: float,
) -> tuple[VictimResult, ...]:
    """`untested`: what an untested attacker reads from one utterance over the bound, or 0."""
    judged = [(1, single, dealt.one_utterance)]
    judged += [
        (size, doubted(verdict, (), untested), dealt.several[size])
        for size, verdict in of_several.items()
    ]
    if all_utterances > 1:
        judged.append((all_utterances, person, dealt.person))
    return tuple(
        VictimResult(
            size,
            verdict.uar,
            verdict.lower,
            verdict.upper,
            dealt.names[int(np.argmax(scores.uars[:, 0]))],
        )
        for size, verdict, scores in judged
    )


def _as_suite(attackers: Suite | Mapping[str, Attack] | None) -> Suite:
    if attackers is None:
        return usual_suite()
    return attackers if isinstance(attackers, Suite) else Suite(attackers)


def _permuted_freely(sample: Sample, settings: InferenceSettings) -> Permutations:
    """Labels permuted over all speakers; blocks are the sessions of each speaker."""
    return permute(
        sample.labels,
        sample.speaker,
        np.zeros(sample.num_speakers, np.int32),
        settings.permutations,
        settings.seed,
        blocks=speaker_blocks(sample.speaker, sample.session),
    )


def _rare(num_of_class: np.ndarray, varies_within_speaker: bool) -> list[str]:
    rarest = int(num_of_class.argmin())
    if num_of_class[rarest] >= FEWEST_SPEAKERS:
        return []
    who = " who have it at least as often as the corpus" if varies_within_speaker else ""
    return [
        f"class {rarest} has {num_of_class[rarest]} speakers{who}; under {FEWEST_SPEAKERS} a "
        "bound of its recall cannot be relied on."
    ]


def _untested_doubts(uars: Mapping[str, float], verdict: Verdict) -> tuple[float, list[str]]:
    """The UAR of the strongest untested attacker over the upper bound, and what that means."""
    if not uars:
        return 0.0, []
    name = max(uars, key=lambda name: uars[name])
    reads = uars[name]
    if reads <= verdict.upper:
        return 0.0, []
    return reads, [
        f"{name} reads {reads:.3f}, more than the upper bound of the tested attackers, "
        f"{verdict.upper:.3f}. It was trained for the true labels only; test it "
        f"(--attackers={name})."
    ]


def _predict_all(attack: Attack, known: Sample, settings: InferenceSettings) -> np.ndarray:
    """int16[N]: the predictions for all utterances, where the test was made on fewer."""
    folds = deal_folds(known.speaker, None, settings.folds, settings.seed)
    arguments = (known.labels[None], known.speaker, folds, known.num_classes)
    return attack(settings.seed, known.h, *arguments).predictions[0]


def _at(verdict: Verdict, uar: float) -> Verdict:
    """The verdict of a test on fewer utterances with the UAR of all; no bound comes nearer."""
    higher = max(uar - verdict.uar, 0.0)
    upper = min(max(verdict.upper + higher, uar), 1.0)
    moved = verdict._replace(uar=uar, lower=min(verdict.lower, uar), upper=upper)
    if moved.verdict == "no_leak_shown" and upper > verdict.limit:
        reason = f"All utterances give a UAR of {uar:.3f}, with an upper bound of {upper:.3f}."
        return moved._replace(verdict="cannot_tell", reason=reason)
    return moved


def _attacker_results(
    dealt: Dealt, judged: tuple[JudgedAttacker, ...], labels: np.ndarray
) -> dict[str, AttackerResult]:
    return {
        name: attacker_result(
            name,
            dealt.first[name],
            dealt.counts[name],
            dealt.one_utterance.uars[i],
            judged[i],
            labels,
            dealt.deals[name],
        )
        for i, name in enumerate(dealt.names)
    }


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
            "predicted for another, so that it cannot be measured; leave it out or join it "
            "with another"
        )
