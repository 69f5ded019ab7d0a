"""Running `fit` to its end, for tests."""

import jax
import numpy as np

from privrep.training.fit import fit


def trained(make, architecture, settings, data, runs, fits=None, together=None):
    """(fit and history after each epoch), as numpy."""
    stages = fit(make, architecture, settings, data, runs, fits, together)
    return [(stage.fits(), stage.history) for stage in stages]


def assert_same(actual, expected):
    """To the bit, NaN included."""
    jax.tree.map(np.testing.assert_array_equal, actual, expected)
