"""Membership identification: was this speaker in the network's training set? (host)

The paper asks this question ("how accurately can an attacker find if a person A's sample was used
to train the model") without stating how it was measured. The protocol here:

Members of a fold's network are its training speakers, with the utterances that it was trained on;
non-members are its test speakers. Validation speakers determined the epoch and are neither. The
folds are those of the job: no network is trained for this.

A draw pairs every non-member with a random member of the same kind (gender, or the attribute for
which the folds are balanced), so that both sets have the same size and composition, and divides the
pairs into two halves. The attacker is trained on one half, with known membership, and tested on the
other, and the reverse. Each speaker is represented by the same number of utterances, evenly
distributed over the emotions; their log-odds are averaged to one score. The result is the AUC: how
often a member in the tested half scores higher than a non-member there, over all draws and
networks. With so few speakers the true positive rate at a low false positive rate (Carlini et al.
2022) cannot be estimated.

Attackers are distinguished by what they have:
  h        h alone.
  labels   h, the emotion head, and the true emotion of each utterance; the strongest of
           both       trained on h and the loss,
           loss       the threshold of Yeom et al. (2018): the lower the loss, the more likely the
                      speaker is a member,
           reference  the same, minus the speaker's loss in the networks of the other folds, most of
                      which have him in the opposite role (Watson et al. 2022 calibrate in this
                      way): a speaker with a high loss in every network is not taken for a
                      non-member.

Null hypothesis: no network treats its training speakers differently from others, so that speakers
are exchangeable between places. p comes from permuting places: the folds in which a speaker was
trained on, validated on and tested on are assigned to another speaker of the same kind, and every
attacker is trained anew. Sessions that the folds kept together are permuted as a whole, since their
speakers share a room. Everything else (number of speakers, their similarity, their utterances)
stays the same, so that only membership can set the true places apart. Bounds and verdict are those
of `verdict` and `upper_bound`, for the AUC, with the speaker as the unit.

Where no speaker changes sides between networks, as in an official split, test speakers who were
recorded with another device, or in another year, look like non-members to any attacker, though the
network has memorised nothing. If most non-members share a session with a member, members and
non-members are matched by session, and places are permuted within it. Otherwise the same attack is
made on the inputs of the network, which it did not make: the verdict is "leaks" only if these do
not separate the two sides, and h separates them better; else it is "cannot_tell".
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import scipy.stats
from threadpoolctl import threadpool_limits

from privrep.leakage.membership.attackers import AttackerScores, attackers, play_all
from privrep.leakage.membership.games import (
    MEMBER,
    NEITHER,
    OTHER,
    Sessions,
    drawn_utterances,
    games,
    permuted_roles,
)
from privrep.statistics.paired_comparison import Comparison
from privrep.statistics.permutation_test import Permutations
from privrep.statistics.total_bound import bound_total
from privrep.statistics.verdict import Scores, judge
from privrep.types import SECONDARY, InferenceSettings, Split, renumber

KNOWLEDGE = ("h", "labels")  # what an attacker has
DRAWS = 50
_MIN_MATCHED = 0.5  # of the non-members, to be matched by session


class Networks(NamedTuple):
    """The representations of K networks and the speakers that each was trained and tested on.

    Attributes:
      h: float[K, N, D], finite.
      speaker: [N].
      split: bool[K, N] each; no speaker is in two parts of a fold.
      losses: float[K, N], of the emotion head on the released h at the true label; None: the
        attackers that have labels are not tried.
      emotion: int[N], over which a speaker's utterances are evenly drawn; None: at random.
      kind: int[N], such as gender, within which members and non-members are matched; None: all
        speakers are alike.
      session: int[N], or None where there are none.
      inputs: float[N, F], the inputs of the networks, such as mean and deviation of the features;
        None: unknown.
    """

    h: np.ndarray
    speaker: np.ndarray
    split: Split
    losses: np.ndarray | None = None
    emotion: np.ndarray | None = None
    kind: np.ndarray | None = None
    session: np.ndarray | None = None
    inputs: np.ndarray | None = None


class Identified(NamedTuple):
    """The result of the attackers with one of KNOWLEDGE; plain values except the last two.

    Attributes:
      verdict: leaks, no_leak_shown or cannot_tell.
      auc: of the strongest attacker; chance 0.5.
      accuracy: its balanced accuracy, with the threshold half-way between the means of the training
        members and training non-members.
      shuffled: its mean AUC under permuted places, the control of shuffled membership.
      lower, upper: one-sided bounds of the AUC, each at 1 - alpha; upper is at least auc.
      p, smallest_p, minimum_detectable: as in `verdict.Verdict`, the last as an AUC.
      attacker: the strongest.
      aucs: {attacker: AUC}.
      speakers, utterances: number of speakers that counted, and of utterances of each.
      inputs_auc, inputs_p: of the same attack on the inputs; NaN where it was not made.
      reason: why a verdict other than that of the test was given, or "".
      wins, counts: float[S, S], how often member i scored higher than non-member j, and in how many
        comparisons; for `changed`.
    """

    verdict: str
    auc: float
    accuracy: float
    shuffled: float
    lower: float
    upper: float
    p: float
    smallest_p: float
    minimum_detectable: float
    attacker: str
    aucs: dict[str, float]
    speakers: int
    utterances: int
    inputs_auc: float
    inputs_p: float
    reason: str
    wins: np.ndarray
    counts: np.ndarray


def identify(
    networks: Networks, *, draws: int = DRAWS, settings: InferenceSettings = SECONDARY
) -> dict[str, Identified]:
    """How well an attacker distinguishes the training speakers of K networks from test speakers.

    The attacker that is trained is a ridge discriminant on the mean over a speaker's utterances of
    h and its squares (columns of standard deviation 1), with the covariance of all speakers' means:

        score(s) = x_s' (S + trace(S) / D I)^-1 (mean of members - mean of non-members)

    S does not depend on membership, so that one factorisation serves all draws and permutations. As
    the score is linear in x, the mean log-odds of the utterances are those of the mean. "both" has
    two more columns, the loss and exp(-loss), the probability of the true label.

    Args:
      networks: K of them.
      draws: B.
      settings: of the test, and the seed of utterances, draws and permutations; its folds are not
        used.

    Returns:
      {"h": Identified, "labels": Identified}, without the last where there are no losses.

    Raises:
      ValueError: not finite; no network has two speakers of both sides that can be matched; or no
        permutation of places is possible.
    """
    h, speaker, split, losses, emotion, kind, session, inputs = networks
    if not np.isfinite(h).all() or (losses is not None and not np.isfinite(losses).all()):
        raise ValueError("h or a loss is not finite: a network that diverged cannot be measured")
    rng = np.random.default_rng(settings.seed)
    used = np.flatnonzero((split.train | split.val | split.test).any(0))
    rows, size = drawn_utterances(rng, speaker[used], None if emotion is None else emotion[used])
    first = used[rows[:, 0]]  # an utterance of each speaker
    roles = np.where(split.test, OTHER, np.where(split.train, MEMBER, NEITHER))[:, first]
    kinds = np.zeros(len(rows), int) if kind is None else renumber(kind[first])
    is_fixed = not ((roles == MEMBER).any(0) & (roles == OTHER).any(0)).any()
    if is_fixed and session is not None:
        by_session = renumber(kinds * (session.max() + 1) + renumber(session)[first])
        if _matched(roles, by_session) >= _MIN_MATCHED * _matched(roles, np.zeros_like(kinds)):
            kinds, session, is_fixed = by_session, None, False
    order = np.argsort(rng.random((draws, len(rows))), axis=1)
    if not any(True for _ in games(order, roles, kinds)):
        raise ValueError("no fold tests two speakers who can be matched with training speakers")
    sessions = None
    if session is not None:
        sessions = Sessions(speaker[used], session[used], speaker[first])
    all_roles, permutations = permuted_roles(
        settings.seed, roles, kinds, sessions, settings.permutations
    )
    drawn = used[rows.reshape(-1)]
    with threadpool_limits(1, "blas"):
        suites = attackers(h[:, drawn], None if losses is None else losses[:, drawn], size)
        every_attacker = [scores for suite in suites.values() for scores in suite.values()]
        scores = play_all(every_attacker, order, all_roles, kinds)
    knowledge_of = np.repeat(list(suites), [len(suite) for suite in suites.values()])
    identified = {}
    for knowledge, suite in suites.items():
        chosen = knowledge_of == knowledge
        part = scores._replace(
            aucs=scores.aucs[chosen],
            accuracies=scores.accuracies[chosen],
            wins=scores.wins[chosen],
        )
        identified[knowledge] = _judged(list(suite), part, permutations, settings, size)
    if not is_fixed:
        return identified
    recordings = None
    if inputs is not None:
        same = np.broadcast_to(inputs[drawn], (len(h), *inputs[drawn].shape))
        with threadpool_limits(1, "blas"):
            suite = attackers(same, None, size)["h"]
            scores = play_all([*suite.values()], order, all_roles, kinds)
        recordings = _judged(["inputs"], scores, permutations, settings, size)
    return {known: _beside_inputs(result, recordings) for known, result in identified.items()}


def _matched(roles: np.ndarray, kind: np.ndarray) -> int:
    """How many non-members of all networks can be matched with a member of their kind."""
    members, others = (
        np.stack([np.bincount(kind[row == side], minlength=kind.max() + 1) for row in roles])
        for side in (MEMBER, OTHER)
    )
    return int(np.minimum(members, others).sum())


def _beside_inputs(result: Identified, inputs: Identified | None) -> Identified:
    """The result where members and non-members may have been recorded differently."""
    if inputs is not None:
        result = result._replace(inputs_auc=inputs.auc, inputs_p=inputs.p)
        if inputs.verdict != "leaks" and inputs.auc < result.lower:
            return result
    if result.verdict != "leaks":
        return result
    reason = "training and test speakers may have been recorded differently: " + (
        f"the same attack on the inputs has an AUC of {inputs.auc:.3f}, p = {inputs.p:.3g}"
        if inputs is not None
        else "nobody is trained on in one network and tested in another, and no session has both"
    )
    return result._replace(verdict="cannot_tell", reason=reason)


def changed(
    protected: Sequence[Identified],
    unprotected: Sequence[Identified],
    level: float = 0.95,
    draws: int = 1999,
) -> Comparison:
    """Compares two systems with the same folds, speakers and seed, such as lambda and lambda = 0.

    The difference of the AUCs (protected - unprotected), its interval by the jackknife over
    speakers and t, and p from swapping the results of the two systems for random speakers. With
    several networks per fold all comparisons are added up.

    Args:
      protected, unprotected: of the two systems, one of each seed.
      level: of the interval.
      draws: permutations tried.
    """
    wins = _added([r.wins for r in protected]) - _added([r.wins for r in unprotected])
    counts = _added([result.counts for result in protected])
    difference = float(wins.sum() / counts.sum())
    error, num = _jackknife(wins, counts)
    half = error * scipy.stats.t.ppf((1 + level) / 2, max(num - 1, 1))
    of_speaker = wins.sum(0) + wins.sum(1)
    signs = np.random.default_rng(0).choice((-1.0, 1.0), (draws + 1, len(of_speaker)))
    signs[0] = 1
    totals = np.abs(signs @ of_speaker)
    p = float((totals >= totals[0] - 1e-9).mean())
    return Comparison(difference, difference - half, difference + half, p, 1 / len(signs))


def _added(matrices: Sequence[np.ndarray]) -> np.ndarray:
    return np.add.reduce(matrices)


def _judged(
    names: Sequence[str],
    scores: AttackerScores,
    permutations: Permutations,
    settings: InferenceSettings,
    size: int,
) -> Identified:
    """The verdict on the attackers called `names`, with `size` utterances of a speaker."""
    aucs, wins, counts = scores.aucs, scores.wins, scores.counts
    errors = np.array([_jackknife(of_attacker, counts)[0] for of_attacker in wins])
    result, judged = judge(Scores(aucs, errors), permutations, 2, settings.limit, settings.alpha)
    result = bound_total(result, aucs[:, 0], judged)
    best = int(np.argmax(aucs[:, 0]))
    return Identified(
        verdict=result.verdict,
        auc=result.uar,
        accuracy=float(scores.accuracies[best]),
        shuffled=float(aucs[best, 1:].mean()),
        lower=float(result.lower),
        upper=float(result.upper),
        p=result.p,
        smallest_p=result.smallest_p,
        minimum_detectable=result.minimum_detectable,
        attacker=names[best],
        aucs=dict(zip(names, aucs[:, 0].tolist())),
        speakers=len(counts),
        utterances=size,
        inputs_auc=float("nan"),
        inputs_p=float("nan"),
        reason="",
        wins=wins[best],
        counts=counts,
    )


def _jackknife(wins: np.ndarray, counts: np.ndarray) -> tuple[float, int]:
    """Standard error over speakers of sum(wins) / sum(counts), and the number that count."""
    of_speaker = counts.sum(0) + counts.sum(1)
    occurs = of_speaker > 0
    left = counts.sum() - of_speaker[occurs]
    without = (wins.sum() - (wins.sum(0) + wins.sum(1))[occurs]) / np.maximum(left, 1)
    without, num = without[left > 0], int((left > 0).sum())
    error = np.sqrt((num - 1) / num * ((without - without.mean()) ** 2).sum()) if num else 0.5
    return float(error), num
