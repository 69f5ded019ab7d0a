"""One test of a family of attackers on the labellings of a permutation test (host).

The scores of an attacker over all labellings, the true one included, are standardised to mean 0 and
standard deviation 1. The statistic of a labelling is the highest (and the lowest) standardised
score of the family; its distribution over the labellings accounts for having selected the strongest
attacker (Westfall & Young 1993). The scores may be UARs or correlations.
"""

import numpy as np

from privrep.statistics.permutation_test import (
    HIGH_SHARE,
    LOW_SHARE,
    Permutations,
    least_permutations,
)


def standardised_scores(scores: np.ndarray) -> np.ndarray:
    """Mean 0 and sd 1 over the last axis; it holds the true labelling, so the test is exact."""
    spread = np.maximum(scores.std(-1, keepdims=True), 1e-12)
    return (scores - scores.mean(-1, keepdims=True)) / spread


def p_value(highest: np.ndarray, lowest: np.ndarray, smallest_share: float) -> float:
    """p = min(1, q_high / HIGH_SHARE, q_low / LOW_SHARE).

    q_high (q_low) is the share of the labellings whose statistic is at least as high (low) as that
    of the true one.

    Args:
      highest, lowest: float[P], of the standardised scores; those of the true labelling first.
      smallest_share: see `permutation_test.Permutations`.
    """
    # Labellings that only rename classes, or reverse numbers, have the same score up to rounding.
    high = max(float((highest >= highest[0] - 1e-6).mean()), smallest_share)
    low = max(float((lowest <= lowest[0] + 1e-6).mean()), smallest_share)
    return min(1.0, high / HIGH_SHARE, low / LOW_SHARE)


def verdict_word(p: float, smallest_p: float, upper: float, limit: float, alpha: float) -> str:
    """ "leaks", "no_leak_shown" or "cannot_tell", see `verdict.Verdict`."""
    if p <= alpha:
        return "leaks"
    return "no_leak_shown" if smallest_p <= alpha and upper <= limit else "cannot_tell"


_REMEDY = {  # what to collect, by what is scarce
    "speakers": "",
    "sessions": " More sessions, or sessions of speakers of several classes, are needed.",
}


def why_too_few(
    permutations: Permutations,
    smallest_p: float,
    alpha: float,
    labellings: str,
    numbers: str,
    scarce: str = "speakers",
) -> str:
    """Why nothing can be shown at the level alpha, in a sentence; empty where something can.

    Args:
      permutations: of the test.
      smallest_p: the smallest p that they can give.
      alpha: level of the test.
      labellings: the noun for the labellings counted, such as "labellings of this design".
      numbers: the result, for the end of the sentence.
      scarce: what there are too few of, "speakers" or "sessions".
    """
    if smallest_p <= alpha:
        return ""
    count, least = len(permutations.labels) - 1, least_permutations(alpha)
    if not permutations.complete and count < least:
        return (
            f"So few permutations cannot show anything at the level {alpha:g}, whatever the leak: "
            f"with {count}, p cannot be below {smallest_p:.3g}; use {least} or more ({numbers})."
        )
    return (
        f"So few {scarce} cannot show anything at the level {alpha:g}: with the "
        f"{permutations.distinct} {labellings}, p cannot be below {smallest_p:.3g} ({numbers})."
        f"{_REMEDY[scarce]}"
    )
