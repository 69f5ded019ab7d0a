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

PyTree = Any


class Run(NamedTuple):
    """One row per network. A leading R everywhere.

    Attributes:
      key: PRNG key; runs that differ only in lambda share it, so that they start from the same
        parameters and see the same batches.
      fold: int32, which of the K folds.
      lambda_: {attribute: float32}, the strength of each adversary.
      learning_rate, adversary_learning_rate, weight_decay: float32.
    """

    key: jax.Array
    fold: jax.Array
    lambda_: Mapping[str, jax.Array]
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
    """The rows of one stack after those of another."""
    return jax.tree.map(lambda *arrays: jnp.concatenate(arrays), *stacks)


def pad_runs(rows: PyTree, multiple: int) -> PyTree:
    """Repeats the last row until the number of rows divides by `multiple`."""
    count = num_runs(rows)
    return take(rows, jnp.minimum(jnp.arange(count + -count % multiple), count - 1))


def over_runs(f: Callable, shared: PyTree, rows: PyTree) -> PyTree:
    """f(shared, row) for every row: rows of results, in order.

    On CPU the rows are dealt to the local devices and each device goes through its own one after
    another, because the temporaries of one network stay near the cache and those of twenty do
    not; on an accelerator all rows of a device are computed together (vmap).

    The number of rows must divide by the number of local devices (`pad_runs`).
    """
    if jax.default_backend() == "cpu":

        def each(shared, rows):
            return jax.lax.map(lambda row: f(shared, row), rows)
    else:

        def each(shared, rows):
            return jax.vmap(f, in_axes=(None, 0))(shared, rows)

    # check_vma is off: there is no communication between the devices to check.
    return jax.shard_map(
        each, mesh=mesh(), in_specs=(P(), P("run")), out_specs=P("run"), check_vma=False
    )(shared, rows)


def mesh() -> jax.sharding.Mesh:
    """The local devices, along the run axis."""
    return jax.make_mesh((jax.local_device_count(),), ("run",), axis_types=(AxisType.Auto,))


def deal(rows: PyTree) -> PyTree:
    """Puts rows on the devices that will work on them."""
    return jax.device_put(rows, NamedSharding(mesh(), P("run")))


def collect(rows: PyTree, count: int) -> PyTree:
    """The first `count` rows from all devices, as numpy arrays of their own.

    Each device's part is copied by the host. An operation on the dealt rows would make the devices
    wait for one another, and XLA ends the program when one waits longer than its time limit, as it
    does where the runs of one device stop early.
    """
    return jax.tree.map(lambda a: np.array(a)[:count], rows)


def share(data: PyTree) -> PyTree:
    """Puts `data` whole on every device."""
    return jax.device_put(data, NamedSharding(mesh(), P()))
