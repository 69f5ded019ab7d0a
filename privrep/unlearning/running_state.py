"""States that go on with every utterance: each is read by the state of what was said before it."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

PyTree = Any


def by_earlier(
    read: Callable[[PyTree, jax.Array], jax.Array],
    update: Callable[[PyTree, jax.Array], PyTree],
    start: PyTree,
    h: jax.Array,
    person: jax.Array,
    is_enrolled: jax.Array,
) -> jax.Array:
    """read(state, h_t) of every utterance t, by the state of what its person has said before it.

    That is the enrolment, updated by the person's other utterances in the order of the rows:

        s_t = start of the person,  updated by h_u for every u < t of the person, u not enrolled

    Enrolled utterances are read by `start`. One utterance after another, persons in turn: the
    memory is that of one state.

    Args:
      read, update: of a state and one utterance h float[D].
      start: states of P persons, with a leading P, and behind them that of nobody.
      h: float[N, D].
      person: int32[N] up to P, nobody, whose state is not updated.
      is_enrolled: bool[N].

    >>> h = jnp.array([[1.0], [10.0], [2.0], [20.0], [3.0]])
    >>> person, is_enrolled = jnp.array([0, 1, 0, 1, 0]), jnp.array([0, 0, 1, 0, 0], bool)
    >>> start = jnp.array([2.0, 0.0, -1.0])  # sums: person 0 has enrolled 2
    >>> read, update = lambda total, x: total[None], lambda total, x: total + x[0]
    >>> by_earlier(read, update, start, h, person, is_enrolled)[:, 0].tolist()
    [2.0, 0.0, 2.0, 10.0, 3.0]
    """
    nobody = len(jax.tree.leaves(start)[0]) - 1
    order = jnp.argsort(person, stable=True)
    h, person, is_enrolled = h[order], person[order], jnp.asarray(is_enrolled)[order]
    is_first = jnp.concatenate([jnp.ones(1, bool), person[1:] != person[:-1]])
    goes_on = ~is_enrolled & (person < nobody)

    def step(state: PyTree, row: tuple[jax.Array, ...]) -> tuple[PyTree, jax.Array]:
        utterance, of_person, enrolled, begins, adds = row
        enrolment = jax.tree.map(lambda a: a[of_person], start)
        state = jax.tree.map(partial(jnp.where, begins), enrolment, state)
        known = jax.tree.map(partial(jnp.where, enrolled), enrolment, state)
        updated = update(state, utterance)
        return jax.tree.map(partial(jnp.where, adds), updated, state), read(known, utterance)

    rows = (h, person, is_enrolled, is_first, goes_on)
    _, result = jax.lax.scan(step, jax.tree.map(lambda a: a[-1], start), rows)
    return jnp.zeros_like(result).at[order].set(result)
