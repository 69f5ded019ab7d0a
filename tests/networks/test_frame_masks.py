"""Masked frames have no influence, in the padded form and in the one without padding."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from privrep.networks.encoders import AcousticEncoder
from privrep.networks.frame_masks import MaskSettings, draw, masked
from privrep.networks.kernels import ragged_convolution as ragged_layers
from privrep.training.batches import batch_of
from privrep.types import Corpus, FoldTransform, FrameMasks, ragged
from tests.support.small_data import relative_error

BANDS = 6
LENGTHS = [37, 1, 20, 0, 64, 33]
SETTINGS = MaskSettings(2, 9, 2, 3)
KEY = jax.random.key(4)
INDEX = np.array([3, 1, -1, 4, 2, 5], np.int32)  # nobody, and not utterance 0
TRANSFORM = FoldTransform(
    np.linspace(-1, 1, BANDS).astype("f"), np.linspace(0.5, 2, BANDS).astype("f")
)
ENCODER = AcousticEncoder(conv_layers=3, num_kernels=5, gru_layers=1, gru_width=4, dense_width=5)
FILLS = [None, 0.5]  # padded, and without padding
pytestmark = pytest.mark.usefixtures("quickly_compiled")


def hidden_of(masks, lengths, num_bands=BANDS):
    """bool[T, F] of each utterance: what is hidden, place by place."""
    for i, length in enumerate(lengths):
        hidden = np.zeros((length, num_bands), bool)
        for start, stop in zip(masks.time_start[i], masks.time_stop[i]):
            hidden[start:stop] = True
        for start, stop in zip(masks.band_start[i], masks.band_stop[i]):
            hidden[:, start:stop] = True
        yield hidden


def test_masks_lie_within_the_utterance_and_leave_a_frame_and_a_band():
    lengths = np.repeat([0, 1, 2, 3, 5, 40], 200).astype(np.int32)
    for settings in (MaskSettings(3, 500, 2, 500), SETTINGS, MaskSettings(1, 4, 0, 6)):
        masks = draw(KEY, settings, lengths, BANDS)
        assert masks.time_start.shape == (len(lengths), settings.time_masks)
        assert masks.band_start.shape == (len(lengths), settings.band_masks)
        for start, stop, size in (
            (masks.time_start, masks.time_stop, lengths[:, None]),
            (masks.band_start, masks.band_stop, BANDS),
        ):
            assert np.all((start >= 0) & (start <= stop) & (stop <= size))
        assert np.all(masks.time_stop - masks.time_start <= settings.time_mask_frames)
        assert np.all(masks.band_stop - masks.band_start <= settings.band_mask_bands)
        for hidden in hidden_of(masks, lengths):
            assert len(hidden) == 0 or (~hidden).any()
    one_feature = draw(KEY, SETTINGS, lengths, 1)
    np.testing.assert_array_equal(one_feature.band_start, one_feature.band_stop)


@pytest.mark.parametrize(("count", "widest", "size"), [(1, 9, 30), (2, 9, 30), (3, 30, 20)])
def test_the_share_of_masked_frames_is_that_of_the_distribution(count, widest, size):
    """Widths even from 0 on, then places even: P(hidden at t) = 1 - (1 - p_t)^count."""
    most = min(widest, (size - 1) // count)
    covers = np.zeros(size)
    for width in range(most + 1):
        for start in range(size - width + 1):
            covers[start : start + width] += 1 / (most + 1) / (size - width + 1)
    expected = 1 - (1 - covers) ** count
    num = 20_000
    settings = MaskSettings(count, widest)
    masks = jax.tree.map(np.asarray, draw(KEY, settings, np.full(num, size, np.int32), BANDS))
    time = np.arange(size)
    inside = (masks.time_start[..., None] <= time) & (time < masks.time_stop[..., None])
    share = inside.any(1).mean(0)
    np.testing.assert_allclose(share, expected, atol=4.5 * 0.5 / np.sqrt(num))
    if count == 1:
        assert expected.mean() == pytest.approx(widest / 2 / size)


def test_each_utterance_has_its_own_masks_and_each_run_of_a_stack_those_of_its_key():
    lengths = np.full(50, 64, np.int32)
    keys = jax.random.split(KEY, 3)
    stack = jax.vmap(lambda key: draw(key, SETTINGS, lengths, BANDS))(keys)
    for row, key in enumerate(keys):
        alone = draw(key, SETTINGS, lengths, BANDS)
        jax.tree.map(lambda a, b, r=row: np.testing.assert_array_equal(a[r], b), stack, alone)
    assert len(np.unique(np.asarray(stack.time_start).reshape(-1, 2), axis=0)) > 100


def frames_of(masks=None, garbage=0.0):
    """Frames of noise; where the masks of the batch INDEX hide them, `garbage`."""
    rng = np.random.default_rng(0)
    rows = [rng.normal(size=(n, BANDS)).astype("f") for n in LENGTHS]
    if masks is not None:
        lengths = [LENGTHS[i] if i >= 0 else 0 for i in INDEX]
        for i, hidden in zip(INDEX, hidden_of(masks, lengths)):
            if i >= 0:
                rows[i][hidden] = garbage
    return jax.tree.map(jnp.asarray, Corpus(ragged(rows), None, None))


def params():
    batch = batch_of(frames_of(), TRANSFORM, INDEX[:1], (64, 0), None)
    shapes = jax.eval_shape(lambda key: ENCODER.init(key, batch, False), KEY)
    rng = np.random.default_rng(1)
    return jax.tree.map(lambda a: rng.normal(0, 0.4, a.shape).astype(a.dtype), shapes)


@pytest.fixture(scope="module")
def encoded(quickly_compiled):
    """(fill, corpus, whether frames are masked) -> (h, masks, gradient), each compiled once."""
    patch = pytest.MonkeyPatch()
    patch.setattr(ragged_layers, "_WINDOW", 64)  # several, each with frames of several utterances

    def compute(fill, is_masked, corpus):
        def loss(params):
            batch = batch_of(corpus, TRANSFORM, jnp.asarray(INDEX), (64, 0), fill)
            batch = masked(KEY, SETTINGS, batch) if is_masked else batch
            h = jnp.where(jnp.asarray(INDEX >= 0)[:, None], ENCODER.apply(params, batch, True), 0)
            slope = jnp.sin(jnp.arange(h.size, dtype=h.dtype)).reshape(h.shape)
            return (h * slope).sum(), (h, batch.masks)

        gradient, (h, masks) = jax.grad(loss, has_aux=True)(params())
        return h, masks, gradient

    compiled = jax.jit(compute, static_argnums=(0, 1))
    yield lambda fill, corpus, is_masked=True: jax.tree.map(
        np.asarray, compiled(fill, is_masked, corpus)
    )
    patch.undo()


@pytest.mark.parametrize("fill", FILLS)
def test_what_is_masked_has_no_influence(encoded, fill):
    """Not even if it is not finite: h and gradients are equal to the bit."""
    h, masks, gradient = encoded(fill, frames_of())
    for garbage in (50.0, np.nan):
        again = encoded(fill, frames_of(masks, garbage))
        jax.tree.map(np.testing.assert_array_equal, again, (h, masks, gradient))
    assert np.isfinite(h).all()


@pytest.mark.parametrize("fill", FILLS)
def test_a_masked_frame_is_the_mean_of_normalised_frames(encoded, fill):
    """h is that of frames in which the mean of their feature stands where the masks lie."""
    h, masks, gradient = encoded(fill, frames_of())
    filled = frames_of()
    values, start = np.array(filled.frames.values), np.asarray(filled.frames.start)
    lengths = [LENGTHS[i] if i >= 0 else 0 for i in INDEX]
    for i, hidden in zip(INDEX, hidden_of(masks, lengths)):
        if i >= 0:
            rows = values[start[i] : start[i] + LENGTHS[i]]
            rows[hidden] = np.broadcast_to(TRANSFORM.frame_mean, rows.shape)[hidden]
    filled = filled._replace(frames=filled.frames._replace(values=jnp.asarray(values)))
    expected, no_masks, slopes = encoded(fill, filled, is_masked=False)
    assert no_masks is None and relative_error(h, expected) < 1e-6
    errors = jax.tree.map(relative_error, gradient, slopes)
    assert max(jax.tree.leaves(errors)) < 1e-5, errors
    unmasked, *_ = encoded(fill, frames_of(), is_masked=False)
    changed = np.any(np.abs(unmasked - h) > 1e-4, axis=1)
    assert changed[[i > 0 and LENGTHS[i] > 9 for i in INDEX]].all()
    assert not changed[INDEX < 0].any()


def test_the_same_key_hides_the_same_frames_with_and_without_padding(encoded):
    (h, masks, gradient), (other, other_masks, slopes) = (encoded(f, frames_of()) for f in FILLS)
    jax.tree.map(np.testing.assert_array_equal, masks, other_masks)
    assert relative_error(other, h) < 1e-6
    errors = jax.tree.map(relative_error, slopes, gradient)
    assert max(jax.tree.leaves(errors)) < 1e-5, errors


def test_words_have_no_masks_and_masks_of_no_number_are_none():
    batch = batch_of(frames_of(), TRANSFORM, INDEX, (64, 0), None)
    assert isinstance(masked(KEY, SETTINGS, batch).masks, FrameMasks)
    assert masked(KEY, MaskSettings(), batch) is batch
    words = batch._replace(frames=None, num_frames=None)
    assert masked(KEY, SETTINGS, words) is words
