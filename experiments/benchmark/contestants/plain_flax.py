"""The network as one would write it in plain Flax: nn.Conv, nn.RNN, one padded batch, jit.

    python -m experiments.benchmark.contestants.plain_flax NAME JSON   (by experiments.benchmark)

It imports no experiments.devices: jax runs in it as it does out of the box. It trains on the same
few batches again and again and scores nothing, which is less than this project's own training does.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax

from experiments.benchmark.rounds import serve
from experiments.benchmark.work import (
    CLASSES,
    FRAMES_PER_SECOND,
    LONGEST,
    PRIVATE_CLASSES,
    Network,
    draw_batches,
    padded_facts,
)
from privrep.grl import gradient_reversal


class Plain(nn.Module):
    """Logits of emotion [B, 3] and gender [B, 2] from frames [B, T, F]."""

    network: Network

    @nn.compact
    def __call__(self, x, length, lambda_):
        network = self.network
        mask = (jnp.arange(x.shape[1])[None] < length[:, None]).astype(x.dtype)
        for i in range(network.conv_layers):
            x = nn.Conv(network.num_kernels, (network.kernel_width,), padding="SAME")(x)
            x = nn.relu(x) * mask[..., None]
            if network.conv_pool > 1 and i < network.conv_layers - 1:
                x = nn.max_pool(x, (2,), (2,), "SAME")
                mask = mask[:, ::2]
        for _ in range(network.gru_layers):
            x = nn.RNN(nn.GRUCell(network.gru_width))(x)
        h = (x * mask[..., None]).sum(1) / jnp.maximum(mask.sum(1, keepdims=True), 1)
        h = nn.relu(nn.Dense(network.dense_width)(h))
        return nn.Dense(CLASSES)(h), nn.Dense(PRIVATE_CLASSES)(gradient_reversal(h, lambda_))


def loss(net: Plain, params, batch, lambda_: float) -> jax.Array:
    """What is minimised: the mean cross-entropy of emotion, and that of gender."""
    x, length, *labels = batch
    logits = net.apply(params, x, length, lambda_)
    both = map(optax.softmax_cross_entropy_with_integer_labels, logits, labels)
    return sum(each.mean() for each in both)


def _start(network: Network):
    net, adam = Plain(network), optax.adam(1e-3)

    def init(key, batch):
        params = net.init(key, *batch[:2], 0.5)
        return params, adam.init(params)

    def step(state, batch):
        params, optimiser = state
        gradients = jax.grad(loss, 1)(net, params, batch, 0.5)
        updates, optimiser = adam.update(gradients, optimiser)
        return optax.apply_updates(params, updates), optimiser

    return jax.jit(init), step


def _batches(network: Network, batch: int, frames: int, number: int):
    # One padded size, as every other would be compiled anew.
    room = frames or int(LONGEST * FRAMES_PER_SECOND)
    batches = draw_batches(network, batch, frames, number, room)
    return batches, padded_facts(batches)


def one_by_one(network: dict, runs: int, batch: int, frames: int, steps: int):
    """A round is `steps` steps of one network."""
    del runs
    init, step = _start(Network(**network))
    batches, facts = _batches(Network(**network), batch, frames, steps)
    batches = jax.device_put(batches)
    state, compiled = [init(jax.random.key(0), batches[0])], jax.jit(step, donate_argnums=0)

    def once() -> dict[str, float]:
        for one in batches:
            state[0] = compiled(state[0], one)
        jax.block_until_ready(state[0])
        return {}

    return facts | {"units": steps}, once


def vmapped(network: dict, runs: int, batch: int, frames: int, steps: int):
    """A round is `steps` steps of `runs` networks under vmap, each on its own batch."""
    init, step = _start(Network(**network))
    batches, facts = _batches(Network(**network), batch, frames, runs)
    rows = jax.device_put(tuple(np.stack(column) for column in zip(*batches)))
    # One after another: vmapped orthogonal initialisers can starve XLA's CPU threads.
    starts = [init(key, batches[0]) for key in jax.random.split(jax.random.key(0), runs)]
    state = [jax.tree.map(lambda *column: jnp.stack(column), *starts)]
    compiled = jax.jit(jax.vmap(step), donate_argnums=0)

    def once() -> dict[str, float]:
        for _ in range(steps):
            state[0] = compiled(state[0], rows)
        jax.block_until_ready(state[0])
        return {}

    return facts | {"units": runs * steps}, once


if __name__ == "__main__":
    serve({"one_by_one": one_by_one, "vmapped": vmapped})
