"""Who tries to read a private attribute out of h afterwards, and what counts as success.

An attacker sees the representations h and nothing of the network. It learns on the training part,
its epoch is chosen on the validation part, and it is scored on the test part; the speakers of the
three are different people.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from privrep.parallel.memory import most_together
from privrep.parallel.run_axis import by_calls, num_runs, over_runs, share, take
from privrep.training.fit import fit
from privrep.training.losses import cross_entropy
from privrep.training.metrics import uar
from privrep.training.problem import FitSettings, Problem
from privrep.types import Split

PyTree = Any


class Threat(NamedTuple):
    """What is guessed, about whom, learned from whom. A leading R when stacked.

    Attributes:
      key: PRNG key.
      h: float[N, D].
      labels: int32[N], -1 unknown.
      weights: float32[C], class weights of the training part.
      split: bool[N] each.
    """

    key: jax.Array
    h: jax.Array
    labels: jax.Array
    weights: jax.Array
    split: Split


class Dense(NamedTuple):
    """h -> `depth` hidden layers of `width` -> logits. Depth 0 is logistic regression."""

    depth: int
    width: int


# The linear attacker, and the paper's grid of dense networks.
ATTACKERS: dict[str, Dense] = {
    "linear": Dense(0, 0),
    **{f"mlp_{depth}x{width}": Dense(depth, width) for depth in (2, 3, 4) for width in (32, 64)},
}

ATTACK_RATE = 2e-3
ATTACK_SETTINGS = FitSettings(batch_size=64, max_epochs=60, patience=10, clip_norm=10.0)


class AttackRun(NamedTuple):
    """One attacker. A leading A when stacked.

    Attributes:
      key: PRNG key.
      threat: int32, the row of the threats it attacks.
      depth, width: int32, see `Dense`.
    """

    key: jax.Array
    threat: jax.Array
    depth: jax.Array
    width: jax.Array


class Largest(NamedTuple):
    """The largest network of the stack: the only size that is compiled."""

    depth: int
    width: int
    num_classes: int


def standardise(h: jax.Array, train: jax.Array) -> jax.Array:
    """Mean 0 and deviation 1 over the training rows; a constant column becomes 0. [N, D]."""
    count = jnp.maximum(train.sum(), 1)
    rows = train[:, None]
    mean = jnp.where(rows, h, 0).sum(0, keepdims=True) / count
    variance = jnp.where(rows, (h - mean) ** 2, 0).sum(0, keepdims=True) / count
    # A column whose spread is rounding error would be blown up to noise of size 1. One of NaN is
    # not taken for it: it would be as good as no leak.
    constant = variance <= 1e-10 * (1 + mean**2)
    return jnp.where(constant, 0, (h - mean) * jax.lax.rsqrt(jnp.where(constant, 1, variance)))


def init_dense(largest: Largest, size: int, run: AttackRun):
    """He's start for the network of this run's size, inside the arrays of the largest."""
    keys = jax.random.split(run.key, largest.depth + 2)
    active = (jnp.arange(largest.width) < run.width).astype(jnp.float32)
    hidden = []
    for layer, key in enumerate(keys[:-2]):
        rows, inputs = (size, size) if layer == 0 else (largest.width, jnp.maximum(run.width, 1))
        kernel = jax.random.normal(key, (rows, largest.width)) * jnp.sqrt(2 / inputs)
        hidden.append((kernel * active[None], jnp.zeros(largest.width)))
    output = jax.random.normal(keys[-2], (largest.width, largest.num_classes))
    straight = jax.random.normal(keys[-1], (size, largest.num_classes))
    return {
        "hidden": hidden,
        "output": output * active[:, None] / jnp.sqrt(jnp.maximum(run.width, 1)),
        "straight": straight / jnp.sqrt(size),
        "bias": jnp.zeros(largest.num_classes),
    }


def apply_dense(params, h: jax.Array, run: AttackRun) -> jax.Array:
    """Logits [B, C] of the network of this run's size.

    Units beyond the run's width start at 0 and get no gradient, layers beyond its depth are passed
    by: the network is exactly the smaller one, and attackers of all sizes are one program.
    """
    x = h
    for layer, (kernel, bias) in enumerate(params["hidden"]):
        active = jnp.arange(len(bias)) < run.width
        y = jnp.where(active[None], jax.nn.relu(x @ kernel + bias[None]), 0)
        x = y if layer == 0 else jnp.where(layer < run.depth, y, x)
    straight = h @ params["straight"]
    logits = x @ params["output"] if params["hidden"] else straight
    return jnp.where(run.depth == 0, straight, logits) + params["bias"][None]


def attack_problem(largest: Largest, threats: Threat, run: AttackRun) -> Problem:
    """One attacker, as `fit.fit` wants it."""
    threat = take(threats, run.threat)
    h = standardise(threat.h, threat.split.train)

    def gradient(params, key, index, weight, progress):
        del key, progress

        def loss(params):
            logits = apply_dense(params, h[index], run)
            each = cross_entropy(logits, threat.labels[index], threat.weights) * weight
            return each.sum() / jnp.maximum(weight.sum(), 1), {"attacker": each.sum()}

        gradients, sums = jax.grad(loss, has_aux=True)(params)
        return sums, gradients

    def score(params):
        logits = apply_dense(params, h, run)
        return {"selection": uar(logits, threat.labels, largest.num_classes, threat.split.val)}

    return Problem(
        init=lambda key: init_dense(largest, h.shape[1], run),
        gradient=gradient,
        score=score,
        rates=lambda params: jax.tree.map(lambda _: ATTACK_RATE, params),
        weight_decay=jnp.float32(0),
        train=threat.split.train & (threat.labels >= 0),
    )


def _score_one(largest, threats, row):
    run, params = row
    threat = take(threats, run.threat)
    logits = apply_dense(params, standardise(threat.h, threat.split.train), run)
    return {
        part: uar(logits, threat.labels, largest.num_classes, where)
        for part, where in threat.split._asdict().items()
    }


@partial(jax.jit, static_argnums=0)
def _scores(largest, threats, rows):
    return over_runs(partial(_score_one, largest), threats, rows)


def attack(names: Sequence[str], threats: Threat, num_classes: int) -> dict[str, jax.Array]:
    """Trains every named attacker on every threat, all in one stack.

    Args:
      names: in ATTACKERS.
      threats: rows [R, ...].

    Returns:
      {part: UAR float32[len(names), R]} for train, val and test. NaN where an attacker had no
      validation utterance to be chosen on, or its h is not finite.
    """
    sizes = [ATTACKERS[name] for name in names]
    largest = Largest(max(s.depth for s in sizes), max(max(s.width for s in sizes), 1), num_classes)
    count = num_runs(threats)

    def each(values):  # one value per attacker -> one per attacker and threat
        return jnp.repeat(jnp.array(values, jnp.int32), count)

    runs = AttackRun(
        key=jnp.tile(threats.key, len(names)),
        threat=jnp.tile(jnp.arange(count, dtype=jnp.int32), len(names)),
        depth=each([s.depth for s in sizes]),
        width=each([s.width for s in sizes]),
    )
    threats = share(threats)
    for stage in fit(attack_problem, largest, ATTACK_SETTINGS, threats, runs):
        last = stage
    last = last.fits()
    rows = (runs, last.best)
    size = most_together(partial(_score_one, largest), threats, rows)
    scores = by_calls(partial(_scores, largest, threats), rows, size)
    chosen = last.best_epoch > 0
    return {
        part: jnp.where(chosen, found, jnp.nan).reshape(len(names), count)
        for part, found in scores.items()
    }
