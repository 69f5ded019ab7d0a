"""Dense attackers, which predict a private attribute from h after training.

An attacker has access to h and not to the network. It learns on the training part, its epoch is
chosen on the validation part, and it is scored on the test part; the three have no speaker in
common.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp

from privrep.parallel.memory import most_together
from privrep.parallel.run_axis import by_calls, num_runs, over_runs, share, take
from privrep.training.fit import fit_to_end
from privrep.training.losses import cross_entropy
from privrep.training.metrics import uar
from privrep.training.problem import FitSettings, Problem
from privrep.types import Array, Split

PyTree = Any


class AttackData(NamedTuple):
    """The data of an attack: what to predict, from what, and the split. A leading R when stacked.

    Attributes:
      key: PRNG key.
      h: float[N, D].
      labels: int32[N], -1 unknown.
      weights: float32[C], class weights of the training part.
      split: bool[N] each.
    """

    key: jax.Array
    h: Array
    labels: Array
    weights: Array
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
    """One attacker, as a row of the run axis. A leading A when stacked.

    Attributes:
      key: PRNG key.
      target: int32, the row of the attack data.
      depth, width: int32, see `Dense`.
    """

    key: jax.Array
    target: jax.Array
    depth: jax.Array
    width: jax.Array


class Largest(NamedTuple):
    """The largest depth and width of the stack: the only size that is compiled."""

    depth: int
    width: int
    num_classes: int


def standardise(h: jax.Array, train: jax.Array) -> jax.Array:
    """h with mean 0 and deviation 1 over the training rows; a constant column becomes 0. [N, D]."""
    count = jnp.maximum(train.sum(), 1)
    rows = train[:, None]
    mean = jnp.where(rows, h, 0).sum(0, keepdims=True) / count
    variance = jnp.where(rows, (h - mean) ** 2, 0).sum(0, keepdims=True) / count
    # A column whose spread is rounding error would become noise of size 1. A column of NaN stays
    # NaN: replaced by 0 it would look as if nothing leaked.
    constant = variance <= 1e-10 * (1 + mean**2)
    return jnp.where(constant, 0, (h - mean) * jax.lax.rsqrt(jnp.where(constant, 1, variance)))


class Sized(Protocol):
    """A row of the run axis that has a key and a network size, such as an `AttackRun`."""

    @property
    def key(self) -> jax.Array: ...
    @property
    def depth(self) -> jax.Array: ...
    @property
    def width(self) -> jax.Array: ...


def init_dense(largest: Largest, size: int, run: Sized) -> PyTree:
    """He's initialisation of the network of this run's size, inside the arrays of the largest.

    Args:
      size: D.
    """
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


def apply_dense(params: PyTree, h: jax.Array, run: Sized) -> jax.Array:
    """Logits [B, C] of the network of this run's size.

    Units beyond the run's width are 0 and get no gradient, and layers beyond its depth are skipped.
    The network is therefore exactly the smaller one, and attackers of all sizes are one program.
    """
    x = h
    for layer, (kernel, bias) in enumerate(params["hidden"]):
        active = jnp.arange(len(bias)) < run.width
        y = jnp.where(active[None], jax.nn.relu(x @ kernel + bias[None]), 0)
        x = y if layer == 0 else jnp.where(layer < run.depth, y, x)
    straight = h @ params["straight"]
    logits = x @ params["output"] if params["hidden"] else straight
    return jnp.where(run.depth == 0, straight, logits) + params["bias"][None]


def gradient_of(
    logits_of: Callable[[PyTree, jax.Array], jax.Array], labels: jax.Array, weights: jax.Array
) -> Callable[..., tuple[PyTree, PyTree]]:
    """`Problem.gradient` of an attacker, that of its mean cross-entropy.

    Args:
      logits_of: (params, index int32[B]) -> [B, C].
      labels: int[N].
      weights: float[C], of the classes.
    """

    def gradient(
        params: PyTree,
        state: PyTree,
        key: jax.Array,
        index: jax.Array,
        weight: jax.Array,
        progress: jax.Array,
    ) -> tuple[PyTree, PyTree]:
        del state, key, progress

        def loss(params: PyTree) -> tuple[jax.Array, PyTree]:
            losses = cross_entropy(logits_of(params, index), labels[index], weights) * weight
            return losses.sum() / jnp.maximum(weight.sum(), 1), {"attacker": losses.sum()}

        gradients, sums = jax.grad(loss, has_aux=True)(params)
        return sums, gradients

    return gradient


def attack_problem(largest: Largest, attack_data: AttackData, run: AttackRun) -> Problem:
    """One attacker, as `fit.fit` takes it; `attack_data` has rows [R, ...]."""
    data = take(attack_data, run.target)
    h = standardise(data.h, data.split.train)

    def score(params: PyTree, outputs: PyTree) -> dict[str, jax.Array]:
        del outputs
        logits = apply_dense(params, h, run)
        return {"selection": uar(logits, data.labels, largest.num_classes, data.split.val)}

    return Problem(
        init=lambda key: init_dense(largest, h.shape[1], run),
        gradient=gradient_of(
            lambda params, index: apply_dense(params, h[index], run), data.labels, data.weights
        ),
        score=score,
        rates=lambda params: jax.tree.map(lambda _: ATTACK_RATE, params),
        weight_decay=jnp.float32(0),
        train=data.split.train & (data.labels >= 0),
    )


def _score_one(largest: Largest, attack_data: AttackData, row: PyTree) -> dict[str, jax.Array]:
    run, params = row
    data = take(attack_data, run.target)
    logits = apply_dense(params, standardise(data.h, data.split.train), run)
    return {
        part: uar(logits, data.labels, largest.num_classes, where)
        for part, where in data.split._asdict().items()
    }


@partial(jax.jit, static_argnums=0)
def _scores(largest: Largest, attack_data: AttackData, rows: PyTree) -> dict[str, jax.Array]:
    return over_runs(partial(_score_one, largest), attack_data, rows)


def attack(names: Sequence[str], attack_data: AttackData, num_classes: int) -> dict[str, jax.Array]:
    """Trains every named attacker on every row of the attack data, all in one stack.

    Args:
      names: in ATTACKERS.
      attack_data: rows [R, ...].
      num_classes: C.

    Returns:
      {part: UAR float32[len(names), R]} for train, val and test; NaN where the validation part has
      no utterance with a label, or h is not finite.
    """
    sizes = [ATTACKERS[name] for name in names]
    largest = Largest(max(s.depth for s in sizes), max(max(s.width for s in sizes), 1), num_classes)
    count = num_runs(attack_data)

    def per_attacker(values: Sequence[int]) -> jax.Array:  # -> int32[len(names) * R]
        return jnp.repeat(jnp.array(values, jnp.int32), count)

    runs = AttackRun(
        key=jnp.tile(attack_data.key, len(names)),
        target=jnp.tile(jnp.arange(count, dtype=jnp.int32), len(names)),
        depth=per_attacker([s.depth for s in sizes]),
        width=per_attacker([s.width for s in sizes]),
    )
    attack_data = share(attack_data)
    fits = fit_to_end(attack_problem, largest, ATTACK_SETTINGS, attack_data, runs)
    rows = (runs, fits.best)
    size = most_together(partial(_score_one, largest), attack_data, rows)
    scores = by_calls(partial(_scores, largest, attack_data), rows, size)
    has_score = fits.best_epoch > 0
    return {
        part: jnp.where(has_score, of_part, jnp.nan).reshape(len(names), count)
        for part, of_part in scores.items()
    }
