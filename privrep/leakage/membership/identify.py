"""Membership identification: was this speaker in the network's training set? (host)

The paper asks it ("how accurately can an attacker find if a person A's sample was used to train the
model") and does not say how it was measured. The protocol here:

Members of a fold's network are its training speakers, with the very utterances that it trained on;
non-members are its test speakers. Validation speakers chose the epoch and are neither. The folds
are those of the job: no network is trained for this.

A draw pairs every non-member with a random member of the same kind (gender, or what the folds
balance), so that both sets are of one size and one composition, and deals the pairs to two halves.
The attacker learns from one half whom the network knows and is tried on the other, and the reverse.
Each speaker shows the same number of utterances, of the emotions as evenly as there are; their
log-odds are averaged to one score. The score of an attack is the AUC: how often a member he has not
met scores higher than a non-member he has not met, over all draws and networks. With so few
speakers a true positive rate at a low false positive rate (Carlini et al. 2022) means nothing.

Two attackers are set apart by what they have:
  h        h alone.
  labels   h, the emotion head, and the true emotion of each utterance; the strongest of
           both       learned from h and the loss,
           loss       the threshold of Yeom et al. (2018): the lower the loss, the likelier it is
                      that the speaker is a member,
           reference  the same, less the speaker's loss in the other folds' networks, most of which
                      stand to him the other way round (Watson et al. 2022 calibrate so): a speaker
                      who is hard for every network is not taken for a stranger.

Under the null hypothesis no network treats the people it trained on otherwise than others, so that
any speakers might as well have been in another's place. p comes from exchanging places: who was
trained on, chosen on and tested on in which folds goes over to another speaker of the same kind,
and every attacker learns anew. Sessions that the folds kept together are exchanged as a whole,
since the speakers of one share a room. All else, how many people, how alike, how often they speak,
stays as it is; nothing else could make the true places stand out. Bounds and verdict are as in
`verdicts`, of the AUC, with the speaker as the unit.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import scipy.stats
from threadpoolctl import threadpool_limits

from privrep.leakage.membership.attackers import Tried, attackers, tried
from privrep.leakage.membership.games import MEMBER, NEITHER, OTHER, exchanged, games, shown
from privrep.statistics.paired_comparison import Comparison
from privrep.statistics.permutation_test import Permutations
from privrep.statistics.verdict import ALPHA, LIMIT, judge
from privrep.types import Split

KNOWN = ("h", "labels")  # what an attacker has
DRAWS = 50


class Identified(NamedTuple):
    """What one of KNOWN finds out, in plain values but for the last two.

    Attributes:
      verdict: leaks, no_leak_shown or cannot_tell.
      auc: of the strongest attacker; chance 0.5.
      accuracy: balanced accuracy of it, its threshold half-way between those it learned from.
      shuffled: its mean AUC under exchanged places, the control of shuffled membership.
      lower, upper: one-sided bounds of the AUC, each at 1 - alpha; upper is at least auc.
      p, smallest_p, detectable: as in `verdict.Verdict`, the last as an AUC.
      attacker: the strongest.
      aucs: {attacker: AUC}.
      speakers, utterances: how many speakers counted, and utterances of each.
      wins, counts: float[S, S], how often member i scored higher than non-member j, of how many
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
    detectable: float
    attacker: str
    aucs: dict[str, float]
    speakers: int
    utterances: int
    wins: np.ndarray
    counts: np.ndarray


