"""What the reason of a verdict says, and of what it blames too few."""

import pytest

from privrep.attacks.lda import linear
from privrep.leakage.measurement import measure
from privrep.leakage.worlds import WORLDS
from privrep.statistics.verdict import least_exchanges


def verdict(world, num_speakers, num_permutations):
    sample = WORLDS[world].draw(0, num_speakers, 6, 4)
    told = measure(
        sample.h,
        sample.gender,
        sample.speaker,
        attackers={"linear": linear},
        num_permutations=num_permutations,
    )
    return told.verdict


@pytest.mark.parametrize(
    ("num_speakers", "num_permutations", "few"),
    [(24, 23, "exchanges"), (24, 1, "exchanges"), (24, 24, None), (6, 200, "speakers")],
)
def test_too_few_exchanges_are_not_too_few_speakers(num_speakers, num_permutations, few):
    found = verdict("speaker_only", num_speakers, num_permutations)
    assert (found.smallest_p > 0.05) == (few is not None)
    for name in ("exchanges", "speakers"):
        assert found.reason.startswith(f"So few {name} cannot") == (name == few)
    assert ("make 24 or more" in found.reason) == (few == "exchanges")


def test_the_fewest_exchanges_that_reach_the_level():
    assert (least_exchanges(), least_exchanges(0.01)) == (24, 124)


def test_what_is_excluded_is_of_these_attackers_and_one_utterance():
    found = verdict("no_leak", 100, 60)
    assert found.verdict == "no_leak_shown"
    assert "one over 0.60 by these attackers from one utterance is excluded over" in found.reason
