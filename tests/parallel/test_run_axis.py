"""Results have one row per run, in order, for any number of devices."""

import re
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from privrep.parallel.run_axis import (
    ReservedKey,
    Run,
    by_calls,
    collect,
    cost,
    deal,
    deal_out,
    join,
    over_runs,
    reserved_key,
    run_key,
    share,
    take,
)
from privrep.types import room


def table(keys, **changes):
    size = len(keys)
    columns = {
        "fold": np.arange(size, dtype=np.int32),
        "defence": np.zeros(size, np.int32),
        "lambda_": {"gender": np.linspace(0, 1, size, dtype=np.float32)},
        "release": np.zeros(size, np.int32),
        "release_lambda": {"gender": np.ones(size, np.float32)},
        "learning_rate": np.full(size, 1e-3, np.float32),
        "adversary_learning_rate": np.full(size, 2e-3, np.float32),
        "weight_decay": np.zeros(size, np.float32),
        "relative": np.zeros(size, bool),
    }
    return Run(key=keys, **(columns | changes))


KEYS = jax.random.split(jax.random.key(0), 5)


def values(rows):
    """Typed keys as numbers, so that rows can be compared."""
    return rows._replace(key=jax.random.key_data(rows.key))


@pytest.mark.parametrize("count, size", [(1, 1), (2, 2), (3, 3), (5, 5), (5, 2)])
def test_over_runs_is_a_loop_over_rows(count, size):
    """Also when not all rows have room at a time."""
    runs, matrix = table(KEYS[:count]), np.arange(6.0, dtype=np.float32).reshape(2, 3)

    def f(matrix, run):
        noise = jax.random.normal(run.key, (3,))
        return {"product": matrix @ noise, "fold": run.fold}

    program = jax.jit(partial(over_runs, f))
    results = by_calls(partial(program, share(matrix)), runs, size)
    assert all(isinstance(a, np.ndarray) and len(a) == count for a in results.values())
    np.testing.assert_array_equal(results["fold"], np.arange(count))
    for i in range(count):
        expected = matrix @ np.asarray(jax.random.normal(KEYS[i], (3,)))
        np.testing.assert_allclose(results["product"][i], expected, rtol=1e-5)


def test_reserved_keys_are_the_numbers_above_all_epochs_and_steps():
    """Another number would change the parameters, attackers and noise of every recorded run."""
    expected = {"INITIAL_PARAMETERS": 3, "ATTACKERS": 2, "RELEASE_NOISE": 1, "ADVERSARY_STEPS": 1}
    expected["FRAME_MASKS"] = 4
    members = ReservedKey.__members__
    assert {name: 2**32 - int(number) for name, number in members.items()} == expected
    key = run_key(0, 1)
    for number in ReservedKey:
        assert reserved_key(key, number) == jax.random.fold_in(key, np.uint32(number))


def test_join_puts_rows_together_again():
    runs = table(KEYS)
    together = join(take(runs, slice(2)), take(runs, slice(2, None)))
    jax.tree.map(np.testing.assert_array_equal, values(together), values(runs))


def test_take_is_a_row_or_rows():
    runs = table(KEYS)
    assert take(runs, 3).fold == 3 and take(runs, 3).lambda_["gender"].shape == ()
    order = jnp.array([4, 0, 2])
    taken = take(runs, order)
    np.testing.assert_array_equal(taken.fold, order)
    np.testing.assert_array_equal(values(taken).key, values(runs).key[order])


def test_deal_gives_each_device_its_neighbouring_rows():
    devices = jax.local_device_count()
    dealt = deal(np.arange(3 * devices))
    for i, shard in enumerate(sorted(dealt.addressable_shards, key=lambda s: s.device.id)):
        np.testing.assert_array_equal(shard.data, np.arange(3 * i, 3 * i + 3))
    for shard in share(np.arange(3)).addressable_shards:
        np.testing.assert_array_equal(shard.data, np.arange(3))


def test_devices_share_what_lies_in_room():
    """A corpus is in memory once, however many devices a CPU has."""
    values = room((1000, 40), np.float16)
    values[:] = np.arange(40)
    for shard in share(values).addressable_shards:
        np.testing.assert_array_equal(shard.data, values)
        if jax.default_backend() == "cpu":
            assert shard.data.unsafe_buffer_pointer() == values.ctypes.data


def test_a_key_belongs_to_seed_and_fold():
    keys = [run_key(seed, fold) for seed in range(3) for fold in range(4)]
    numbers = {tuple(jax.random.key_data(key).tolist()) for key in keys}
    assert len(numbers) == 12
    again = (jax.random.key_data(run_key(2, 1)) for _ in range(2))
    np.testing.assert_array_equal(*again)


def test_devices_never_wait_for_one_another():
    """XLA ends the program when a device waits long for another whose runs go on."""

    def of_row(shared, row):
        return {"sum": (row["x"] * shared).sum(), "x": row["x"]}

    x = np.arange(12.0 * jax.local_device_count(), dtype=np.float32).reshape(-1, 3)
    rows, shared = deal({"x": x}), share(jnp.arange(3.0))
    f = jax.jit(partial(over_runs, of_row))
    program = f.lower(shared, rows).compile().as_text()
    assert not re.findall("all-gather|all-reduce|all-to-all|collective", program)
    actual = collect(f(shared, rows))
    assert all(isinstance(array, np.ndarray) for array in actual.values())
    np.testing.assert_array_equal(actual["x"], x)
    np.testing.assert_array_equal(actual["sum"], actual["x"] @ np.arange(3.0))


@pytest.mark.parametrize("backend", ["cpu", "gpu"])
@settings(max_examples=200, deadline=None)
@given(total=st.integers(1, 300), size=st.integers(1, 300), data=st.data())
def test_every_run_that_goes_on_is_dealt_once(backend, total, size, data):
    running = np.flatnonzero(data.draw(st.lists(st.booleans(), min_size=total, max_size=total)))
    if not running.size:
        running = np.arange(total)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jax, "default_backend", lambda: backend)
        devices, dealt = jax.local_device_count(), deal_out(running, size)
        np.testing.assert_array_equal(np.sort(np.concatenate(dealt))[-len(running) :], running)
        assert sum((rows >= 0).sum() for rows in dealt) == len(running)
        (rows,) = {len(index) for index in dealt}  # one program for all of an epoch's calls
        assert rows % devices == 0 and rows <= size + devices - 1
        if backend == "cpu":  # no device has more to do than its share, rounded up
            calls = -(-len(running) // rows)
            assert cost(dealt) <= -(-len(running) // devices) + calls - 1
        else:
            assert cost(dealt) * devices < 2 * len(running) + rows or rows <= -(-size // 8) + 8


def test_few_programs_however_many_stacks(monkeypatch):
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    sizes = {len(index) for left in range(1, 257) for index in deal_out(np.arange(left), 256)}
    assert sizes == {256, 128, 64, 32}
    monkeypatch.setattr(jax, "default_backend", lambda: "cpu")
    assert {len(i) for left in range(1, 257) for i in deal_out(np.arange(left), 256)} == {256}
