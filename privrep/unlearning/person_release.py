"""Releases with a state per person: h is sent relative to the mean and covariance of who speaks.

The device that sends knows whose it is. It keeps a `PersonState`, the moments of utterances that
this person has said (the enrolment), and sends every other utterance in units of it. What is
learned once, of the training speakers, is stored with the network (`PersonStatistics`).

A state is three arrays: `numpy.savez(file, **state._asdict())` keeps it, and
`PersonState(**arrays)` reads it back. Whether an enrolment will do is a question for the host
(`inputs/enrolment.py`).
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from privrep.unlearning.kept_space import (
    CONSTANT,
    FLOOR,
    STEP,
    column_moments,
    rounded,
)
from privrep.unlearning.running_state import by_earlier

_BLOCK = 256  # utterances whose D x D matrices are in memory at a time


class Shrinkage(NamedTuple):
    """How far a person's moments give way to those of the training speakers; numbers or arrays.

    Attributes:
      n0: the covariance of n utterances has the weight n / (n + n0), that of the training speakers
        the rest; 5 to 20. Infinite: only the mean is the person's.
      mean_weight: the mean of the training speakers has the weight of so many utterances.
      few: it has it beside at most so many; the mean of more stays as it is, since what is left of
        the person's mean is a leak.
      ridge: added to both covariances, in units of the mean variance of a unit.
    """

    n0: float | jax.Array = 5.0
    mean_weight: float | jax.Array = 3.0
    few: int | jax.Array = 10
    ridge: float | jax.Array = 1e-3


class PersonState(NamedTuple):
    """The moments of a person's utterances; of S persons, with a leading S.

    Attributes:
      num_rows: int32[], n.
      mean: float[D].
      scatter: float[D, D], the sum of (h - mean)'(h - mean).
    """

    num_rows: jax.Array
    mean: jax.Array
    scatter: jax.Array


class PersonStatistics(NamedTuple):
    """What is learned of the training speakers, on the principal axes of their covariance C.

    C is the pooled covariance within speakers, of the units of h divided by their deviation.

    Attributes:
      mean: float[D], the mean of the speakers' means.
      encode: float[D, D], h to coordinates; the columns of those that are not kept are 0.
      decode: float[D, D], coordinates to the space of h.
      variance: float[D], of the coordinates; C is diagonal in them. 0 where not kept.
      ridge: float[], see `Shrinkage`.
      step: float[D], the rounding of a coordinate; above 0.
    """

    mean: jax.Array
    encode: jax.Array
    decode: jax.Array
    variance: jax.Array
    ridge: jax.Array
    step: jax.Array


class PersonMap(NamedTuple):
    """How the utterances of a person are sent; of S persons, with a leading S.

    Attributes:
      mean: float[D], taken off.
      turn: float[D, D], of the coordinates of `PersonStatistics`.
    """

    mean: jax.Array
    turn: jax.Array


PersonRelease = Callable[[PersonState, PersonStatistics, Shrinkage], PersonMap]
_DEFAULT = Shrinkage()


def learn(
    h: jax.Array, speaker: jax.Array, where: jax.Array, shrinkage: Shrinkage = _DEFAULT
) -> PersonStatistics:
    """Learns the moments of the training speakers: the mean of their means, and within speakers

        C = sum over speakers of their scatter / (rows - speakers)

    of h in units of its deviation within speakers. Each speaker weighs as its rows. Axes with less
    than 1e-3 of the largest deviation, and units that do not vary within speakers, are not sent
    (see `kept_space.kept_space`); D may exceed the number of rows. The function calls LAPACK: on a
    CPU compute several one after another and not under `vmap`.

    Args:
      h: float[N, D].
      speaker: int32[N], numbered from 0 and below N; -1 unknown, whose rows do not count.
      where: bool[N], the training part.
      shrinkage: of which the ridge is used.
    """
    with jax.default_matmul_precision("float32"):
        segment = _segments(speaker, where, len(h))
        count, means, centred = _centred(h, segment, len(h))
        rows, is_there = count.sum(), count > 0
        degrees = jnp.maximum(rows - is_there.sum(), 1)
        deviation = jnp.sqrt((centred**2).sum(0) / degrees)
        squares = jnp.where((segment < len(h))[:, None], h**2, 0).sum(0)
        size = jnp.sqrt(squares / jnp.maximum(rows, 1))
        is_constant = deviation <= CONSTANT * size
        unit = jnp.where(is_constant, 1, deviation)
        scaled = jnp.where(is_constant[None], 0, centred / unit[None])
        values, vectors = jnp.linalg.eigh(scaled.T @ scaled / degrees)
        is_kept = values > FLOOR**2 * jnp.maximum(values[-1], FLOOR)
        axes = jnp.where(is_kept[None], vectors, 0)
        return PersonStatistics(
            mean=jnp.where(is_there[:, None], means, 0).sum(0) / jnp.maximum(is_there.sum(), 1),
            encode=axes * jnp.where(is_constant, 0, 1 / unit)[:, None],
            decode=axes.T * jnp.where(is_constant, 0, unit)[None],
            variance=jnp.where(is_kept, values, 0),
            ridge=jnp.asarray(shrinkage.ridge, h.dtype),  # the mean variance of a unit is 1
            step=STEP * jnp.sqrt(jnp.where(is_kept, values, 1)),
        )


def enrol(h: jax.Array, is_valid: jax.Array | None = None) -> PersonState:
    """The moments of one person's utterances h float[n, D], those that are `is_valid` bool[n].

    Example: enrolment is a sum, so that the order of utterances does not matter.
      >>> h = jnp.array([[1.0, 0.0], [3.0, 0.0], [5.0, 3.0]])
      >>> state = update(enrol(h[:1]), h[1:])
      >>> state.num_rows.tolist(), state.mean.tolist(), state.scatter.tolist()
      (3, [3.0, 1.0], [[8.0, 6.0], [6.0, 6.0]])
    """
    is_valid = jnp.ones(len(h), bool) if is_valid is None else is_valid
    with jax.default_matmul_precision("float32"):
        mean = column_moments(h, is_valid).mean
        centred = jnp.where(is_valid[:, None], h - mean[None], 0)
        return PersonState(is_valid.sum(dtype=jnp.int32), mean, centred.T @ centred)


def update(state: PersonState, h: jax.Array, is_valid: jax.Array | None = None) -> PersonState:
    """The state after further utterances h float[n, D]: as if all had been enrolled together."""
    return merge(state, enrol(h, is_valid))


def merge(first: PersonState, second: PersonState) -> PersonState:
    """The state of the utterances of both; also of S persons each.

    Chan, Golub & LeVeque, "Algorithms for computing the sample variance", 1983: no sum of squares
    is taken about 0, so that an h far from 0 loses no digits.
    """
    count = first.num_rows + second.num_rows
    share = (second.num_rows / jnp.maximum(count, 1)).astype(first.mean.dtype)[..., None]
    difference = second.mean - first.mean
    between = difference[..., :, None] * difference[..., None, :]
    scale = (first.num_rows[..., None] * share)[..., None]
    return PersonState(
        count, first.mean + share * difference, first.scatter + second.scatter + scale * between
    )


def enrol_all(h: jax.Array, speaker: jax.Array, where: jax.Array, num_speakers: int) -> PersonState:
    """`enrol` of S persons at once, with a leading S; the state of a person without rows is empty.

    Args:
      h: float[N, D].
      speaker: int32[N] below S; -1 unknown, whose rows do not count.
      where: bool[N], the enrolment.
      num_speakers: S, a Python number.
    """
    segment = _segments(speaker, where, num_speakers)
    count, mean, centred = _centred(h, segment, num_speakers)

    def add(total: jax.Array, block: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, None]:
        rows, of_rows = block
        return total + jax.ops.segment_sum(
            rows[:, :, None] * rows[:, None], of_rows, len(total)
        ), None

    padding = -len(h) % _BLOCK
    rows = jnp.pad(centred, ((0, padding), (0, 0))).reshape(-1, _BLOCK, h.shape[1])
    of_rows = jnp.pad(segment, (0, padding), constant_values=num_speakers).reshape(-1, _BLOCK)
    empty = jnp.zeros((num_speakers, h.shape[1], h.shape[1]), h.dtype)
    return PersonState(count, mean, jax.lax.scan(add, empty, (rows, of_rows))[0])


def whitened(
    state: PersonState, learned: PersonStatistics, shrinkage: Shrinkage = _DEFAULT
) -> PersonMap:
    """The person's mean taken off, the person's covariance made that of the training speakers:

        r(h) = (h - m_p) (C_p + ridge)^-1/2 (C + ridge)^1/2
        C_p = w S_p / (n - 1) + (1 - w) C,    w = n / (n + n0), 0 for n < 2
        m_p = (n m + mean_weight m_0) / (n + mean_weight)    for n <= few, else m

    with n, m and S_p the number of rows, mean and scatter of the state, and m_0 and C of
    `PersonStatistics`. A leak in the mean and the covariance of a person is removed as far as the
    enrolment knows them. A state without a row is that of nobody in particular: m_p is m_0 and C_p
    is C.

    The roots are symmetric in the units of `PersonStatistics`. (In coordinates in which C is I the
    map is another one, which left more of a leak in simulated persons and cost more emotion.)

    The function calls LAPACK for one person after another: on a CPU compute those of several runs
    one after another and not under `vmap`.
    """
    with jax.default_matmul_precision("float32"):
        count = state.num_rows[..., None, None]
        # A single utterance has a mean and no covariance.
        weight = jnp.where(count > 1, count / (count + jnp.asarray(shrinkage.n0, jnp.float32)), 0)
        covariance = state.scatter / jnp.maximum(count - 1, 1)
        of_person = jnp.einsum("di,...de,ej->...ij", learned.encode, covariance, learned.encode)
        common = jnp.where(learned.variance > 0, learned.variance + learned.ridge, 1)
        change = of_person - jnp.broadcast_to(jnp.diag(learned.variance), of_person.shape)
        shrunk = jnp.broadcast_to(jnp.diag(common), of_person.shape) + weight * change
        values, vectors = _one_by_one(shrunk)
        # No eigenvalue is below the ridge; float32 may have rounded one.
        root = jnp.sqrt(jnp.maximum(values, jnp.maximum(learned.ridge, 1e-6)))
        turn = jnp.einsum(
            "...ik,...jk,j->...ij", vectors / root[..., None, :], vectors, jnp.sqrt(common)
        )
        return PersonMap(_mean(state, learned, shrinkage), turn)


def _one_by_one(matrices: jax.Array) -> tuple[jax.Array, jax.Array]:
    """eigh of [..., D, D], one matrix after another: a batched call can starve a CPU's threads."""
    size = matrices.shape[-1]
    values, vectors = jax.lax.map(jnp.linalg.eigh, matrices.reshape(-1, size, size))
    return values.reshape(matrices.shape[:-1]), vectors.reshape(matrices.shape)


