"""Statistics whose unit is the speaker: UAR, intervals, the permutation test, the verdict."""
