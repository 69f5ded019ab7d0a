"""Networks that are retrained for every permutation of the labels, all in one stack.

The rows of the stack are all combinations of labelling, fold and network size.
"""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from privrep.attacks.trained.dense import (
    ATTACK_RATE,
    Dense,
    Largest,
    apply_dense,
    gradient_of,
    init_dense,
)
from privrep.networks.kernels.gru import frame_mask, gru
from privrep.parallel.memory import most_together
from privrep.parallel.run_axis import by_calls, over_runs, share
from privrep.training.fit import fit_to_end
from privrep.training.metrics import uar
from privrep.training.problem import FitSettings, Problem
from privrep.types import Array

PyTree = Any


class PermutedLabels(NamedTuple):
    """The data that all attackers of a stack share: h, and P labellings of its utterances.

    Attributes:
      h: float[N, D], or float[N, T, D] of frames; standardised.
      num_frames: int32[N], or None with [N, D].
      labels: int32[P, N], classes from 0 to C - 1; row 0 are the true ones.
      folds: int32[N].
      sampled: bool[N], the rows that are used for training and validation.
      sampled_blocks: int32[K, n, b], the sampled rows of each fold in blocks, -1 padding.
      blocks: int32[K, n, b], all rows of each fold.
    """

    h: Array
    num_frames: Array | None
    labels: Array
    folds: Array
    sampled: Array
    sampled_blocks: Array
    blocks: Array


class Learner(NamedTuple):
    """One attacker, as a row of the run axis. A leading R when stacked.

    Attributes:
      key: PRNG key.
      labelling: int32, the row of the labels.
      fold: int32, the test fold; the next one is the validation part.
      depth, width: int32, of a dense network; see `dense.Dense`.
    """

    key: jax.Array
    labelling: jax.Array
    fold: jax.Array
    depth: jax.Array
    width: jax.Array


class Recurrent(NamedTuple):
    """A GRU of `width` over the frames, the mean of its states, and a linear layer."""

    width: int


class _Kind(NamedTuple):
    network: Largest | Recurrent
    num_classes: int


def _init_recurrent(width: int, size: int, num_classes: int, key: jax.Array) -> PyTree:
    inward_key, recurrent_key, outward_key = jax.random.split(key, 3)
    return {
        "inward": jax.random.normal(inward_key, (size, 3 * width)) / jnp.sqrt(size),
        "gates": jnp.zeros(3 * width),
        "recurrent": jax.random.normal(recurrent_key, (width, 3 * width)) / jnp.sqrt(width),
        "bias": jnp.zeros(width),
        "outward": jax.random.normal(outward_key, (width, num_classes)) / jnp.sqrt(width),
        "offset": jnp.zeros(num_classes),
    }


def _apply_recurrent(params: PyTree, h: jax.Array, num_frames: jax.Array) -> jax.Array:
    """Logits [B, C] of frames [B, T, D]; the frames from num_frames on are not used."""
    inside = frame_mask(num_frames, h.shape[1], bool)
    frames = jnp.where(inside, h.swapaxes(0, 1), 0)
    gates = frames @ params["inward"] + params["gates"][None, None]
    states = jnp.where(inside, gru(gates, params["recurrent"], params["bias"]), 0)
    pooled = states.sum(0) / num_frames[:, None]
    return pooled @ params["outward"] + params["offset"][None]


def _logits(
    kind: _Kind, data: PermutedLabels, run: Learner, params: PyTree, index: jax.Array
) -> jax.Array:
    h = data.h[index]
    if isinstance(kind.network, Recurrent):
        assert data.num_frames is not None
        return _apply_recurrent(params, h, data.num_frames[index])
    return apply_dense(params, h, run)


