"""The training loop, on problems small enough to know the answer."""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from privrep.parallel.run_axis import take
from privrep.training.epoch import init_key, shuffled_batches, start
from privrep.training.problem import DIVERGED, RUNNING, STOPPED, FitSettings, Problem, length
from tests.support.trained import assert_same, trained

# A problem with a script: every epoch is one step of Adam against a constant gradient, which moves
# "clock" by its rate; the selection score of epoch e is read from the run's script. -----------

EPOCHS, PATIENCE = 8, 3
SCRIPTED = FitSettings(batch_size=8, max_epochs=EPOCHS, patience=PATIENCE, clip_norm=0)


class Scripted(NamedTuple):
    key: jax.Array
    script: jax.Array  # float[EPOCHS], the selection scores
    breaks: jax.Array  # int32, the epoch whose loss is NaN
    rate: jax.Array  # of "moved", whose gradient is 1
    weight_decay: jax.Array


def scripted_problem(architecture, data, run):
    del architecture

    def init(key):
        return {"clock": jnp.float32(0), "moved": jax.random.normal(key), "still": jnp.float32(2)}

    def gradient(params, state, key, index, weight, progress):
        broken = jnp.round(params["clock"]) + 1 >= run.breaks
        loss = jnp.where(broken, jnp.nan, 1.0) * weight.sum()
        slope = jnp.where(broken, jnp.nan, 1.0)
        return {"script": loss}, {"clock": slope, "moved": slope, "still": jnp.float32(0)}

    def score(params, outputs):
        done = jnp.round(params["clock"]).astype(jnp.int32)
        return {"selection": run.script[jnp.maximum(done, 1) - 1], "val_clock": params["clock"]}

    return Problem(
        init=init,
        gradient=gradient,
        score=score,
        rates=lambda params: {"clock": -1.0, "moved": run.rate, "still": jnp.float32(0.5)},
        weight_decay=run.weight_decay,
        train=data,
    )


def scripted(scripts, breaks=EPOCHS + 1, rate=0.1, weight_decay=0.0):
    size = len(scripts)
    columns = (breaks, rate, weight_decay)
    columns = [np.broadcast_to(np.asarray(c), size).astype(t) for c, t in zip(columns, "iff")]
    return Scripted(jax.random.split(jax.random.key(0), size), np.float32(scripts), *columns)


TRAIN = np.array([True] * 7 + [False] * 2)
run_script = partial(trained, scripted_problem, None, SCRIPTED, TRAIN)
RISING = np.arange(EPOCHS) / 10


def stopping(script, patience=PATIENCE):
    """(best epoch, epochs run) by the definition of early stopping."""
    best, best_epoch = -np.inf, 0
    for epoch, score in enumerate(script, start=1):
        if score > best:  # NaN is never better
            best, best_epoch = score, epoch
        if epoch - best_epoch >= patience:
            return best_epoch, epoch
    return best_epoch, len(script)


def test_best_epoch_and_patience():
    rng = np.random.default_rng(0)
    scripts = rng.integers(0, 6, (16, EPOCHS)) / 4.0  # with ties: the first of equals is best
    scripts[0], scripts[1], scripts[2] = RISING, RISING[::-1], np.nan
    scripts[3, [0, 2]] = np.nan
    expected = [stopping(script) for script in scripts]
    for stack in np.split(np.arange(16), 4):
        best, epochs = np.array([expected[i] for i in stack]).T
        assert len(set(epochs)) > 1  # runs of one stack stop at different times
        steps = run_script(scripted(scripts[stack]))
        assert len(steps) == max(epochs)
        last, _ = steps[-1]
        np.testing.assert_array_equal(last.best_epoch, best)
        np.testing.assert_array_equal(last.epoch, epochs)
        np.testing.assert_array_equal(last.status, STOPPED)
        np.testing.assert_allclose(last.best["clock"], best, atol=1e-3)
        np.testing.assert_allclose(last.params["clock"], epochs, atol=1e-3)
        best_scores = [scripts[i, b - 1] if b else -np.inf for i, b in zip(stack, best)]
        np.testing.assert_array_equal(last.best_score, np.float32(best_scores))


