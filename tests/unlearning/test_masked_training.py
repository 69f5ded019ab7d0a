"""Masks and the emotion head in training: who sees them, and whose gradients they change."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax.core import FrozenDict

from privrep.networks.frame_masks import MaskSettings
from privrep.parallel.run_axis import take
from privrep.unlearning.training_problem import network_problem
from tests.support.small_data import relative_error
from tests.support.small_networks import FOLDS, LIGHT, PACKED, run_table

pytestmark = pytest.mark.usefixtures("quickly_compiled")
MASKS = MaskSettings(time_masks=2, time_mask_frames=5, band_masks=1, band_mask_bands=3)
EMPTY = MaskSettings(time_masks=2, time_mask_frames=0, band_masks=1, band_mask_bands=0)
ROWS = np.flatnonzero(FOLDS.split.train[0])[:8].astype(np.int32)
RUN = take(run_table(), 0)
DATA = PACKED.data  # on the host: other tests count what is on the devices


def dropping(net):
    """The network with dropout, so that its key shows."""
    encoder = net.encoders["acoustic"].clone(dropout=0.5)
    return net.clone(encoders=FrozenDict(acoustic=encoder))


DROPPING = LIGHT._replace(net=dropping(LIGHT.net))
DEEP = DROPPING._replace(net=DROPPING.net.clone(head_layers=2, head_width=6, head_dropout=0.5))


@partial(jax.jit, static_argnums=0)
def step(architecture, data, params, key, run=RUN):
    problem = network_problem(architecture, data, run)
    return problem.gradient(params, (), key, ROWS, np.ones(8, np.float32), 0.5)


@partial(jax.jit, static_argnums=0)
def outputs(architecture, data, params):
    return network_problem(architecture, data, RUN).outputs(params, ROWS)


def params_of(architecture):
    def init(data, key):
        return network_problem(architecture, data, RUN).init(key)

    shapes = jax.eval_shape(init, DATA, RUN.key)
    rng = np.random.default_rng(0)
    return jax.tree.map(lambda a: rng.normal(0.1, 0.5, a.shape).astype("f"), shapes)


def test_without_masks_a_step_is_what_it_was_to_the_bit():
    """Dropout draws from the step's key itself: masks of no width change nothing."""
    params, equal = params_of(DROPPING), np.testing.assert_array_equal
    plain = step(DROPPING, DATA, params, RUN.key)
    jax.tree.map(equal, step(DROPPING._replace(masks=EMPTY), DATA, params, RUN.key), plain)
    masked = step(DROPPING._replace(masks=MASKS), DATA, params, RUN.key)
    assert relative_error(masked[1]["emotion_head"]["kernel"], plain[1]["emotion_head"]["kernel"])
    again = step(DROPPING._replace(masks=MASKS), DATA, params, RUN.key)
    jax.tree.map(equal, again, masked)
    other = step(DROPPING._replace(masks=MASKS), DATA, params, jax.random.key(9))
    assert other[0]["emotion"] != masked[0]["emotion"]


def test_validation_test_and_release_see_every_frame():
    params = params_of(LIGHT)
    plain, masked = (outputs(a, DATA, params) for a in (LIGHT, LIGHT._replace(masks=MASKS)))
    jax.tree.map(np.testing.assert_array_equal, masked, plain)


def test_a_padded_batch_has_the_masks_of_a_ragged_one():
    params = params_of(LIGHT)
    sums, gradient = step(LIGHT._replace(masks=MASKS), DATA, params, RUN.key)
    padded = step(LIGHT._replace(masks=MASKS, fill=None), DATA, params, RUN.key)
    np.testing.assert_allclose(padded[0]["emotion"], sums["emotion"], rtol=1e-5)
    errors = jax.tree.map(relative_error, padded[1], gradient)
    assert max(jax.tree.leaves(errors)) < 2e-5, errors


@pytest.mark.long
def test_the_runs_of_a_stack_have_the_masks_that_each_has_alone():
    """Under vmap, as on an accelerator: lambda 0 is masked too."""
    architecture = LIGHT._replace(masks=MASKS, fill=None)
    params, runs = params_of(LIGHT), run_table()
    rows = [take(runs, i) for i in (0, 3)]
    stack = jax.tree.map(lambda *of: jnp.stack([jnp.asarray(x) for x in of]), *rows)
    together = jax.jit(jax.vmap(partial(step, architecture), (None, None, 0, 0)))
    sums, _ = together(DATA, params, stack.key, stack)
    for i, run in enumerate(rows):
        alone = step(architecture, DATA, params, run.key, run)
        np.testing.assert_allclose(sums["emotion"][i], alone[0]["emotion"], rtol=1e-5)


def test_the_gradient_flows_through_both_layers_of_the_head():
    """logits = relu(h A + a) B + b: every layer and the encoders learn; the loss is its."""
    net = LIGHT.net.clone(head_layers=2, head_width=6)
    architecture = LIGHT._replace(net=net)
    params = params_of(architecture)
    head = params["emotion_head"]
    assert set(head) == {"MLP_0", "Dense_0"}  # nobody takes its kernel for a linear one's
    _, gradient = step(architecture, DATA, params, RUN.key)
    for name in ("emotion_head", "encoders_acoustic"):
        assert all(np.any(leaf) for leaf in jax.tree.leaves(gradient[name])), name
    h = np.random.default_rng(1).normal(size=(5, 4)).astype("f")
    first, second = head["MLP_0"]["Dense_0"], head["Dense_0"]
    hidden = np.maximum(h @ first["kernel"] + first["bias"], 0)
    logits = net.apply({"params": params}, h, method="emotion")
    np.testing.assert_allclose(logits, hidden @ second["kernel"] + second["bias"], rtol=1e-5)


@pytest.mark.long
def test_the_hidden_layer_is_dropped_in_training_alone():
    params, quiet = params_of(DEEP), DEEP._replace(net=DEEP.net.clone(head_dropout=0.0))
    noisy, still = (step(a, DATA, params, RUN.key)[0]["emotion"] for a in (DEEP, quiet))
    assert noisy != still
    h = np.ones((3, 4), np.float32)
    of_nets = [a.net.apply({"params": params}, h, method="emotion") for a in (DEEP, quiet)]
    np.testing.assert_array_equal(*of_nets)
