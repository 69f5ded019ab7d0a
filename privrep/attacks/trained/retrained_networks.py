"""Networks that attack under exchanged labels: one stack of every labelling, fold and size."""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from privrep.attacks.trained.dense import ATTACK_RATE, Dense, Largest, apply_dense, init_dense
from privrep.networks.kernels.gru import frame_mask, gru
from privrep.parallel.memory import most_together
from privrep.parallel.run_axis import by_calls, over_runs, share
from privrep.training.fit import fit
from privrep.training.losses import cross_entropy
from privrep.training.metrics import uar
from privrep.training.problem import FitSettings, Problem

PyTree = Any
_NEVER = 1e9


class Exchanged(NamedTuple):
    """What all attackers of a stack share.

    Attributes:
      h: float[N, D], or float[N, T, D] of frames; standardised.
      num_frames: int32[N], or None with [N, D].
      labels: int32[P, N], classes from 0 to C - 1.
      folds: int32[N].
      taught: bool[N], the rows that may be learned from and chosen on.
      known: int32[K, n, b], the taught rows of each fold in blocks, -1 padding.
      blocks: int32[K, n, b], all rows of each fold.
    """

    h: jax.Array
    num_frames: jax.Array | None
    labels: jax.Array
    folds: jax.Array
    taught: jax.Array
    known: jax.Array
    blocks: jax.Array


class Learner(NamedTuple):
    """One attacker. A leading R when stacked.

    Attributes:
      key: PRNG key.
      labelling: int32, the row of the labels.
      fold: int32, the tested one; the fold behind it is the validation part.
      depth, width: int32, of a dense network; see `dense.Dense`.
    """

    key: jax.Array
    labelling: jax.Array
    fold: jax.Array
    depth: jax.Array
    width: jax.Array


class Recurrent(NamedTuple):
    """A GRU of `width` over the frames, the mean of its states, and logits from that."""

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
    """Logits [B, C] of frames [B, T, D], of which those from num_frames on are no matter."""
    inside = frame_mask(num_frames, h.shape[1], bool)
    frames = jnp.where(inside, h.swapaxes(0, 1), 0)
    gates = frames @ params["inward"] + params["gates"][None, None]
    states = jnp.where(inside, gru(gates, params["recurrent"], params["bias"]), 0)
    pooled = states.sum(0) / num_frames[:, None]
    return pooled @ params["outward"] + params["offset"][None]


def _logits(kind: _Kind, data: Exchanged, run: Learner, params: PyTree, index) -> jax.Array:
    h = data.h[index]
    if isinstance(kind.network, Recurrent):
        return _apply_recurrent(params, h, data.num_frames[index])
    return apply_dense(params, h, run)


def _problem(kind: _Kind, data: Exchanged, run: Learner) -> Problem:
    """One attacker, as `fit.fit` wants it."""
    num_folds, size = data.known.shape[0], data.h.shape[-1]
    labels = data.labels[run.labelling]
    held = (run.fold + 1) % num_folds
    train = data.taught & (data.folds != run.fold) & (data.folds != held)
    support = jax.nn.one_hot(labels, kind.num_classes) * train[:, None]
    weights = train.sum() / (kind.num_classes * jnp.maximum(support.sum(0), 1))
    val = data.known[held]

    def gradient(params, key, index, weight, progress):
        del key, progress

        def loss(params):
            logits = _logits(kind, data, run, params, index)
            each = cross_entropy(logits, labels[index], weights) * weight
            return each.sum() / jnp.maximum(weight.sum(), 1), {"attacker": each.sum()}

        gradients, sums = jax.grad(loss, has_aux=True)(params)
        return sums, gradients

    def init(key):
        if isinstance(kind.network, Recurrent):
            return _init_recurrent(kind.network.width, size, kind.num_classes, key)
        return init_dense(kind.network, size, run._replace(key=key))

    return Problem(
        init=init,
        gradient=gradient,
        score=lambda logits: {
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


def _guess_one(kind: _Kind, data: Exchanged, row):
    run, params = row

    def scores(blocks):
        def one(index):
            return _logits(kind, data, run, params, jnp.maximum(index, 0))

        found = jax.lax.map(one, blocks)
        return found.reshape(-1, kind.num_classes)

    return {
        "val": scores(data.known[(run.fold + 1) % data.known.shape[0]]),
        "test": scores(data.blocks[run.fold]),
    }


@partial(jax.jit, static_argnums=0)
def _guess_all(kind, data, rows):
    return over_runs(partial(_guess_one, kind), data, rows)


def learn(
    sizes: tuple[Dense, ...] | Recurrent,
    settings: FitSettings,
    data: Exchanged,
    key: jax.Array,
    folds: tuple[int, ...],
    num_classes: int,
) -> dict[str, jax.Array]:
    """Trains networks of every size on every labelling and fold, all in one stack.

    Args:
      sizes: dense networks for h [N, D], or a recurrent one for frames.
      settings: of `fit.fit`.
      data: see `Exchanged`.
      key: the attackers of a fold and size start alike whatever the labelling.
      folds: the F tested ones.
      num_classes: C.

    Returns:
      score: float32[S, F, P], the best UAR on the validation fold, -inf where there is none.
      val, test: float32[S, F, P, n * b, C], logits of the rows of `known` of the validation fold
        and of `blocks` of the tested one, in their order.
    """
    dense = not isinstance(sizes, Recurrent)
    each = sizes if dense else (Dense(0, 0),)
    largest = Largest(max(s.depth for s in each), max(s.width for s in each), num_classes)
    kind = _Kind(largest if dense else sizes, num_classes)
    shape = len(each), len(folds), len(data.labels)
    size, fold, labelling = (
        a.reshape(-1) for a in jnp.meshgrid(*(jnp.arange(n) for n in shape), indexing="ij")
    )
    tested = jnp.array(folds)[fold]
    runs = Learner(
        key=jax.vmap(lambda s, f: jax.random.fold_in(jax.random.fold_in(key, s), f))(size, tested),
        labelling=labelling.astype(jnp.int32),
        fold=tested.astype(jnp.int32),
        depth=jnp.array([s.depth for s in each], jnp.int32)[size],
        width=jnp.array([s.width for s in each], jnp.int32)[size],
    )
    data = share(data)
    for stage in fit(_problem, kind, settings, data, runs):
        last = stage
    last = last.fits()
    rows = (runs, last.best)
    together = most_together(partial(_guess_one, kind), data, rows)
    found = by_calls(partial(_guess_all, kind, data), rows, together)
    found["score"] = last.best_score
    return {name: a.reshape(*shape, *a.shape[1:]) for name, a in found.items()}
