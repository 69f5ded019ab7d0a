"""Upper bound of a score of which permuted labels explain a part, as by shared rooms (host)."""

from collections.abc import Sequence

import numpy as np

from privrep.statistics.verdict import JudgedAttacker, Verdict


def bound_total(verdict: Verdict, scores: np.ndarray, judged: Sequence[JudgedAttacker]) -> Verdict:
    """The verdict with an upper bound of the whole score, not only of what exceeds permuted labels.

        upper = max(upper, max_a score_a + z max(s_a, e_a))

    Where labels are permuted within rooms, say, what the rooms reveal is in every permuted score
    too, and `upper_bound` subtracts it. But a score over the limit excludes nothing, whatever its
    cause.

    Args:
      verdict, judged: as `verdict.judge` returns them.
      scores: float[A], of every attacker on the true labels.
    """
    upper = max(
        verdict.upper,
        *(
            min(1.0, 2 * float(score) - attacker.lower)
            for score, attacker in zip(scores, judged, strict=True)
        ),
    )
    word = verdict.verdict
    if word == "no_leak_shown" and upper > verdict.limit:
        word = "cannot_tell"
    return verdict._replace(upper=upper, verdict=word)
