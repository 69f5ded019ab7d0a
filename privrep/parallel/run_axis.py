"""The run axis: one row per network to train, and how many rows go through one program.

A run is everything that may differ between two networks of one architecture without compiling
again. Folds, seeds, lambdas and learning rates are rows of one flat axis R.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, NamedSharding
from jax.sharding import PartitionSpec as P

from privrep.parallel.processes import gather

PyTree = Any


class Run(NamedTuple):
    """One row per network. A leading R everywhere.

    Attributes:
      key: PRNG key; runs that differ only in lambda share it, so that they start from the same
        parameters and see the same batches.
      fold: int32, which of the K folds.
      defence: int32, which of the network's defences.
      lambda_: {attribute: float32}, its strength for each attribute.
      release: int32, which of RELEASES h goes through.
      release_lambda: {attribute: float32}, the strength of the release.
      learning_rate, adversary_learning_rate, weight_decay: float32.
    """

    key: jax.Array
    fold: jax.Array
    defence: jax.Array
    lambda_: Mapping[str, jax.Array]
    release: jax.Array
    release_lambda: Mapping[str, jax.Array]
    learning_rate: jax.Array
    adversary_learning_rate: jax.Array
    weight_decay: jax.Array


def run_key(seed: int, fold: int) -> jax.Array:
    """The key of a run: the same for every lambda and learning rate of a seed and fold."""
    return jax.random.fold_in(jax.random.key(seed), fold)


def num_runs(rows: PyTree) -> int:
    """R, the length of the leading axis of `rows`."""
    return jax.tree.leaves(rows)[0].shape[0]


def take(rows: PyTree, index: PyTree) -> PyTree:
    """Rows `index` of every array in `rows`."""
    return jax.tree.map(lambda a: a[index], rows)


def join(*stacks: PyTree) -> PyTree:
    """The rows of one stack after those of another; of numpy arrays, a numpy array."""

    def one(*arrays):
        # Each operation of jax on a new shape is a program to compile; numpy has none.
        host = all(isinstance(a, np.ndarray) for a in arrays)
        return (np if host else jnp).concatenate(arrays)

    return jax.tree.map(one, *stacks)


def over_runs(f: Callable, shared: PyTree, rows: PyTree) -> PyTree:
    """f(shared, row) for every row: rows of results, in order.

    On CPU the rows are dealt to the devices and each device goes through its own one after
    another, because the temporaries of one network stay near the cache and those of twenty do
    not; on an accelerator all rows of a device are computed together (vmap).

    The number of rows must divide by the number of devices (`deal_out`, `by_calls`).
    """
    if one_by_one():

        def each(shared, rows):
            return jax.lax.map(lambda row: f(shared, row), rows)
    else:

        def each(shared, rows):
            return jax.vmap(f, in_axes=(None, 0))(shared, rows)

    # check_vma is off: there is no communication between the devices to check.
    return jax.shard_map(
        each, mesh=mesh(), in_specs=(P(), P("run")), out_specs=P("run"), check_vma=False
    )(shared, rows)


def one_by_one() -> bool:
    """Whether a device goes through its runs one after another; else it computes all together."""
    return jax.default_backend() == "cpu"


def deal_out(running: np.ndarray, size: int) -> list[np.ndarray]:
    """How runs that go on share the devices: for each program call the rows it works on.

    Args:
      running: int[n], rows of the stack.
      size: the most rows in a call.

    Returns:
      Arrays int[S] of rows, -1 where there is none, of as many calls as are needed; S divides by
      the number of devices, of which each works on S / devices neighbours, and is one of at most
      four sizes however few rows are left, since each is a program to compile.
    """
    devices = jax.device_count()
    size += -size % devices
    if not one_by_one():  # there a row costs the same whether a run goes on in it or not
        for _ in range(3):
            half = -(-size // (2 * devices)) * devices
            size = half if len(running) <= half else size
    calls = -(-len(running) // size)
    dealt = []
    for call in range(calls):
        rows = running[call::calls]
        index = np.full((devices, size // devices), -1)
        for device in range(devices):
            own = rows[device::devices]
            index[device, : len(own)] = own
        dealt.append(index.reshape(-1))
    return dealt


def cost(dealt: list[np.ndarray]) -> int:
    """How many turns of one run the devices take for calls as `deal_out` returns them."""
    of_devices = [(rows >= 0).reshape(jax.device_count(), -1) for rows in dealt]
    if one_by_one():
        return sum(int(there.sum(1).max()) for there in of_devices)
    return sum(there.shape[1] for there in of_devices if there.any())


def by_calls(f: Callable, rows: PyTree, size: int) -> PyTree:
    """f(rows) for as many dealt rows at a time as `size` allows: numpy rows of results, in order.

    Args:
      f: a compiled program of `over_runs`.
    """
    found = None
    for index in deal_out(np.arange(num_runs(rows)), size):
        results = collect(f(deal(take(rows, np.maximum(index, 0)))))
        if found is None:
            found = jax.tree.map(
                lambda a: np.empty((num_runs(rows), *a.shape[1:]), a.dtype), results
            )
        put_rows(index, results, found)
    return found


def put_rows(index: np.ndarray, rows: PyTree, stack: PyTree) -> None:
    """Writes numpy `rows` into rows `index` (int[n], -1 for padding) of the arrays of `stack`."""
    there = index >= 0

    def put(whole, some):
        whole[index[there]] = some[there]

    jax.tree.map(put, stack, rows)


def mesh() -> jax.sharding.Mesh:
    """The devices of all processes, along the run axis, those of a process side by side."""
    devices = sorted(jax.devices(), key=lambda device: (device.process_index, device.id))
    return jax.sharding.Mesh(np.array(devices), ("run",), axis_types=(AxisType.Auto,))


def deal(rows: PyTree) -> PyTree:
    """Puts rows, the same in every process, on the devices that will work on them."""
    return _put(rows, P("run"))


def share(data: PyTree) -> PyTree:
    """Puts `data` whole on every device."""
    return _put(data, P())


def _put(tree: PyTree, spec: P) -> PyTree:
    sharding = NamedSharding(mesh(), spec)
    if jax.process_count() == 1:
        return jax.device_put(tree, sharding)

    def put(a):
        if isinstance(a, jax.Array) and a.sharding.is_equivalent_to(sharding, a.ndim):
            return a
        if jnp.issubdtype(a.dtype, jax.dtypes.prng_key):
            return jax.random.wrap_key_data(put(jax.random.key_data(a)))
        a = np.asarray(a)
        return jax.make_array_from_callback(a.shape, sharding, lambda index: a[index])

    return jax.tree.map(put, tree)


def collect(rows: PyTree) -> PyTree:
    """Rows from all devices, as numpy arrays of their own, in every process.

    Each device's part is copied by the host. An operation on the dealt rows would make the devices
    wait for one another, and XLA ends the program when one waits longer than its time limit, as it
    does where the runs of one device stop early.
    """
    arrays = [a for a in jax.tree.leaves(rows) if isinstance(a, jax.Array)]
    if not all(a.is_fully_addressable or a.is_fully_replicated for a in arrays):
        rows = gather(jax.tree.map(_own_rows, rows))
    return jax.tree.map(np.array, rows)


def _own_rows(a: jax.Array) -> np.ndarray:
    shards = sorted(a.addressable_shards, key=lambda shard: shard.index[0].start or 0)
    return np.concatenate([np.asarray(shard.data) for shard in shards])
