"""The network as one would write it in plain Flax: nn.Conv, nn.RNN, one padded batch, jit.

It imports no experiments.devices: jax runs in it as it does out of the box. It trains on the same
few batches again and again and scores nothing, which is less work than privrep's own training does.
"""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax

from experiments.benchmark.rounds import Started
from experiments.benchmark.work import (
    CLASSES,
    FRAMES_PER_SECOND,
    LONGEST,
    PRIVATE_CLASSES,
    Network,
    Training,
    draw_batches,
)
from privrep.grl import gradient_reversal


class PlainFlax(nn.Module):
    """Logits of emotion [B, 3] and gender [B, 2] from frames [B, T, F]."""

    network: Network

    @nn.compact
    def __call__(
        self, x: jax.Array, length: jax.Array, lambda_: float
    ) -> tuple[jax.Array, jax.Array]:
        network = self.network
        mask = (jnp.arange(x.shape[1])[None] < length[:, None]).astype(x.dtype)
        for i in range(network.conv_layers):
            x = nn.Conv(network.num_kernels, (network.kernel_width,), padding="SAME")(x)
            x = nn.relu(x) * mask[..., None]
            if network.conv_pool > 1 and i < network.conv_layers - 1:
                x = nn.max_pool(x, (2,), (2,), "SAME")
                mask = mask[:, ::2]
        for _ in range(network.gru_layers):
            gru: Any = nn.RNN(nn.GRUCell(network.gru_width))
            x = gru(x)
        h = (x * mask[..., None]).sum(1) / jnp.maximum(mask.sum(1, keepdims=True), 1)
        h = nn.relu(nn.Dense(network.dense_width)(h))
        return nn.Dense(CLASSES)(h), nn.Dense(PRIVATE_CLASSES)(gradient_reversal(h, lambda_))


def loss(net: PlainFlax, params: Any, batch: tuple[Any, ...], lambda_: float) -> jax.Array:
    """The mean cross-entropy of emotion plus that of gender, which is minimised."""
    x, length, emotion, gender = batch
    emotion_logits, gender_logits = net.apply(params, x, length, lambda_)
    cross_entropy = optax.softmax_cross_entropy_with_integer_labels
    return (
        cross_entropy(emotion_logits, emotion).mean() + cross_entropy(gender_logits, gender).mean()
    )


def one_by_one(work: Training) -> Started:
    """A round is `steps` steps of one network."""
    # One padded size, as every other would be compiled anew.
    padded = work.frames or int(LONGEST * FRAMES_PER_SECOND)
    batches = jax.device_put(draw_batches(work, work.steps, padded))
    net, adam = PlainFlax(work.network), optax.adam(1e-3)
    params = jax.jit(net.init)(jax.random.key(0), *batches[0][:2], 0.5)
    state = params, jax.jit(adam.init)(params)

    def step(state: tuple[Any, Any], batch: tuple[Any, ...]) -> tuple[Any, Any]:
        params, optimiser = state
        gradients = jax.grad(loss, 1)(net, params, batch, 0.5)
        updates, optimiser = adam.update(gradients, optimiser)
        return optax.apply_updates(params, updates), optimiser

    compiled = jax.jit(step, donate_argnums=0)

    def run_round() -> dict[str, float]:
        nonlocal state
        for batch in batches:
            state = compiled(state, batch)
        jax.block_until_ready(state)
        return {}

    return Started(work.steps, run_round)
