"""Rows of h with whose they are: a batch, and a memory of the latest ones joined to it.

What a defence measures over a batch (the mean of h of a speaker, a kernel distance of two classes)
is noise where the batch is small. The latest rows, through which no gradient flows, are joined to
it: [M, D] beside the encoders, whose batches stay as they are.
"""

from collections.abc import Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp

from privrep.unlearning.running_state import by_earlier

LEAST = 4  # rows of a speaker that make a mean


class Rows(NamedTuple):
    """Views of h of n utterances.

    Attributes:
      views: {view: float[n, D]}, those that adversaries read and, in the objective, h.
      task: int32[n], -1 unknown.
      private: {attribute: int32[n]}, -1 unknown.
      speaker: int32[n], -1 unknown.
      is_valid: bool[n], False for padding.
    """

    views: Mapping[str, jax.Array]
    task: jax.Array
    private: Mapping[str, jax.Array]
    speaker: jax.Array
    is_valid: jax.Array


def empty(like: Rows, size: int) -> Rows:
    """`size` rows that are not valid, of the shapes and types of the rows `like`."""
    return jax.tree.map(lambda a: jnp.zeros((size, *a.shape[1:]), a.dtype), like)


def joined(batch: Rows, memory: Rows, size: int) -> Rows:
    """The rows of the batch, followed by the newest of the memory, `size` in all or the batch.

    No gradient flows through rows of the memory.
    """
    count = max(size - len(batch.is_valid), 0)
    memory = jax.lax.stop_gradient(jax.tree.map(lambda a: a[:count], memory))
    return jax.tree.map(lambda new, old: jnp.concatenate([new, old]), batch, memory)


def remember(memory: Rows, batch: Rows) -> Rows:
    """The latest M rows: those of the batch, followed by the newest of the memory."""
    return jax.tree.map(lambda old, new: jnp.concatenate([new, old])[: len(old)], memory, batch)


def first_rows(rows: Rows, count: int) -> Rows:
    """The first `count` rows, those of the batch."""
    return jax.tree.map(lambda a: a[:count], rows)


def relative(rows: Rows) -> Rows:
    """Every view less the speaker's mean over the valid rows:

        view_i - mean over j with speaker_j = speaker_i of view_j

    A speaker of fewer than LEAST rows, or who is unknown, has no mean of his own, and the mean over
    all valid rows is taken off: it is blind to every attribute. The gradient includes the means.

    >>> rows = Rows({"h": jnp.array([[1.0], [3.0], [5.0], [7.0], [20.0]])}, None, {},
    ...             jnp.array([0, 0, 0, 0, 1]), jnp.ones(5, bool))
    >>> relative(rows).views["h"][:, 0].tolist()  # the mean of all is 7.2
    [-3.0, -1.0, 1.0, 3.0, 12.8...]
    """
    share = jnp.where(has_mean(rows)[:, None], same_speaker(rows), rows.is_valid[None])
    share = share / jnp.maximum(share.sum(1, keepdims=True), 1)

    def centred(view: jax.Array) -> jax.Array:
        finite = jnp.where(rows.is_valid[:, None], view, 0)  # padding may hold NaN
        return view - share @ finite

    return rows._replace(views={name: centred(view) for name, view in rows.views.items()})


def moments(view: jax.Array, is_valid: jax.Array) -> dict[str, jax.Array]:
    """The mean and deviation of every unit over the valid rows, {"mean", "deviation": float[D]}.

        deviation = sqrt(variance + mean variance of the units / 10^4 + 10^-8)

    The added terms bound the scale of a unit that is constant now and varies later.

    Args:
      view: float[M, D].
      is_valid: bool[M].
    """
    count = jnp.maximum(is_valid.sum(), 1)
    rows = is_valid[:, None]
    mean = jnp.where(rows, view, 0).sum(0) / count
    variance = jnp.where(rows, (view - mean[None]) ** 2, 0).sum(0) / count
    return {"mean": mean, "deviation": jnp.sqrt(variance + 1e-4 * variance.mean() + 1e-8)}


def same_speaker(rows: Rows) -> jax.Array:
    """bool[n, n], whether two rows are valid and of one known speaker."""
    known = rows.is_valid & (rows.speaker >= 0)
    return (rows.speaker[:, None] == rows.speaker[None]) & known[:, None] & known[None]


def has_mean(rows: Rows) -> jax.Array:
    """bool[n], whether a row is valid and its speaker has LEAST valid rows."""
    return same_speaker(rows).sum(1) >= LEAST


def centred_by_speaker(h: jax.Array, speaker: jax.Array, where: jax.Array) -> jax.Array:
    """h [N, D] less each speaker's mean over the rows `where` bool[N], for a whole corpus.

    As `relative`, with memory for N x D numbers in place of N x N; rows outside `where` are centred
    as well, by the mean of their speaker.

    Args:
      speaker: int32[N], below N; -1 unknown.
    """
    count, mean, overall = _means(h, speaker, where)
    has_own = (count >= LEAST) & (speaker >= 0)
    return h - jnp.where(has_own[:, None], mean, overall)


def centred_by_earlier(h: jax.Array, speaker: jax.Array, is_enrolled: jax.Array) -> jax.Array:
    """h [N, D] less the mean over what each speaker has enrolled and has said before the row.

    The order is that of the rows; the mean over all enrolled rows is taken off where the speaker
    has fewer than LEAST. Enrolled rows are centred by the enrolment.

    Args:
      speaker: int32[N], below N; -1 unknown.
      is_enrolled: bool[N].
    """
    count, mean, overall = _means(h, speaker, is_enrolled)
    person = jnp.where(speaker >= 0, speaker, len(h))
    shape = (len(h) + 1, h.shape[1])
    start = (
        jnp.zeros(shape[:1], h.dtype).at[person].set(jnp.where(speaker >= 0, count, 0)),
        jnp.zeros(shape, h.dtype).at[person].set(mean),
    )

    def read(states: tuple[jax.Array, jax.Array], rows: jax.Array) -> jax.Array:
        count, mean = states
        return rows - jnp.where((count >= LEAST)[:, None], mean, overall)

    def update(state: tuple[jax.Array, jax.Array], row: jax.Array) -> tuple[jax.Array, jax.Array]:
        count, mean = state
        return count + 1, mean + (row - mean) / (count + 1)

    return by_earlier(read, update, start, h, person, is_enrolled)


def _means(
    h: jax.Array, speaker: jax.Array, where: jax.Array
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Of each row's speaker the number float[N] and mean [N, D] of rows `where`; of all, [1, D]."""
    counted = where & (speaker >= 0)
    index = jnp.where(speaker >= 0, speaker, 0)
    finite = jnp.where(where[:, None], h, 0)
    summed = jnp.where(counted[:, None], finite, 0)
    count = jax.ops.segment_sum(counted.astype(h.dtype), index, len(h))[index]
    mean = jax.ops.segment_sum(summed, index, len(h))[index] / jnp.maximum(count, 1)[:, None]
    overall = finite.sum(0, keepdims=True) / jnp.maximum(where.sum(), 1)
    return count, mean, overall