def _problem(kind: _Kind, data: PermutedLabels, run: Learner) -> Problem:
    """One attacker, as `fit.fit` takes it."""
    num_folds, size = data.sampled_blocks.shape[0], data.h.shape[-1]
    labels = data.labels[run.labelling]
    val_fold = (run.fold + 1) % num_folds
    train = data.sampled & (data.folds != run.fold) & (data.folds != val_fold)
    support = jax.nn.one_hot(labels, kind.num_classes) * train[:, None]
    weights = train.sum() / (kind.num_classes * jnp.maximum(support.sum(0), 1))
    val = data.sampled_blocks[val_fold]

    def init(key: jax.Array) -> PyTree:
        if isinstance(kind.network, Recurrent):
            return _init_recurrent(kind.network.width, size, kind.num_classes, key)
        return init_dense(kind.network, size, run._replace(key=key))

    return Problem(
        init=init,
        gradient=gradient_of(partial(_logits, kind, data, run), labels, weights),
        score=lambda params, logits: {
            "selection": uar(
                logits.reshape(-1, kind.num_classes),
                labels[val.reshape(-1)],
                kind.num_classes,
                val.reshape(-1) >= 0,
            )
        },
        rates=lambda params: jax.tree.map(lambda _: ATTACK_RATE, params),
        weight_decay=jnp.float32(0),
        train=train,
        outputs=lambda params, index: _logits(kind, data, run, params, jnp.maximum(index, 0)),
        blocks=val,
    )


def _predict_one(kind: _Kind, data: PermutedLabels, row: PyTree) -> dict[str, jax.Array]:
    run, params = row

    def logits_of(blocks: jax.Array) -> jax.Array:
        def of_block(index: jax.Array) -> jax.Array:
            return _logits(kind, data, run, params, jnp.maximum(index, 0))

        return jax.lax.map(of_block, blocks).reshape(-1, kind.num_classes)

    val_fold = (run.fold + 1) % data.sampled_blocks.shape[0]
    return {
        "val": logits_of(data.sampled_blocks[val_fold]),
        "test": logits_of(data.blocks[run.fold]),
    }


@partial(jax.jit, static_argnums=0)
def _predict_all(kind: _Kind, data: PermutedLabels, rows: PyTree) -> dict[str, jax.Array]:
    return over_runs(partial(_predict_one, kind), data, rows)


def learn(
    sizes: tuple[Dense, ...] | Recurrent,
    settings: FitSettings,
    data: PermutedLabels,
    key: jax.Array,
    folds: tuple[int, ...],
    num_classes: int,
) -> dict[str, np.ndarray]:
    """Trains networks of every size on every labelling and fold, all in one stack.

    Args:
      sizes: dense networks for h [N, D], or a recurrent one for frames.
      settings: of `fit.fit`.
      data: see `PermutedLabels`.
      key: PRNG key; attackers of the same fold and size have the same initial parameters for every
        labelling.
      folds: the F test folds.
      num_classes: C.

    Returns:
      {"score": float32[S, F, P], "val", "test": float32[S, F, P, n * b, C]} for S sizes. The score
      is the best UAR on the validation fold, -inf if there is none. The others are logits, of the
      rows of `sampled_blocks` of the validation fold and of `blocks` of the test fold, in order.
    """
    if isinstance(sizes, Recurrent):
        of_stack: tuple[Dense, ...] = (Dense(0, 0),)
        kind = _Kind(sizes, num_classes)
    else:
        of_stack = sizes
        depth, width = max(s.depth for s in sizes), max(s.width for s in sizes)
        kind = _Kind(Largest(depth, width, num_classes), num_classes)
    shape = len(of_stack), len(folds), len(data.labels)
    size, fold, labelling = (
        a.reshape(-1) for a in jnp.meshgrid(*(jnp.arange(n) for n in shape), indexing="ij")
    )
    test_fold = jnp.array(folds)[fold]
    runs = Learner(
        key=jax.vmap(lambda s, f: jax.random.fold_in(jax.random.fold_in(key, s), f))(
            size, test_fold
        ),
        labelling=labelling.astype(jnp.int32),
        fold=test_fold.astype(jnp.int32),
        depth=jnp.array([s.depth for s in of_stack], jnp.int32)[size],
        width=jnp.array([s.width for s in of_stack], jnp.int32)[size],
    )
    data = share(data)
    fits = fit_to_end(_problem, kind, settings, data, runs)
    rows = (runs, fits.best)
    together = most_together(partial(_predict_one, kind), data, rows)
    results = by_calls(partial(_predict_all, kind, data), rows, together)
    results["score"] = fits.best_score
    return {name: a.reshape(*shape, *a.shape[1:]) for name, a in results.items()}