def test_a_stopped_run_rests():
    """Nothing of it changes while others go on, and its history is NaN."""
    scripts = np.array([RISING[::-1], RISING, RISING[::-1]])
    steps = run_script(scripted(scripts))
    assert len(steps) == EPOCHS
    stopped_at = 1 + PATIENCE
    for epoch, (fits, history) in enumerate(steps):
        rests = epoch >= stopped_at
        status = STOPPED if epoch + 1 >= stopped_at else RUNNING
        np.testing.assert_array_equal(fits.status[[0, 2]], status)
        for values in history.values():
            np.testing.assert_array_equal(np.isnan(values), [rests, False, rests])
        if rests:
            unchanged = take(steps[stopped_at - 1][0], np.array([0, 2]))
            assert_same(take(fits, np.array([0, 2])), unchanged)


def test_a_run_that_diverges_is_marked_and_keeps_its_best():
    runs = scripted(np.tile(RISING, (4, 1)), breaks=[99, 1, 3, 99])
    steps = run_script(runs)
    last, _ = steps[-1]
    np.testing.assert_array_equal(last.status, [STOPPED, DIVERGED, DIVERGED, STOPPED])
    np.testing.assert_array_equal(last.best_epoch, [EPOCHS, 0, 2, EPOCHS])
    np.testing.assert_allclose(last.best["clock"][2], 2, atol=1e-3)
    assert np.all(np.isfinite(last.best["moved"]))
    assert np.isnan(steps[2][1]["train_script_loss"][2])
    # The others are to the bit what they are in a stack without it.
    others = np.array([0, 3, 0])
    for step, expected in zip(steps, run_script(take(runs, others)), strict=True):
        assert_same(take(step, others), expected)


def test_rates_and_decay():
    """Adam's step against a constant gradient is the rate; decay is not part of the gradient."""
    rates, decays = [0.1, 0.0, 0.1, 0.02], [0.0, 0.0, 0.2, 0.2]
    runs = scripted(np.tile(RISING, (4, 1)), breaks=99, rate=rates, weight_decay=decays)
    starts = np.array([jax.random.normal(init_key(key)) for key in runs.key])
    last, _ = run_script(runs)[-1]
    np.testing.assert_array_equal(last.epoch, EPOCHS)
    moved = starts.astype(float)
    for _ in range(EPOCHS):
        moved = moved - np.array(rates) * (1 + np.array(decays) * moved)
    np.testing.assert_allclose(last.params["moved"], moved, rtol=1e-4)
    assert last.params["moved"][1] == starts[1]
    np.testing.assert_allclose(
        last.params["still"], 2 * (1 - 0.5 * np.array(decays)) ** EPOCHS, rtol=1e-5
    )
    assert np.all(last.params["still"][:2] == 2)


# A problem that only watches what it is shown. ------------------------------------------------

ROWS, BATCH = 11, 4


def watching_problem(architecture, data, run):
    del architecture, run

    def gradient(params, state, key, index, weight, progress):
        seen = {i: weight * (index == i) for i in range(ROWS)}
        number = jax.random.uniform(key)
        sums = {f"seen_{i}": row.sum() for i, row in seen.items()}
        sums |= {f"when_{i}": row.sum() * progress for i, row in seen.items()}
        return sums | {"weight": weight.sum(), "noise": number}, {"w": jnp.zeros(2)}

    return Problem(
        init=lambda key: {"w": jnp.zeros(2)},
        gradient=gradient,
        score=lambda params, outputs: {"selection": params["w"].sum()},
        rates=lambda params: {"w": 1.0},
        weight_decay=jnp.float32(0),
        train=data,
    )


@pytest.mark.parametrize("first, patience", [(1, 2), (3, 2), (4, 1), (EPOCHS, 1), (99, 1)])
def test_choice_and_patience_begin_with_the_first_epoch(first, patience):
    """As of a run whose script begins there; the last epoch may always be chosen."""
    scripts = [RISING, RISING[::-1], np.ones(EPOCHS), np.arange(EPOCHS) % 3]
    settings = SCRIPTED._replace(min_epochs=first, patience=patience)
    last = trained(scripted_problem, None, settings, TRAIN, scripted(scripts))[-1][0]
    skipped = min(first, EPOCHS) - 1
    expected = [stopping(script[skipped:], patience) for script in scripts]
    np.testing.assert_array_equal(last.best_epoch, [skipped + best for best, _ in expected])
    np.testing.assert_array_equal(last.epoch, [skipped + epochs for _, epochs in expected])


