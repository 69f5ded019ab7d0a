"""The run axis: networks of one architecture are rows of one stack and share a compiled program.

A run is everything that may differ between two such networks without another compilation. Folds,
seeds, lambdas and learning rates are therefore values on one flat axis R, never loops.
"""

import enum
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, NamedSharding
from jax.sharding import PartitionSpec as P

from privrep.parallel.processes import gather

PyTree = Any
Array = Any  # numpy on the host, jax on the device


class ReservedKey(enum.IntEnum):
    """The numbers that `reserved_key` folds into a key for what is neither an epoch nor a step.

    A run's key with an epoch's number folded in is the key of that epoch, and a step's number is
    folded into the step key of its epoch. These numbers are above all epochs and all steps.

      INITIAL_PARAMETERS, of a run's key: the parameters that the run starts from.
      ATTACKERS, of a run's key: the attackers that are trained afterwards on the run's h.
      RELEASE_NOISE, of a run's key: the noise that a release adds to h.
      ADVERSARY_STEPS, of an epoch's step key: the further steps of the adversaries. It has the
        number of RELEASE_NOISE, which is never folded into an epoch's key.
      FRAME_MASKS, of a step's key: the masks over the frames of its batch. Dropout has the step's
        key itself, whether there are masks or not.
    """

    FRAME_MASKS = 2**32 - 4
    INITIAL_PARAMETERS = 2**32 - 3
    ATTACKERS = 2**32 - 2
    RELEASE_NOISE = 2**32 - 1
    ADVERSARY_STEPS = 2**32 - 1


class Run(NamedTuple):
    """The runs of a stack: one row per network, with a leading R in every array.

    Attributes:
      key: PRNG key; runs that differ only in lambda share it, so that they start from the same
        parameters and see the same batches.
      fold: int32, the index of the fold, below K.
      defence: int32, the index of the defence among the architecture's.
      lambda_: {attribute: float32}, the strength of the defence.
      release: int32, the index in `releases.NAMES` of the release that is applied to h.
      release_lambda: {attribute: float32}, the strength of the release.
      learning_rate, adversary_learning_rate, weight_decay: float32.
      relative: bool, whether h is taken relative to the speaker.
    """

    key: jax.Array
    fold: Array
    defence: Array
    lambda_: Mapping[str, Array]
    release: Array
    release_lambda: Mapping[str, Array]
    learning_rate: Array
    adversary_learning_rate: Array
    weight_decay: Array
    relative: Array


def run_key(seed: int, fold: int) -> jax.Array:
    """The key of a run, which is the same for every lambda and learning rate of a seed and fold."""
    return jax.random.fold_in(jax.random.key(seed), fold)


def reserved_key(key: jax.Array, number: ReservedKey) -> jax.Array:
    """The key for a purpose that is neither an epoch nor a step; see `ReservedKey`."""
    return jax.random.fold_in(key, jnp.uint32(int(number)))


def num_runs(rows: PyTree) -> int:
    """R, the length of the leading axis of `rows`."""
    return jax.tree.leaves(rows)[0].shape[0]


def take(rows: PyTree, index: PyTree) -> PyTree:
    """The rows `index`, an int or int[n], of every array in `rows`."""
    return jax.tree.map(lambda a: a[index], rows)


def join(*stacks: PyTree) -> PyTree:
    """Stacks of runs concatenated along the run axis. Numpy arrays stay numpy arrays."""

    def concatenated(*arrays: Any) -> Any:
        # jax compiles a program for each new shape; numpy does not.
        if all(isinstance(a, np.ndarray) for a in arrays):
            return np.concatenate(arrays)
        return jnp.concatenate(arrays)

    return jax.tree.map(concatenated, *stacks)


def over_runs(f: Callable, shared: PyTree, rows: PyTree) -> PyTree:
    """f(shared, row) for every row, sharded over the devices: rows of results, in order.

    A CPU device computes its rows one after another, because the temporaries of one network stay
    in the cache and those of twenty do not. An accelerator computes all rows of a device together
    (vmap).

    The number of rows must be a multiple of the number of devices (`deal_out`, `by_calls`).
    """

    def of_device(shared: PyTree, rows: PyTree) -> PyTree:
        if one_by_one():
            return jax.lax.map(lambda row: f(shared, row), rows)
        return jax.vmap(f, in_axes=(None, 0))(shared, rows)

    # check_vma is off: there is no communication between the devices to check.
    return jax.shard_map(
        of_device, mesh=mesh(), in_specs=(P(), P("run")), out_specs=P("run"), check_vma=False
    )(shared, rows)


def one_by_one() -> bool:
    """Whether a device computes its runs one after another (CPU) and not all together (vmap)."""
    return jax.default_backend() == "cpu"