def mean_off(
    state: PersonState, learned: PersonStatistics, shrinkage: Shrinkage = _DEFAULT
) -> PersonMap:
    """The person's mean taken off, and no more: `whitened` with an infinite n0."""
    size = learned.mean.shape[-1]
    turn = jnp.broadcast_to(jnp.eye(size, dtype=learned.mean.dtype), state.scatter.shape)
    return PersonMap(_mean(state, learned, shrinkage), turn)


PERSON_RELEASES: dict[str, PersonRelease] = {"whitened": whitened, "mean_off": mean_off}


def send(
    h: jax.Array,
    state: PersonState,
    learned: PersonStatistics,
    shrinkage: Shrinkage = _DEFAULT,
    release: PersonRelease = whitened,
) -> jax.Array:
    """What is sent of the utterances h float[n, D] of one person: float[n, D].

    Coordinates are rounded to steps of 2^-10 of their deviation, so that the last bits reveal
    nothing (`kept_space.py`).

    Example: two persons whose h differs in size and place, which is not sent.
      >>> spoken = jax.random.normal(jax.random.key(0), (2000, 2))
      >>> h = jnp.concatenate([spoken[:1000], 3 * spoken[1000:] + 5])
      >>> speaker = jnp.arange(2000) // 1000
      >>> learned = learn(h, speaker, jnp.ones(2000, bool))
      >>> sent = [send(h[speaker == p], enrol(h[speaker == p]), learned) for p in (0, 1)]
      >>> [round(float(a.std() / b.std()), 1) for a, b in ((h[1000:], h[:1000]), sent[::-1])]
      [3.0, 1.0]
    """
    with jax.default_matmul_precision("float32"):
        map_ = release(state, learned, shrinkage)
        return _decoded(((h - map_.mean[None]) @ learned.encode) @ map_.turn, learned)