def test_a_length_in_steps_is_that_of_whole_epochs():
    """Of nine rows in batches of four an epoch has three steps."""
    settings = FitSettings(batch_size=4, max_epochs=50, patience=50, max_steps=10, min_steps=7)
    assert [int(of) for of in length(settings, 9)] == [3, 4]
    assert [int(of) for of in length(settings, 400)] == [1, 1]
    assert [int(of) for of in length(settings._replace(max_steps=0), 9)] == [3, 50]
    assert [int(of) for of in length(settings._replace(min_steps=0, min_epochs=2), 9)] == [2, 4]
    assert [int(of) for of in length(settings._replace(min_steps=999), 9)] == [4, 4]
    train = np.arange(ROWS) % 6 != 0
    runs = scripted([RISING, RISING], breaks=99)
    last = trained(scripted_problem, None, settings._replace(clip_norm=0), train, runs)[-1][0]
    np.testing.assert_array_equal(last.epoch, [4, 4])
    assert np.all(last.best_epoch >= 3)


def test_rows_of_a_group_are_dealt_together_each_once_in_a_new_order():
    """Batches of 16 hold eight or sixteen rows of a group, or none."""
    groups = np.repeat(np.arange(12), 40)
    train = np.arange(480) % 5 != 0  # 32 of each group
    settings = FitSettings(batch_size=16, max_epochs=1, patience=1)
    run = take(scripted([RISING, RISING]), 0)
    problem = scripted_problem(None, train, run)._replace(groups=jnp.asarray(groups))

    @jax.jit
    def dealt(key):
        fit = start(problem, key, settings)
        return shuffled_batches(problem, key, fit, settings)[0]

    orders = [np.asarray(dealt(jax.random.key(seed))) for seed in (0, 1)]
    for batches in orders:
        rows = batches[batches >= 0]
        np.testing.assert_array_equal(np.sort(rows), np.flatnonzero(train))
        assert (batches[: len(rows) // 16] >= 0).all()
        for batch in batches[: len(rows) // 16]:
            assert {*np.bincount(groups[batch])} <= {0, 8, 16}
    assert not np.array_equal(*orders)


def test_every_training_row_is_seen_once_per_epoch_in_a_new_order():
    settings = FitSettings(batch_size=BATCH, max_epochs=3, patience=3)
    train = np.arange(ROWS) % 6 != 0  # 9 rows: two batches of 4 and one of 1
    keys = jax.random.split(jax.random.key(0), 3)
    keys = keys[np.array([0, 1, 0])]
    rows = Scripted(keys, *np.zeros((4, 3), np.float32))
    orders = []
    for epoch, (_, history) in enumerate(trained(watching_problem, None, settings, train, rows)):
        totals = {name: value * train.sum() for name, value in history.items()}
        seen = np.array([totals[f"train_seen_{i}_loss"] for i in range(ROWS)])
        np.testing.assert_allclose(seen, np.tile(train[:, None], 3), atol=1e-5)
        np.testing.assert_allclose(totals["train_weight_loss"], 9, rtol=1e-5)
        when = np.array([totals[f"train_when_{i}_loss"] for i in range(ROWS)])[train]
        step = when * settings.max_epochs * 3 - 3 * epoch  # progress of steps 0, 1, 2 of 3
        np.testing.assert_allclose(step, np.round(step), atol=1e-4)
        for run in range(3):
            sizes = np.bincount(np.round(step[:, run]).astype(int), minlength=3)
            np.testing.assert_array_equal(sizes, [4, 4, 1])
        orders.append((when - epoch / settings.max_epochs, totals["train_noise_loss"]))
    for when, noise in orders:  # runs of one key see the same batches and the same noise
        np.testing.assert_allclose(when[:, 0], when[:, 2])
        assert noise[0] == noise[2] != noise[1]
        assert not np.allclose(when[:, 0], when[:, 1], atol=0.01)
    assert len({noise[0] for _, noise in orders}) == 3
    assert not np.allclose(orders[0][0], orders[1][0], atol=0.01)


def test_a_run_that_ends_before_its_schedule_sees_the_first_part_of_it():
    settings = FitSettings(batch_size=BATCH, max_epochs=4, patience=4)
    train = np.arange(ROWS) % 6 != 0  # three steps an epoch
    rows = Scripted(jax.random.split(jax.random.key(0), 2), *np.zeros((4, 2), np.float32))
    whole = trained(watching_problem, None, settings, train, rows)
    shorter = settings._replace(max_epochs=2)
    first = trained(watching_problem, None, shorter._replace(schedule_steps=12), train, rows)
    assert len(first) == 2 and len(whole) == 4
    for (_, history), (_, expected) in zip(first, whole):
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6), history, expected)
    hasty = trained(watching_problem, None, shorter, train, rows)
    assert hasty[1][1]["train_when_1_loss"][0] > 1.5 * first[1][1]["train_when_1_loss"][0]
