"""Every network that the benchmark compares with has the same loss and the same gradients."""

from dataclasses import asdict

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.benchmark.contestants.ours import make_corpus
from experiments.benchmark.contestants.plain_flax import PlainFlax
from experiments.benchmark.contestants.plain_flax import loss as flax_loss
from experiments.benchmark.work import Network, Training, draw_lengths
from experiments.config import build, sweep
from experiments.config.lambdas import by_attribute
from experiments.config.settings import Config
from privrep.parallel.run_axis import take
from privrep.unlearning.training_problem import network_problem

BATCH, LAMBDA = 12, 0.5  # twelve: every pair of labels twice, so that no class weighs more
SMALL = {"num_kernels": 4, "gru_width": 3, "dense_width": 5}
NETWORKS = {
    "acoustic": Network(bands=5, conv_layers=3, conv_pool=2, **SMALL),
    "lexical": Network(bands=5, conv_layers=0, **SMALL),
}
HEADS = ("dense", "emotion", "gender")

pytestmark = pytest.mark.usefixtures("quickly_compiled")


@pytest.fixture(scope="module", params=NETWORKS)
def ours(request):
    """A network, its parameters, a padded batch, and what this project makes of them."""
    network = NETWORKS[request.param]
    packed = make_corpus(Training(network, frames=0, runs=1, batch=BATCH, steps=1))
    length = draw_lengths(0, BATCH)
    data = jax.tree.map(jnp.asarray, packed.data)
    settings = {name: value for name, value in asdict(network).items() if name != "bands"}
    settings |= {
        "modality": network.modality,
        "defence": "grl",
        "lambda_": by_attribute([LAMBDA], ["gender"]),
    }
    config = Config(**settings, adversary_layers="0")
    runs, _ = build.run_table([config], 1)
    problem = network_problem(
        build.architecture(sweep.Pack(config, (config,)), packed), data, take(runs, 0)
    )
    params = problem.init(jax.random.key(0))
    # Biases start at zero, where a mistake with one of them would not be seen.
    leaves, tree = jax.tree.flatten(params)
    keys = jax.random.split(jax.random.key(1), len(leaves))
    leaves = [a + 0.1 * jax.random.normal(key, a.shape) for key, a in zip(keys, leaves)]
    params = jax.tree.unflatten(tree, leaves)
    sums, gradient = jax.jit(problem.gradient)(
        params, (), jax.random.key(2), jnp.arange(BATCH), jnp.ones(BATCH), 0.5
    )
    rows = packed.data.corpus.frames if network.conv_layers else packed.data.corpus.words
    x = np.zeros((BATCH, int(length.max()), network.bands), np.float32)
    for i, (start, n) in enumerate(zip(rows.start, length)):
        x[i, :n] = rows.values[start : start + n]
    fold = take(packed.data.folds, 0)
    batch = (x, length, fold.task[:BATCH], fold.private["gender"][:BATCH])
    return network, params, batch, float(sum(sums.values())) / BATCH, gradient


def parts(params):
    """Convolutions and GRU, and the three dense layers."""
    (encoder,) = (part for name, part in params.items() if name.startswith("encoders"))
    (adversary,) = (part for name, part in params.items() if name.startswith("adversaries"))
    dense = (encoder["MLP_0"]["Dense_0"], params["emotion_head"], adversary["Dense_0"])
    return encoder, encoder["GRU_0"], dict(zip(HEADS, dense))


def in_flax(network, params):
    """This project's parameters as `plain_flax.PlainFlax` has them."""
    convolutions, gru, dense = parts(params)
    layers = {}
    for i in range(network.conv_layers):
        layers[f"Conv_{i}"] = {
            "kernel": convolutions[f"kernel_{i}"],
            "bias": convolutions[f"bias_{i}"],
        }
    for i in range(network.gru_layers):
        kernels, recurrents, biases = (
            jnp.split(gru[f"{name}_{i}"], 3, -1) for name in ("kernel", "recurrent", "bias")
        )
        cell = {f"h{gate}": {"kernel": a} for gate, a in zip("rzn", recurrents)}
        cell |= {f"i{g}": {"kernel": a, "bias": b} for g, a, b in zip("rzn", kernels, biases)}
        cell["hn"]["bias"] = gru[f"inner_bias_{i}"]
        layers[f"GRUCell_{i}"] = cell
    return {"params": layers | {f"Dense_{i}": dense[head] for i, head in enumerate(HEADS)}}


