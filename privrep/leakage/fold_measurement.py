"""The measurement of networks that were trained once per fold; see also `measurement` (host)."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from privrep.attacks.lda import ATTACKS, linear, linear_maps
from privrep.attacks.protocol import Attack, Attacked
from privrep.leakage.conditional import FORMS
from privrep.leakage.fold_permutations import Statement, permute_in_folds
from privrep.leakage.fold_sample import FoldRows, FoldSample, KnownRows
from privrep.leakage.own_attackers import OWN, Maps, own_predictions
from privrep.leakage.sessions import CONFOUNDED
from privrep.leakage.threat_ladder import in_steps
from privrep.leakage.victims import groups_of, uars_of_groups, victim_sizes
from privrep.statistics.confidence import standard_error
from privrep.statistics.strata import Covariate, studentised, within_uar
from privrep.statistics.uar import confusion_counts, uar, uars_of
from privrep.statistics.verdict import Scores, Verdict, judge
from privrep.types import SECONDARY, InferenceSettings, renumber


class FoldAttackers(NamedTuple):
    """Attackers by name, and by the speakers from whose h and labels they learn.

    Attributes:
      seen: from the training and validation speakers of the network, whom it has seen.
      own_maps: features of the attackers *own*, who learn from speakers that it has not seen as
        well, see `own_predictions`.
    """

    seen: Mapping[str, Attack]
    own_maps: Mapping[str, Maps]


_LEAST_SEVERAL = 20  # utterances of a victim; fewer are not judged by themselves
USUAL = FoldAttackers(ATTACKS, OWN)
LINEAR = FoldAttackers({"linear": linear}, {"linear": linear_maps})


class FoldMeasurement(NamedTuple):
    """The result of `measure_folds`.

    Attributes:
      verdict: on all attackers together; labels are permuted between the speakers of a fold.
      strongest: the attacker with the highest UAR, such as "own linear".
      by_knowledge: {"seen" or "own": the verdict on these attackers by themselves}.
      beyond_sessions: the verdict on all attackers where labels are permuted within sessions, and
        sessions of one class as wholes: does h reveal more than who was recorded together? Its UAR
        is the excess over permuted labels, added to chance. None where there are no sessions.
      victims: {utterances: the verdict on all attackers with so many utterances of one victim,
        who count their guesses}: of 20, where most test speakers have as many, and of as many as
        the speaker with most has, which is all utterances of everyone. Empty beyond a covariate.
      counts: int64[S, C, C], confusion counts of the strongest attacker per test speaker, in the
        order of `numpy.unique(speakers)`, for `paired_comparison.compare`.
    """

    verdict: Verdict
    strongest: str
    by_knowledge: Mapping[str, Verdict]
    beyond_sessions: Verdict | None
    victims: Mapping[int, Verdict]
    counts: np.ndarray


class _Scored(NamedTuple):
    """The predictions of an attacker for the test speakers, scored.

    Attributes:
      name: what it knows, "seen" or "own", and its own name.
      scores: float[P], of every labelling.
      errors: their standard errors over speakers, float[P]; float[1] if of the true one only.
      counts: int64[S, C, C], of the true labelling.
      victims: {utterances: the same from so many of one victim}, without `victims` of their own.
    """

    name: str
    scores: np.ndarray
    errors: np.ndarray
    counts: np.ndarray
    victims: Mapping[int, "_Scored"] = MappingProxyType({})

    @property
    def knowledge(self) -> str:
        return self.name.split()[0]


def measure_folds(
    sample: FoldSample,
    *,
    given: np.ndarray | None = None,
    attackers: FoldAttackers = USUAL,
    settings: InferenceSettings = SECONDARY,
) -> FoldMeasurement:
    """Attacks the representations of K networks on the speakers that each was not trained on.

    In fold k the attackers *seen* are trained on h[k] of the training and validation speakers,
    tuned by predicting one of these parts from the other, and predict the test speakers. The
    attackers *own* know the other test speakers as well (`own_predictions`): a network may hide the
    attribute of those it was trained on, and of nobody else. The predictions of all folds are
    pooled, as every speaker is tested once. All is repeated with the attribute permuted between
    speakers that are tested in the same fold: the folds are balanced for the attribute;
    after permutations between folds they would not be, and the true labelling would stand out.
    All attackers are judged as one family, by the same permutations.

    With a covariate `given`, such as the emotion labels, every attacker *seen* is used in both
    forms of `conditional.FORMS` and scored within strata, as in `conditional.explain`: the leak
    beyond the covariate. Attackers *own* are left out.

    A network that unlearned was trained with the true labels of its training speakers; under
    permuted labels its attackers are trained on an h from which these labels were not removed. If h
    carries no information about unseen speakers, their UAR on them is chance either way.

    Args:
      sample: h must be finite.
      given: int[K, N], of each fold, -1 for unknown; or None.
      attackers: see `FoldAttackers`.
      settings: of the test; its folds are not used.

    Raises:
      ValueError: h is not finite, or fewer than two classes among the test speakers.
    """
    if not np.isfinite(sample.h).all():
        raise ValueError("h is not finite: a network that diverged cannot be measured")
    known = KnownRows.of(sample)
    if len(np.unique(known.labels[known.tested_in >= 0])) < 2:
        raise ValueError(
            "the test speakers are all of one class: there is nothing to be distinguished"
        )
    labels, total, beyond_sessions = permute_in_folds(known, settings)
    if given is None:
        predictions = _all_predictions(attackers, sample, labels, known, settings.seed)
        groups = _victim_groups(labels, known, settings.seed)
        scored = [_scored(name, of, labels, known, groups) for name, of in predictions]
    else:
        scored = _beyond_covariate(given, attackers.seen, sample, labels, known, settings.seed)
    kinds = dict.fromkeys(of.knowledge for of in scored)
    strongest = max(scored, key=lambda of: of.scores[0])
    most = max(strongest.victims, default=0)
    return FoldMeasurement(
        verdict=_verdict(scored, total, known, settings),
        strongest=strongest.name,
        by_knowledge={
            kind: _verdict([of for of in scored if of.knowledge == kind], total, known, settings)
            for kind in kinds
        },
        beyond_sessions=(
            None
            if beyond_sessions is None
            else _verdict(scored, beyond_sessions, known, settings, excess=True)
        ),
        victims={
            size: _verdict(
                [of.victims[size] for of in scored],
                total,
                known,
                settings,
                evidence="all utterances of a person" if size == most else f"{size} utterances",
            )
            for size in strongest.victims
        },
        counts=strongest.counts,
    )


def threats_on_folds(
    sample: FoldSample,
    *,
    unprotected: np.ndarray | None = None,
    attack: Attack = linear,
    seed: int = 0,
) -> dict[str, float]:
    """Two threats of `threat_ladder.ladder`, for a network that was trained once per fold.

    Args:
      sample: as in `measure_folds`.
      unprotected: float[K, N, D], from the networks of the same folds without unlearning, on which
        an ignorant attacker is trained; None: no such threat.
      attack: see `protocol.Attack`.
      seed: of the attacker.

    Returns:
      {"int8": pooled UAR of an attacker trained and tested on h in 256 steps per column,
      "ignorant": of one trained on `unprotected` and tested on h}.
    """
    h, known = sample.h, KnownRows.of(sample)
    truth, rows = known.labels[None], known.tested_in >= 0
    training = sample.split.train | sample.split.val
    h_of = {"int8": np.stack([in_steps(*of_fold) for of_fold in zip(h, training)])}
    if unprotected is not None:
        h_of["ignorant"] = np.where(training[..., None], unprotected, h)
    uars = {}
    for threat, altered in h_of.items():
        attacked = sample._replace(h=altered)
        predictions = _seen_predictions([attack] * len(h), attacked, truth, known, seed)
        pooled = uars_of(predictions[:, rows], truth[:, rows], known.num_classes)
        uars[threat] = float(pooled[0])
    return uars


def _all_predictions(
    attackers: FoldAttackers,
    sample: FoldSample,
    labels: np.ndarray,
    known: KnownRows,
    seed: int,
) -> Iterator[tuple[str, np.ndarray]]:
    """The name of every attacker, and its predictions int16[P, n]."""
    for name, attack in attackers.seen.items():
        yield (
            f"seen {name}",
            _seen_predictions([attack] * len(sample.h), sample, labels, known, seed),
        )
    for name, maps in attackers.own_maps.items():
        yield f"own {name}", own_predictions(maps, sample, labels, known, seed)


def _victim_groups(
    labels: np.ndarray, known: KnownRows, seed: int
) -> dict[int, Sequence[np.ndarray]]:
    """{utterances of a victim: the groups of every labelling}, of the tested rows."""
    rows = np.flatnonzero(known.tested_in >= 0)
    speaker = renumber(known.speaker[rows])
    several, most = victim_sizes(speaker, known.labels[rows])
    sizes = [size for size in several if size >= _LEAST_SEVERAL] + [most]
    classes = known.num_classes
    return {n: groups_of(labels[:, rows], speaker, classes, n, seed) for n in sizes}


def _scored(
    name: str,
    predictions: np.ndarray,
    labels: np.ndarray,
    known: KnownRows,
    groups: Mapping[int, Sequence[np.ndarray]],
) -> _Scored:
    """By the UAR over all test speakers together.

    Args:
      groups: see `_victim_groups`.
    """
    counts, rows = _counts(predictions, known), np.flatnonzero(known.tested_in >= 0)
    speaker, classes = renumber(known.speaker[rows]), known.num_classes
    voted = Attacked(predictions[:, rows], np.empty(0), ())
    uars = uars_of(voted.predictions, labels[:, rows], classes)
    victims = {}
    for size, of_labellings in groups.items():
        of_victims, counted = uars_of_groups(
            voted, labels[:, rows], speaker, classes, of_labellings
        )
        victims[size] = _Scored(name, of_victims, _error(counted), counted)
    return _Scored(name, uars, _error(counts), counts, victims)


def _error(counts: np.ndarray) -> np.ndarray:
    """float[1]: the standard error over speakers, by counts int64[S, C, C]."""
    return np.array([standard_error(counts, uar, counts.sum(2).argmax(1))])


def _counts(predictions: np.ndarray, known: KnownRows) -> np.ndarray:
    """int64[S, C, C] of the test speakers and the true labels."""
    rows = np.flatnonzero(known.tested_in >= 0)
    speaker = renumber(known.speaker[rows])
    return confusion_counts(predictions[0, rows], known.labels[rows], speaker, known.num_classes)


def _beyond_covariate(
    given: np.ndarray,
    attackers: Mapping[str, Attack],
    sample: FoldSample,
    labels: np.ndarray,
    known: KnownRows,
    seed: int,
) -> list[_Scored]:
    """Every attacker in every form, by the UAR within strata."""
    rows = np.flatnonzero(known.tested_in >= 0)
    speaker = renumber(known.speaker[rows])
    strata = renumber(given[known.tested_in[rows], known.rows[rows]])
    of_folds = [FoldRows.of(sample.split, k, known.rows) for k in range(len(sample.h))]
    scored = []
    for (name, attack), (form_name, form) in itertools.product(attackers.items(), FORMS.items()):
        attacks = [
            form(attack, _covariate(given[k, known.rows[of_fold.used]]))
            for k, of_fold in enumerate(of_folds)
        ]
        predictions = _seen_predictions(attacks, sample, labels, known, seed)
        scores, errors = within_uar(
            predictions[:, rows], labels[:, rows], speaker, strata, known.num_classes
        )
        counts = _counts(predictions, known)
        scored.append(_Scored(f"seen {name}, {form_name} strata", scores, errors, counts))
    return scored


def _verdict(
    scored: Sequence[_Scored],
    statement: Statement,
    known: KnownRows,
    settings: InferenceSettings,
    *,
    excess: bool = False,
    evidence: str = "one utterance",
) -> Verdict:
    """On these attackers as one family.

    Args:
      excess: whether to judge what their scores exceed the mean of the permuted labels by.
      evidence: from what they judge a speaker, for the sentence.
    """
    permutations, rows = statement
    chance = 1 / known.num_classes
    scores = np.stack([of.scores[rows] for of in scored])
    errors = [of.errors[rows] if len(of.errors) > 1 else of.errors for of in scored]
    if len(rows) == 1 or (excess and permutations.only_rename):
        uar_shown = chance if excess else float(scores[:, 0].max())
        bounds = (uar_shown, 0.0, 1.0, 1.0, 1.0, np.inf, chance + settings.limit)
        reason = "There are no labels that could be permuted." if len(rows) == 1 else CONFOUNDED
        return Verdict("cannot_tell", *bounds, reason)
    if len(errors[0]) > 1:
        scores = np.stack([studentised(*pair, chance) for pair in zip(scores, errors)])
    judged = Scores(scores, np.array([error[0] for error in errors]))
    scarce = "speakers"
    if excess:
        judged, scarce = judged.beyond(chance), "sessions"
        evidence = "one utterance beyond what sessions reveal"
    return judge(
        judged, permutations, known.num_classes, settings.limit, settings.alpha, evidence, scarce
    )[0]


def _seen_predictions(
    attacks: Sequence[Attack],
    sample: FoldSample,
    labels: np.ndarray,
    known: KnownRows,
    seed: int,
) -> np.ndarray:
    """Predictions of the test speakers of every fold from its other parts, int16[P, n].

    Args:
      attacks: of each fold.
      sample: with the h that its attackers have.
      labels: int32[P, n] of the known rows.
      known: n utterances.
      seed: of the attackers.
    """
    predictions, num_classes = np.zeros(labels.shape, np.int16), int(labels.max()) + 1
    for k, attack in enumerate(attacks):
        used, part = FoldRows.of(sample.split, k, known.rows)
        x = np.asarray(sample.h[k][known.rows[used]], np.float32)
        attacked = attack(seed, x, labels[:, used], known.speaker[used], part, num_classes, only=0)
        tested = part == 0
        predictions[:, used[tested]] = attacked.predictions[:, tested]
    return predictions


def _covariate(codes: np.ndarray) -> Covariate:
    return Covariate("", renumber(codes), np.zeros((len(codes), 0)))