def send_all(
    h: jax.Array,
    speaker: jax.Array,
    states: PersonState,
    learned: PersonStatistics,
    shrinkage: Shrinkage = _DEFAULT,
    release: PersonRelease = whitened,
) -> jax.Array:
    """`send` of the utterances of S persons, each by its own state: float[N, D].

    Args:
      h: float[N, D].
      speaker: int32[N]; unknown speakers (-1) are sent by an empty state.
      states: of S persons, such as of `enrol_all`.
    """
    with jax.default_matmul_precision("float32"):
        states, person = _with_nobody(states, speaker)
        map_ = release(states, learned, shrinkage)
        coordinates = (h - map_.mean[person]) @ learned.encode

        def turned(row: tuple[jax.Array, jax.Array]) -> jax.Array:
            z, of_row = row
            return z @ map_.turn[of_row]

        # In blocks: the matrices of all utterances would not fit into memory.
        z = jax.lax.map(turned, (coordinates, person), batch_size=_BLOCK)
        return _decoded(z, learned)


def send_running(
    h: jax.Array,
    speaker: jax.Array,
    states: PersonState,
    is_enrolled: jax.Array,
    learned: PersonStatistics,
    shrinkage: Shrinkage = _DEFAULT,
    release: PersonRelease = whitened,
) -> jax.Array:
    """`send_all`, each utterance by the state of all that its person has said before it.

    The state of a person is that of the enrolment, which every utterance that is not enrolled
    updates after it is sent, in the order of the rows. Enrolled ones are sent by the enrolment.
    `whitened` factorises a D x D matrix for every utterance.

    Args:
      h, speaker: see `send_all`.
      states: of S persons, of the enrolment alone.
      is_enrolled: bool[N].
    """

    def read(states: PersonState, utterances: jax.Array) -> jax.Array:
        map_ = release(states, learned, shrinkage)
        return jnp.einsum("ni,nij->nj", (utterances - map_.mean) @ learned.encode, map_.turn)

    def add(state: PersonState, utterance: jax.Array) -> PersonState:
        return update(state, utterance[None])

    with jax.default_matmul_precision("float32"):
        states, person = _with_nobody(states, speaker)
        return _decoded(by_earlier(read, add, states, h, person, is_enrolled), learned)