def in_torch(network, params):
    """The same as `plain_torch.PlainTorch` has them; the GRU's second bias where it differs."""
    convolutions, gru, dense = parts(params)
    state_dict = {}
    for i in range(network.conv_layers):
        state_dict[f"convolutions.{i}.weight"] = convolutions[f"kernel_{i}"].transpose(2, 1, 0)
        state_dict[f"convolutions.{i}.bias"] = convolutions[f"bias_{i}"]
    for i in range(network.gru_layers):
        state_dict[f"gru.weight_ih_l{i}"] = gru[f"kernel_{i}"].T
        state_dict[f"gru.weight_hh_l{i}"] = gru[f"recurrent_{i}"].T
        state_dict[f"gru.bias_ih_l{i}"] = gru[f"bias_{i}"]
        inner_bias = jnp.pad(gru[f"inner_bias_{i}"], (2 * network.gru_width, 0))
        state_dict[f"gru.bias_hh_l{i}"] = inner_bias
    for head, layer in dense.items():
        state_dict |= {f"{head}.weight": layer["kernel"].T, f"{head}.bias": layer["bias"]}
    return {name: np.array(array) for name, array in state_dict.items()}


def assert_near(theirs, ours):
    assert theirs.keys() == ours.keys()
    for name, expected in ours.items():
        scale = np.abs(expected).max()
        np.testing.assert_allclose(theirs[name], expected, atol=1e-4 * scale, err_msg=name)


@pytest.mark.long
def test_plain_flax_computes_the_same(ours):
    network, params, batch, loss, gradient = ours
    value, slopes = jax.jit(jax.value_and_grad(flax_loss, 1), static_argnums=0)(
        PlainFlax(network), in_flax(network, params), batch, LAMBDA
    )
    assert float(value) == pytest.approx(loss, abs=1e-5)
    expected = in_flax(network, gradient)
    assert jax.tree.structure(slopes) == jax.tree.structure(expected)
    theirs, ours = (
        {str(path): a for path, a in jax.tree_util.tree_leaves_with_path(tree)}
        for tree in (slopes, expected)
    )
    assert_near(theirs, ours)


def torch_net(network, params, packed=False):
    import torch

    from experiments.benchmark.contestants.plain_torch import PlainTorch

    net = PlainTorch(network, packed)
    net.load_state_dict({n: torch.tensor(a) for n, a in in_torch(network, params).items()})
    return net


def torch_batch(batch):
    import torch

    return [torch.tensor(np.array(array)) for array in batch]


@pytest.mark.by_hand
@pytest.mark.parametrize("packed", [False, True], ids=["padded", "packed"])
def test_pytorch_computes_the_same(ours, packed):
    from experiments.benchmark.contestants.plain_torch import loss as torch_loss

    network, params, batch, loss, gradient = ours
    net = torch_net(network, params, packed)
    value = torch_loss(net, torch_batch(batch), LAMBDA)
    value.backward()
    assert value.item() == pytest.approx(loss, abs=1e-5)
    theirs = {name: parameter.grad.numpy() for name, parameter in net.named_parameters()}
    for i in range(network.gru_layers):  # where it equals the first bias's
        theirs[f"gru.bias_hh_l{i}"][: 2 * network.gru_width] = 0
    assert_near(theirs, in_torch(network, gradient))


@pytest.mark.by_hand
def test_pytorch_stacked_computes_the_same(ours):
    """Two networks, each on its own batch: one with this project's parameters, and another."""
    from experiments.benchmark.contestants.plain_torch import loss as torch_loss
    from experiments.benchmark.contestants.stacked_torch import Stacked, losses, stack_batches

    network, params, batch, loss, gradient = ours
    other_params = jax.tree.map(lambda a: 0.7 * a, params)
    other_batch = [array[::-1] for array in batch]
    nets = [torch_net(network, other_params), torch_net(network, params)]
    stacked = Stacked(nets)
    actual = losses(stacked, stack_batches([other_batch, batch]), LAMBDA)
    alone = torch_loss(nets[0], torch_batch(other_batch), LAMBDA)
    assert actual[0].item() == pytest.approx(alone.item(), abs=1e-5)
    assert actual[1].item() == pytest.approx(loss, abs=1e-5)
    actual[1].backward()
    zeros = jax.tree.map(jnp.zeros_like, params)
    expected = Stacked([torch_net(network, zeros), torch_net(network, gradient)])
    assert_near(
        {name: parameter.grad.numpy() for name, parameter in stacked.named_parameters()},
        {name: parameter.detach().numpy() for name, parameter in expected.named_parameters()},
    )