def identify(
    seed: int,
    h: np.ndarray,
    speakers: np.ndarray,
    split: Split,
    *,
    losses: np.ndarray | None = None,
    emotion: np.ndarray | None = None,
    kind: np.ndarray | None = None,
    sessions: np.ndarray | None = None,
    draws: int = DRAWS,
    num_permutations: int = 99,
    limit: float = LIMIT,
    alpha: float = ALPHA,
) -> dict[str, Identified]:
    """How well an attacker tells the training speakers of K networks from their test speakers.

    The attacker who learns is a ridge discriminant on the mean over a speaker's utterances of h and
    its squares (columns of deviation 1), with the covariance of all speakers' means:

        score(s) = x_s' (S + trace(S) / D I)^-1 (mean of members - mean of non-members)

    S knows no membership, so that one factorisation serves all draws and exchanges. As the score is
    linear in x, the mean log-odds of the utterances are those of the mean. "both" has two columns
    more, the loss and exp(-loss), the probability of the truth.

    Args:
      seed: of the utterances, draws and exchanges.
      h: float[K, N, D], finite.
      speakers: [N].
      split: bool[K, N] each; no speaker is in two parts of a fold.
      losses: float[K, N], of the emotion head on the released h at the true label; None: the
        attacker who has labels is not tried.
      emotion: int[N], of which a speaker's utterances are drawn evenly; None: at random.
      kind: int[N], such as gender; members and non-members are matched in it. None: all are alike.
      sessions: int[N], or None where there are none.
      draws: B.
      num_permutations, limit, alpha: as in `measurement.measure`.

    Returns:
      {"h": Identified, "labels": Identified}, without the last where `losses` is None.

    Raises:
      ValueError: not finite; no network has two speakers of both sides that can be matched; or no
        exchange of places is possible.
    """
    if not np.isfinite(h).all() or (losses is not None and not np.isfinite(losses).all()):
        raise ValueError("h or a loss is not finite: a network that diverged says nothing")
    rng = np.random.default_rng(seed)
    there = np.flatnonzero((split.train | split.val | split.test).any(0))
    rows, each = shown(rng, speakers[there], None if emotion is None else emotion[there])
    first = there[rows[:, 0]]  # an utterance of each speaker
    roles = np.where(split.test, OTHER, np.where(split.train, MEMBER, NEITHER))[:, first]
    alike = np.zeros(len(rows), int)
    if kind is not None:
        alike = np.unique(kind[first], return_inverse=True)[1]
    order = np.argsort(rng.random((draws, len(rows))), axis=1)
    if not any(True for _ in games(order, roles, alike)):
        raise ValueError("no fold tests two speakers who can be matched with training speakers")
    meetings = None if sessions is None else (speakers[there], sessions[there], speakers[first])
    placed, labellings = exchanged(seed, roles, alike, meetings, num_permutations)
    asked = there[rows.reshape(-1)]
    of_asked = None if losses is None else losses[:, asked]
    with threadpool_limits(1, "blas"):
        suites = attackers(h[:, asked], of_asked, each)
        each_alone = [one for suite in suites.values() for one in suite.values()]
        results = tried(each_alone, order, placed, alike)
    of_known = np.repeat(list(suites), [len(suite) for suite in suites.values()])
    return {
        known: _judged(list(suite), results, of_known == known, labellings, limit, alpha, each)
        for known, suite in suites.items()
    }


def changed(
    ours: Sequence[Identified], bare: Sequence[Identified], level: float = 0.95, draws: int = 1999
) -> Comparison:
    """One system against another of the same folds, speakers and seed, such as lambda = 0.

    The difference of the AUCs, its interval by the jackknife over speakers and t, and p from
    exchanging the two systems' results of random speakers. Of several networks per fold all
    comparisons are added up.

    Args:
      ours, bare: of the two systems, one of each seed.
      level: of the interval.
      draws: exchanges tried.
    """
    wins = sum(one.wins for one in ours) - sum(one.wins for one in bare)
    counts = sum(one.counts for one in ours)
    difference = float(wins.sum() / counts.sum())
    error, num = _jackknife(wins, counts)
    half = error * scipy.stats.t.ppf((1 + level) / 2, max(num - 1, 1))
    own = wins.sum(0) + wins.sum(1)
    signs = np.random.default_rng(0).choice((-1.0, 1.0), (draws + 1, len(own)))
    signs[0] = 1
    totals = np.abs(signs @ own)
    p = float((totals >= totals[0] - 1e-9).mean())
    return Comparison(difference, difference - half, difference + half, p, 1 / len(signs))


def _judged(
    names: Sequence[str],
    results: Tried,
    which: np.ndarray,
    labellings: Permutations,
    limit: float,
    alpha: float,
    each: int,
) -> Identified:
    """The verdict on the attackers bool[A] of `results` that are called `names`."""
    aucs, wins, counts = results.aucs[which], results.wins[which], results.counts
    errors = np.array([_jackknife(own, counts)[0] for own in wins])
    verdict, _ = judge(aucs, errors, labellings, 2, limit, alpha)
    best = int(np.argmax(aucs[:, 0]))
    # Where a shared room alone gives an AUC near 1, membership has no room left to show.
    upper, said = max(verdict.upper, verdict.uar), verdict.verdict
    if said == "no_leak_shown" and upper > verdict.limit:
        said = "cannot_tell"
    return Identified(
        verdict=said,
        auc=verdict.uar,
        accuracy=float(results.accuracies[which][best]),
        shuffled=float(aucs[best, 1:].mean()),
        lower=float(verdict.lower),
        upper=float(upper),
        p=verdict.p,
        smallest_p=verdict.smallest_p,
        detectable=verdict.detectable,
        attacker=names[best],
        aucs=dict(zip(names, aucs[:, 0].tolist())),
        speakers=len(counts),
        utterances=each,
        wins=wins[best],
        counts=counts,
    )


def _jackknife(wins: np.ndarray, counts: np.ndarray) -> tuple[float, int]:
    """The standard error over speakers of sum(wins) / sum(counts), and how many speakers count."""
    of_pairs = counts.sum(0) + counts.sum(1)
    there = of_pairs > 0
    left = counts.sum() - of_pairs[there]
    without = (wins.sum() - (wins.sum(0) + wins.sum(1))[there]) / np.maximum(left, 1)
    without, num = without[left > 0], int((left > 0).sum())
    error = np.sqrt((num - 1) / num * ((without - without.mean()) ** 2).sum()) if num else 0.5
    return float(error), num
