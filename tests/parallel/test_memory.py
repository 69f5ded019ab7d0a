"""The estimate of memory: what a reader would count by hand, and near what a compiler takes."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from privrep.parallel import memory as device_memory
from privrep.parallel.memory import free_bytes, most_together, peak_bytes
from privrep.parallel.run_axis import take
from privrep.training.fit import _epoch_all, _epoch_one, fit, start_all
from privrep.unlearning.training_problem import network_problem
from tests.support.small_networks import ARCHITECTURE, PACKED, SETTINGS, run_table

PADDED = ARCHITECTURE._replace(fill=None)
MILLION = np.zeros(250_000, np.float32)  # bytes


@pytest.mark.parametrize(
    "f, millions",
    [
        (lambda x: x + 1, 1),
        (lambda x: (x + 1) * 2, 2),  # a result and what it is made of
        (lambda x: ((x + 1) * 2) - 3, 2),  # the first is no longer needed
        (lambda x: (x + 1, x + 2, x + 3), 3),
        (lambda x: jax.jit(lambda y: y * 2 + 1)(x), 3),  # what is inside, and what comes out
        (lambda x: jax.lax.map(lambda i: x * i, jnp.arange(10.0)), 11),
    ],
)
def test_what_is_held_at_a_time(f, millions):
    assert peak_bytes(f, MILLION) == pytest.approx(millions * 1e6, rel=0.01)


@pytest.fixture
def accelerator(monkeypatch):
    """A device that computes all runs together and has as much memory as is given here."""
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    return lambda size: monkeypatch.setattr(device_memory, "free_bytes", lambda: size)


ROWS = np.zeros((10, 250_000), np.float32)


def test_as_many_rows_as_there_is_room_for(accelerator):
    for free, expected in ((2_100_000, 1), (9_000_000, 4), (10**9, 10)):
        accelerator(free)
        room = most_together(lambda data, row: data * row, jnp.float32(1), ROWS)
        assert room == min(10, expected * jax.local_device_count())
    accelerator(None)  # a device that does not say
    assert most_together(lambda data, row: data * row, jnp.float32(1), ROWS) == 10
    accelerator(10**6)
    with pytest.raises(ValueError, match=r"has 0\.00 GB left: .*--batch_size"):
        most_together(lambda data, row: data * row, jnp.float32(1), ROWS)


def test_on_a_cpu_runs_go_one_after_another():
    if jax.default_backend() == "cpu":
        assert free_bytes() is None
        assert most_together(lambda data, row: data * row, jnp.float32(1), ROWS) == 10


@pytest.fixture(scope="module")
def stack(quickly_compiled):
    """(runs, fits) of the padded form, and how many bytes an epoch of one of them should take."""
    runs = run_table()
    fits = start_all(network_problem, PADDED, SETTINGS, PACKED.data, runs)
    row = jax.tree.map(lambda a: jax.ShapeDtypeStruct(a.shape[1:], a.dtype), (runs, fits))
    epoch_of_run = partial(_epoch_one, network_problem, PADDED, SETTINGS)
    return runs, fits, peak_bytes(epoch_of_run, PACKED.data, row)


@pytest.mark.long
def test_a_stack_that_has_no_room_learns_the_same(accelerator, stack):
    runs, _, each = stack
    accelerator(10**12)
    whole = next(fit(network_problem, PADDED, SETTINGS, PACKED.data, runs))
    accelerator(int(2.5 * each))  # room for one, with the margin
    parts = next(fit(network_problem, PADDED, SETTINGS, PACKED.data, runs))
    for name, losses in whole.history.items():  # a product of more rows rounds differently
        np.testing.assert_allclose(parts.history[name], losses, rtol=1e-5)


@pytest.mark.long
def test_the_estimate_holds_what_a_compiler_takes(accelerator, stack):
    accelerator(None)
    runs, fits, estimate = stack
    rows = take((runs, fits), np.zeros(jax.local_device_count(), int))
    program = _epoch_all.lower(network_problem, PADDED, SETTINGS, PACKED.data, *rows)
    taken = program.compile().memory_analysis().temp_size_in_bytes
    assert taken / device_memory._MARGIN < estimate < 4 * taken
