"""States that go on with every utterance: each is read by the state of what was said before it."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

PyTree = Any
_BLOCK = 64  # states that are in memory at a time


def by_earlier(
    read: Callable[[PyTree, jax.Array], jax.Array],
    update: Callable[[PyTree, jax.Array], PyTree],
    start: PyTree,
    h: jax.Array,
    person: jax.Array,
    is_enrolled: jax.Array,
) -> jax.Array:
    """Applies `read` to every utterance, with its speaker's state before that utterance.

    That is the enrolment, updated by the person's other utterances in the order of the rows:

        s_t = start of the person,  updated by h_u for every u < t of the person, u not enrolled

    Enrolled utterances are read by `start`. States are made one after another, persons in turn, and
    read in blocks, so that the memory is that of a block of states.

    Args:
      read: of B states, with a leading B, and their utterances float[B, D].
      update: of a state and an utterance float[D].
      start: P + 1 states along a leading axis; the last is for rows without a speaker.
      h: float[N, D].
      person: int32[N] up to P, nobody, whose state is not updated.
      is_enrolled: bool[N].

    >>> h = jnp.array([[1.0], [10.0], [2.0], [20.0], [3.0]])
    >>> person, is_enrolled = jnp.array([0, 1, 0, 1, 0]), jnp.array([0, 0, 1, 0, 0], bool)
    >>> start = jnp.array([2.0, 0.0, -1.0])  # sums: person 0 has enrolled 2
    >>> read, update = lambda totals, rows: totals[:, None], lambda total, row: total + row[0]
    >>> by_earlier(read, update, start, h, person, is_enrolled)[:, 0].tolist()
    [2.0, 0.0, 2.0, 10.0, 3.0]
    """
    nobody = len(jax.tree.leaves(start)[0]) - 1
    order, padding = jnp.argsort(person, stable=True), -len(h) % _BLOCK
    is_first = jnp.diff(person[order], prepend=-1) != 0
    adds = ~jnp.asarray(is_enrolled) & (person < nobody)
    rows = (h[order], person[order], jnp.asarray(is_enrolled)[order], is_first, adds[order])
    padded = jax.tree.map(lambda a: jnp.pad(a, ((0, padding), *((0, 0),) * (a.ndim - 1))), rows)
    blocks = jax.tree.map(lambda a: a.reshape(-1, _BLOCK, *a.shape[1:]), padded)

    def step(state: PyTree, row: tuple[jax.Array, ...]) -> tuple[PyTree, PyTree]:
        utterance, of_person, enrolled, begins, adds = row
        enrolment = jax.tree.map(lambda a: a[of_person], start)
        state = jax.tree.map(partial(jnp.where, begins), enrolment, state)
        known = jax.tree.map(partial(jnp.where, enrolled), enrolment, state)
        return jax.tree.map(partial(jnp.where, adds), update(state, utterance), state), known

    def of_block(state: PyTree, block: tuple[jax.Array, ...]) -> tuple[PyTree, jax.Array]:
        state, known = jax.lax.scan(step, state, block)
        return state, read(known, block[0])

    _, result = jax.lax.scan(of_block, jax.tree.map(lambda a: a[-1], start), blocks)
    result = result.reshape(-1, *result.shape[2:])[: len(h)]
    return jnp.zeros_like(result).at[order].set(result)