def deal_out(running: np.ndarray, size: int) -> list[np.ndarray]:
    """Assigns the runs that are still training to program calls and, within them, to devices.

    Args:
      running: int[n], rows of the stack.
      size: the maximum number of rows in a call.

    Returns:
      For each program call int[S], rows of the stack with -1 for padding. S is a multiple of the
      number of devices, each of which takes S / devices adjacent rows. As every S is another
      program to compile, S takes one of at most four values, however few rows are left.
    """
    devices = jax.device_count()
    size += -size % devices
    if not one_by_one():  # under vmap a row of padding costs as much as a run
        for _ in range(3):
            half = -(-size // (2 * devices)) * devices
            size = half if len(running) <= half else size
    calls = -(-len(running) // size)
    dealt = []
    for call in range(calls):
        rows = running[call::calls]
        index = np.full((devices, size // devices), -1)
        for device in range(devices):
            of_device = rows[device::devices]
            index[device, : len(of_device)] = of_device
        dealt.append(index.reshape(-1))
    return dealt


def cost(dealt: list[np.ndarray]) -> int:
    """The time of the calls that `deal_out` returns, in units of one run on one device."""
    is_run = [(rows >= 0).reshape(jax.device_count(), -1) for rows in dealt]
    if one_by_one():
        return sum(int(of_call.sum(1).max()) for of_call in is_run)
    return sum(of_call.shape[1] for of_call in is_run if of_call.any())


def by_calls(f: Callable, rows: PyTree, size: int) -> PyTree:
    """f(rows), computed in calls of at most `size` rows: numpy rows of results, in order.

    Args:
      f: a compiled program of `over_runs`, which takes rows that `deal` has put on the devices.
      rows: rows [R, ...].
      size: see `deal_out`.
    """
    whole: PyTree = None
    for index in deal_out(np.arange(num_runs(rows)), size):
        results = collect(f(deal(take(rows, np.maximum(index, 0)))))
        if whole is None:
            whole = jax.tree.map(
                lambda a: np.empty((num_runs(rows), *a.shape[1:]), a.dtype), results
            )
        put_rows(index, results, whole)
    return whole


def put_rows(index: np.ndarray, rows: PyTree, stack: PyTree) -> None:
    """Writes numpy `rows` into the rows `index` of the numpy arrays of `stack`, in place.

    Args:
      index: int[n], -1 for padding, which is not written.
    """
    is_run = index >= 0

    def put(target: np.ndarray, source: np.ndarray) -> None:
        target[index[is_run]] = source[is_run]

    jax.tree.map(put, stack, rows)


def mesh() -> jax.sharding.Mesh:
    """All devices along one axis "run", with the devices of a process next to each other."""
    devices = sorted(jax.devices(), key=lambda device: (device.process_index, device.id))
    return jax.sharding.Mesh(np.array(devices), ("run",), axis_types=(AxisType.Auto,))


def deal(rows: PyTree) -> PyTree:
    """Shards rows over the devices along the run axis. Every process passes the same rows."""
    return _put(rows, P("run"))


def share(data: PyTree) -> PyTree:
    """Replicates `data` on every device."""
    return _put(data, P())


def _put(tree: PyTree, spec: P) -> PyTree:
    sharding = NamedSharding(mesh(), spec)
    if jax.process_count() == 1:
        return jax.device_put(tree, sharding)

    def put(a: Any) -> jax.Array:
        if isinstance(a, jax.Array) and a.sharding.is_equivalent_to(sharding, a.ndim):
            return a
        if jnp.issubdtype(a.dtype, jax.dtypes.prng_key):
            return jax.random.wrap_key_data(put(jax.random.key_data(a)))
        values = np.asarray(a)
        return jax.make_array_from_callback(values.shape, sharding, lambda index: values[index])

    return jax.tree.map(put, tree)


def collect(rows: PyTree) -> PyTree:
    """The rows of all devices as newly allocated numpy arrays, in every process.

    The host copies the part of each device. A jax operation on sharded rows would make the devices
    wait for each other, and XLA aborts the program when one waits longer than a time limit, which
    happens where the runs of one device stop early.
    """
    arrays = [a for a in jax.tree.leaves(rows) if isinstance(a, jax.Array)]
    if not all(a.is_fully_addressable or a.is_fully_replicated for a in arrays):
        rows = gather(jax.tree.map(_local_rows, rows))
    return jax.tree.map(np.array, rows)


def _local_rows(a: jax.Array) -> np.ndarray:
    shards = sorted(a.addressable_shards, key=lambda shard: shard.index[0].start or 0)
    return np.concatenate([np.asarray(shard.data) for shard in shards])
