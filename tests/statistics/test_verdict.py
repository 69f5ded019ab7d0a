"""The p of a verdict is exact; its reason blames too few permutations or too few speakers."""

import numpy as np
import pytest

from privrep.attacks.lda import linear
from privrep.leakage.measurement import measure
from privrep.leakage.worlds import WORLDS
from privrep.statistics.permutation_test import Permutations, least_permutations, permute
from privrep.statistics.verdict import Scores, judge
from privrep.types import InferenceSettings


def verdict_of(world, num_speakers, num_permutations):
    sample = WORLDS[world].draw(0, num_speakers, 6, 4).sample()
    settings = InferenceSettings(permutations=num_permutations)
    return measure(sample, attackers={"linear": linear}, settings=settings).verdict


@pytest.mark.parametrize(
    ("num_speakers", "num_permutations", "few"),
    [(24, 23, "permutations"), (24, 1, "permutations"), (24, 24, None), (6, 200, "speakers")],
)
def test_too_few_permutations_are_not_too_few_speakers(num_speakers, num_permutations, few):
    verdict = verdict_of("speaker_only", num_speakers, num_permutations)
    assert (verdict.smallest_p > 0.05) == (few is not None)
    for name in ("permutations", "speakers"):
        assert verdict.reason.startswith(f"So few {name} cannot") == (name == few)
    assert ("use 24 or more" in verdict.reason) == (few == "permutations")


def test_the_fewest_permutations_that_reach_the_level():
    assert (least_permutations(), least_permutations(0.01)) == (24, 124)


def test_what_is_excluded_is_of_these_attackers_and_one_utterance():
    verdict = verdict_of("no_leak", 100, 60)
    assert verdict.verdict == "no_leak_shown"
    assert "one above 0.60 by these attackers from one utterance is excluded for" in verdict.reason


def each_labelling_as_the_true_one(uars):
    """float[P, 1 + A]: p of the suite and of every attacker, each column in its turn being true."""
    count = uars.shape[1]
    permutations = Permutations(np.zeros((count, 1)), 10**6, False, 1 / count)
    rows = []
    for true_one in range(count):
        order = [true_one, *(column for column in range(count) if column != true_one)]
        verdict, attackers = judge(
            Scores(uars[:, order], np.full(len(uars), 0.02)), permutations, 2
        )
        rows.append([verdict.p, *(attacker.p for attacker in attackers)])
    return np.array(rows)


@pytest.mark.parametrize("kind", ["smooth", "of few values", "of outliers"])
def test_p_is_exact_if_labellings_are_equally_likely(kind):
    """Of P labellings at most alpha P have p <= alpha, whatever the UARs: no simulation needed."""
    rng = np.random.default_rng(0)
    uars = 0.5 + 0.03 * rng.normal(size=(6, 40))
    if kind == "of few values":  # as of few utterances: ties, of which each counts
        uars = np.round(uars, 1)
    if kind == "of outliers":  # each attacker has one labelling that it recognises by chance
        uars[np.arange(6), np.arange(6)] += 0.4
    p = each_labelling_as_the_true_one(uars)
    for alpha in np.unique(p):
        assert ((p <= alpha).mean(0) <= alpha + 1e-9).all(), alpha


def test_scores_that_are_alike_for_all_labels_show_nothing():
    p = each_labelling_as_the_true_one(np.full((2, 40), 0.7))
    assert (p == 1).all()


def test_the_floor_is_what_the_suite_reads_where_there_is_nothing():
    """The mean, over permuted labellings, of the highest of the attackers."""
    rng = np.random.default_rng(0)
    speakers = np.repeat(np.arange(40), 5)
    labels = (np.arange(40) % 2)[speakers]
    permutations = permute(labels, speakers, np.zeros(40, int), 200, 0)
    uars = np.clip(0.5 + 0.05 * rng.normal(size=(6, len(permutations.labels))), 0, 1)
    verdict, attackers = judge(Scores(uars, np.full(6, 0.03)), permutations, 2)
    assert verdict.floor == pytest.approx(uars[:, 1:].max(0).mean())
    assert verdict.floor > max(attacker.null_mean for attacker in attackers)
