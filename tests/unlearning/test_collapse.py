"""Networks with emotion at chance or with an h of one direction are reported as collapsed."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from privrep.training.metrics import uar
from privrep.unlearning.collapse import LEAST_RANK, collapsed, effective_rank, guessing_deviation

ALL = np.ones(600, bool)
LABELS = np.arange(600, dtype=np.int32) % 3


def noise(rank, size=8, rows=600, seed=0):
    rng = np.random.default_rng(seed)
    return (rng.normal(size=(rows, rank)) @ rng.normal(size=(rank, size))).astype("f")


def test_effective_rank_counts_directions():
    rng = np.random.default_rng(0)
    h = rng.normal(size=(20_000, 5)).astype("f")
    everyone = np.ones(len(h), bool)
    assert effective_rank(h, everyone) == pytest.approx(5, abs=0.01)
    assert effective_rank(h * np.float32([1, 1, 0, 0, 0]), everyone) == pytest.approx(2, abs=0.01)
    assert effective_rank(h[:, :1] * np.float32([1, -2, 3, 0, 5]), everyone) == pytest.approx(1)
    values = np.linalg.eigvalsh(np.cov(noise(3), rowvar=False, bias=True))
    expected = values.sum() ** 2 / (values**2).sum()
    assert effective_rank(noise(3), ALL) == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("scale", [1e-15, 1, 1e15])
def test_effective_rank_has_no_unit_and_no_origin(scale):
    h = noise(3)
    rank = float(effective_rank(h, ALL))
    assert effective_rank(h * np.float32(scale), ALL) == pytest.approx(rank, rel=1e-3)
    assert effective_rank(h + 20, ALL) == pytest.approx(rank, rel=1e-3)


def test_effective_rank_looks_at_its_rows_and_knows_what_is_constant():
    h = noise(3)
    h[300:] = np.nan
    first = np.arange(600) < 300
    assert effective_rank(h, first) == pytest.approx(float(effective_rank(h[:300], ALL[:300])))
    assert np.isnan(effective_rank(h, ALL))
    for constant in (0, 0.1, 3e20):
        assert effective_rank(np.full((600, 4), constant, "f"), ALL) == 0


def test_the_deviation_of_guessing():
    """As found by guessing, with uneven classes and one that does not occur."""
    labels = np.repeat([0, 1, 2, -1], [40, 150, 10, 50]).astype(np.int32)
    where = np.arange(250) % 5 > 0
    guesses = jax.random.randint(jax.random.key(0), (4000, 250), 0, 4)
    scores = jax.vmap(lambda g: uar(g, labels, 4, where))(guesses)
    assert guessing_deviation(labels, 4, where) == pytest.approx(float(jnp.std(scores)), rel=0.05)


def test_collapsed_at_chance_or_in_one_direction():
    # 600 utterances, 3 classes: the deviation of guessing is 0.019, so chance ends at 0.365.
    for score, rank, expected in (
        (1 / 3, 5, True),
        (0.36, 5, True),
        (0.37, 5, False),
        (0.9, LEAST_RANK - 0.01, True),
        (0.9, LEAST_RANK, False),
        (np.nan, 5, True),
        (0.9, np.nan, True),
    ):
        assert bool(collapsed(jnp.float32(score), LABELS, 3, ALL, jnp.float32(rank))) == expected
    few = np.arange(600) < 30
    assert collapsed(jnp.float32(0.45), LABELS, 3, few, jnp.float32(5))


def test_one_direction_is_enough_for_two_classes_and_chance_is_not():
    labels = np.arange(600, dtype=np.int32) % 2
    for score, rank, expected in (
        (0.7, 1.0, False),
        (0.52, 5, True),
        (np.nan, 1.0, True),
        (0.7, np.nan, True),
    ):
        assert bool(collapsed(jnp.float32(score), labels, 2, ALL, jnp.float32(rank))) == expected
