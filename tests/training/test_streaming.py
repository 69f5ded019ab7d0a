"""Training by windows of a corpus that does not fit on the devices changes no result."""

import threading
from itertools import pairwise

import jax
import numpy as np
import pytest

from privrep.networks.frame_masks import MaskSettings
from privrep.parallel.run_axis import take
from privrep.training import streaming
from privrep.training.fit import fit
from privrep.training.problem import RUNNING
from privrep.training.streaming import Streamed, place, ranges
from privrep.unlearning.released_h import represent
from privrep.unlearning.training_problem import network_problem
from tests.support.small_data import BANDS, relative_error
from tests.support.small_networks import ARCHITECTURE, LIGHT, PACKED, SETTINGS, run_table
from tests.support.trained import assert_same

pytestmark = pytest.mark.usefixtures("quickly_compiled")
FRAMES = PACKED.data.corpus.frames
FRAME_BYTES = FRAMES.values[:1].nbytes
COUNT = 260  # frames in a window: little more than the largest batch has
RUNS = run_table()  # of two folds, several lambdas and rates, in one stack


def windowed():
    actual = place(PACKED.data, COUNT * FRAME_BYTES)
    assert isinstance(actual, Streamed) and actual.count == COUNT
    return actual


def stages(data, architecture=ARCHITECTURE, fits=None):
    stages = fit(network_problem, architecture, SETTINGS, data, RUNS, fits)
    return ((stage.fits(), stage.history) for stage in stages)


@pytest.fixture(scope="module")
def resident(quickly_compiled):
    return list(stages(place(PACKED.data)))


@pytest.fixture
def windows(monkeypatch):
    """All that reach the devices, as (shape of the values on a device, first, last)."""
    windows = []

    def watched(data, rows):
        for window, interval in make(data, rows):
            windows.append((window.corpus.frames.values.shape, *map(np.array, interval)))
            yield window, interval

    make = streaming._windows
    monkeypatch.setattr(streaming, "_windows", watched)
    return windows


# Which windows -------------------------------------------------------------------------------


def random_rows(rng):
    """Batches of three utterances of three runs, of which two are the same and one is short."""
    length = rng.integers(0, 9, 30)
    orders = np.stack([rng.permutation(30) for _ in range(3)]).reshape(3, 10, 3)
    orders[1] = orders[0]
    orders[2, 6:] = -1
    orders[2, 5, 1:] = -1
    return length, orders


@pytest.mark.parametrize("seed", range(20))
def test_every_batch_is_in_one_window_in_order_and_no_window_is_too_large(seed):
    length, rows = random_rows(np.random.default_rng(seed))
    turns = list(ranges(length, 40, rows))
    assert len(turns) > 1
    for run in range(3):
        edges = [(int(first[run]), int(last[run])) for _, first, last in turns]
        assert edges[0][0] == 0 and edges[-1][1] == (rows[run] >= 0).any(1).sum()
        assert all(before[1] == after[0] for before, after in pairwise(edges))
    for held, first, last in turns:
        assert length[held].sum() <= 40
        wanted = [rows[run, first[run] : last[run]].reshape(-1) for run in range(3)]
        np.testing.assert_array_equal(held, np.setdiff1d(np.concatenate(wanted), [-1]))


def test_a_window_is_not_closed_before_it_is_full():
    length, rows = np.full(6, 10), np.arange(6).reshape(1, 3, 2)
    assert [list(held) for held, *_ in ranges(length, 59, rows)] == [[0, 1, 2, 3], [4, 5]]
    assert [list(held) for held, *_ in ranges(length, 60, rows)] == [[0, 1, 2, 3, 4, 5]]


def test_a_batch_without_room_says_so():
    with pytest.raises(
        ValueError, match=r"2 utterances can have 20 frames.*room for 19: .*batch_size"
    ):
        list(ranges(np.full(6, 10), 19, np.arange(6).reshape(1, 3, 2)))


def test_an_empty_batch_between_others_is_a_place_of_its_own():
    """Batches keep their numbers, and none behind the last one that is filled is computed."""
    rows = np.array([[[0, 1], [-1, -1], [2, -1], [-1, -1]], [[-1, -1], [0, 2], [-1, -1], [-1, -1]]])
    turns = list(ranges(np.full(3, 10), 20, rows))
    whole = [
        [i for _, first, last in turns for i in range(first[run], last[run])] for run in (0, 1)
    ]
    assert whole == [[0, 1, 2], [0, 1]]
    for held, first, last in turns:
        for run in (0, 1):
            batches = rows[run, first[run] : last[run]]
            assert {*batches[batches >= 0]} <= {*held}


# What is put where ---------------------------------------------------------------------------


