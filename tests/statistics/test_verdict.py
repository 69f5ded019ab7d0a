"""The reason of a verdict, and whether it blames too few permutations or too few speakers."""

import pytest

from privrep.attacks.lda import linear
from privrep.leakage.measurement import measure
from privrep.leakage.worlds import WORLDS
from privrep.statistics.permutation_test import least_permutations
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