def _with_nobody(states: PersonState, speaker: jax.Array) -> tuple[PersonState, jax.Array]:
    """The states of S speakers, an empty one appended, and the index of each row's state."""
    states = jax.tree.map(lambda a: jnp.concatenate([a, jnp.zeros_like(a[:1])]), states)
    return states, _segments(speaker, jnp.ones(len(speaker), bool), len(states.num_rows) - 1)


def _mean(state: PersonState, learned: PersonStatistics, shrinkage: Shrinkage) -> jax.Array:
    """m_p of `whitened`."""
    count = state.num_rows[..., None]
    total = count + jnp.where(count <= shrinkage.few, shrinkage.mean_weight, 0)
    share = jnp.where(count > 0, count / jnp.maximum(total, 1), 0)
    common = jnp.broadcast_to(learned.mean, state.mean.shape)
    return share * state.mean + (1 - share) * common


def _decoded(z: jax.Array, learned: PersonStatistics) -> jax.Array:
    return rounded(z, learned.step[None]) @ learned.decode


def _segments(speaker: jax.Array, where: jax.Array, num_speakers: int) -> jax.Array:
    """The number of each row's speaker; S, which segment_sum drops, for rows that do not count."""
    counts = where & (speaker >= 0) & (speaker < num_speakers)
    return jnp.where(counts, speaker, num_speakers)


def _centred(
    h: jax.Array, segment: jax.Array, num_speakers: int
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Count int32[S] and mean float[S, D] of speakers; h - mean float[N, D], 0 if of no speaker."""
    counts = segment < num_speakers
    count = jax.ops.segment_sum(counts.astype(jnp.int32), segment, num_speakers)

    def summed(rows: jax.Array) -> jax.Array:
        total = jax.ops.segment_sum(jnp.where(counts[:, None], rows, 0), segment, num_speakers)
        return total / jnp.maximum(count, 1)[:, None]

    mean = summed(h)
    # The first mean has the rounding error of a long sum.
    mean = mean + summed(h - mean.at[segment].get(mode="clip"))
    centred = jnp.where(counts[:, None], h - mean.at[segment].get(mode="clip"), 0)
    return count, mean, centred