def test_what_has_room_is_put_on_the_devices(monkeypatch):
    size = FRAMES.values.nbytes
    assert not isinstance(place(PACKED.data), Streamed)  # a CPU has no memory of its own
    assert not isinstance(place(PACKED.data, size // 2), Streamed)
    for free, streams in ((2 * size, False), (2 * size - 8, True)):
        monkeypatch.setattr(streaming, "free_bytes", lambda free=free: free)
        assert isinstance(place(PACKED.data), Streamed) == streams
    actual = windowed()
    assert place(actual) is actual
    assert np.shares_memory(actual.frames.values, FRAMES.values)


# The same results ----------------------------------------------------------------------------


def test_a_window_at_a_time_learns_the_same(resident, windows):
    """To the bit, over two devices, and resumed; no window on a device is larger than asked for."""
    data = windowed()
    assert_same(list(stages(data)), resident)
    # Steps and validation of every epoch take several windows.
    assert len(windows) >= SETTINGS.max_epochs * (2 + 2)
    assert {shape for shape, *_ in windows} == {(COUNT, BANDS)}
    assert_same(list(stages(data, fits=resident[0][0])), resident[1:])


@pytest.mark.long
def test_adversaries_with_steps_of_their_own_learn_the_same_too(resident, windows):
    """To the bit: by windows, resumed with what they remember, and alone; of masked frames too."""
    net = LIGHT.net.clone(adversary_input="standardised", num_adversaries=2)
    masks = MaskSettings(time_masks=2, time_mask_frames=3, band_masks=1, band_mask_bands=2)
    strong = LIGHT._replace(net=net, adversary_steps=3, memory=12, masks=masks)
    expected = list(stages(place(PACKED.data), strong))
    first, last = expected[0][0], expected[-1][0]
    is_valid = first.hook_state.rows.is_valid
    assert is_valid.shape == (4, 12) and is_valid.any(1).all()
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(last.params))
    assert any(
        np.any(part["deviation"] != 1) for n, part in last.params.items() if n.startswith("units")
    )
    assert resident[-1][0].hook_state == ()
    assert_same(list(stages(windowed(), strong, fits=first)), expected[1:])
    assert len(windows) > SETTINGS.max_epochs
    alone = take((RUNS, first), np.array([1]))
    *_, end = fit(network_problem, strong, SETTINGS, PACKED.data, *alone)
    assert_same(end.fits(), take(last, np.array([1])))


def test_runs_that_have_stopped_take_no_windows(resident, windows):
    fits, _ = resident[0]
    stopped = fits._replace(status=np.where(np.arange(4) == 3, RUNNING, 1).astype(np.int32))
    *_, (last, history) = stages(windowed(), fits=stopped)
    for _, first, last_ in windows:
        assert ((last_ > first).sum()) <= 1
    rows = np.array([0, 1, 2])
    assert_same(take(last, rows), take(stopped, rows))
    assert all(np.isnan(values[:3]).all() for values in history.values())
    assert_same(take(last, 3), take(resident[-1][0], 3))


def test_representations_are_the_same(resident, windows):
    best = resident[-1][0].best
    expected = represent(ARCHITECTURE, PACKED.data, RUNS, best)
    assert_same(represent(ARCHITECTURE, windowed(), RUNS, best), expected)
    assert len(windows) >= 2


@pytest.mark.long
def test_side_by_side_in_padded_arrays_too(monkeypatch, windows):
    """The accelerators' form."""
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    padded = ARCHITECTURE._replace(fill=None)
    expected, actual = stages(place(PACKED.data), padded), stages(windowed(), padded)
    for _ in range(2):
        (fits, history), (fits_expected, history_expected) = next(actual), next(expected)
        for name, values in history_expected.items():
            np.testing.assert_allclose(history[name], values, rtol=1e-5, err_msg=name)
        errors = jax.tree.map(relative_error, fits.params, fits_expected.params)
        assert max(jax.tree.leaves(errors)) < 1e-5, errors
    assert len(windows) >= 2 * (2 + 2)


# Memory --------------------------------------------------------------------------------------


def test_two_windows_are_there_at_a_time(monkeypatch):
    """One that is computed on and the one after it; and nothing as large as the corpus."""
    data, alive = windowed(), []

    def frames_alive():
        shapes = [a.shape for a in jax.live_arrays() if a.ndim == 2 and a.shape[1] == BANDS]
        alive.append(sum(shape == (COUNT, BANDS) for shape in shapes))
        assert max(rows for rows, _ in shapes) <= COUNT

    def watched(*arguments):
        frames_alive()
        return steps(*arguments)

    steps = streaming._steps_all
    monkeypatch.setattr(streaming, "_steps_all", watched)
    next(fit(network_problem, ARCHITECTURE, SETTINGS, data, RUNS))
    assert len(alive) > 1 and max(alive) <= 2


def test_the_next_window_is_made_while_the_present_one_is_in_use():
    made = [threading.Event() for _ in range(3)]

    def items():
        for i, event in enumerate(made):
            event.set()
            yield i

    for i in streaming._ahead(items()):
        if i < 2:
            assert made[i + 1].wait(5)
        assert not any(event.is_set() for event in made[i + 2 :])
