"""Estimates the memory of a computation before it is compiled, and asks devices what is free."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import jax
import numpy as np
from jax.extend.core import ClosedJaxpr, Jaxpr, Literal

from privrep.parallel.processes import gather
from privrep.parallel.run_axis import one_by_one

PyTree = Any

_MARGIN = 2.0  # a compiled program may take this multiple of the estimate


def free_bytes() -> int | None:
    """The free bytes of the fullest device of all processes; None if devices do not report any.

    CPU devices report nothing: they share the memory of the host.
    """
    statistics = [device.memory_stats() for device in jax.local_devices()]
    if not all(of_device and "bytes_limit" in of_device for of_device in statistics):
        return None
    free = min(of_device["bytes_limit"] - of_device["bytes_in_use"] for of_device in statistics)
    return int(gather(np.array([free])).min())


def most_together(f: Callable, data: PyTree, rows: PyTree, kept: int = 0) -> int:
    """The number of rows whose f(data, row) the devices can compute at the same time.

    On a CPU, and wherever the devices do not report their memory, that is all of them.

    Args:
      data: arrays, or their shapes.
      rows: arrays [R, ...], or their shapes.
      kept: bytes on each device that are reserved for something else.

    Returns:
      An int from 1 to R.

    Raises:
      ValueError: there is no room for a single row; the message gives the bytes needed and free.
    """
    count = jax.tree.leaves(rows)[0].shape[0]
    free = free_bytes()
    if one_by_one() or free is None:
        return count
    free -= kept
    row = jax.tree.map(lambda a: jax.ShapeDtypeStruct(a.shape[1:], a.dtype), rows)
    needed = int(_MARGIN * peak_bytes(f, data, row))
    if needed > free:
        raise ValueError(
            f"one network would take {needed / 1e9:.2f} GB and the device has {free / 1e9:.2f} GB "
            "left: use a smaller --batch_size or network, or shorter utterances (--max_seconds)"
        )
    return min(count, free // needed * jax.device_count())


def peak_bytes(f: Callable, *args: Any) -> int:
    """The peak size in bytes of the intermediate and final results of f(*args).

    The estimate assumes that every operation writes its result to memory and that a result is
    freed after its last use. A compiler fuses operations and copies arrays: the compiled networks
    of this project took between 0.9 and 1.6 times the estimate (BUILD_NOTES.md). Arguments are not
    counted.

    Args:
      args: arrays, or their shapes.
    """
    return _peak(jax.make_jaxpr(f)(*args).jaxpr)


def _peak(jaxpr: Jaxpr) -> int:
    last_use = {v: i for i, eqn in enumerate(jaxpr.eqns) for v in eqn.invars if _is_variable(v)}
    last_use |= {v: len(jaxpr.eqns) for v in jaxpr.outvars if _is_variable(v)}
    alive, peak = 0, 0
    held: dict[Any, int] = {}
    for i, eqn in enumerate(jaxpr.eqns):
        results = {v: _bytes(v.aval) for v in eqn.outvars}
        inside = max((_peak(inner) for inner in _inner(eqn.params.values())), default=0)
        peak = max(peak, alive + sum(results.values()) + inside)
        held |= {v: size for v, size in results.items() if last_use.get(v, -1) > i}
        for v in {v for v in eqn.invars if _is_variable(v)}:
            if last_use[v] == i:
                held.pop(v, None)
        alive = sum(held.values())
    return peak


def _is_variable(v: Any) -> bool:
    return not isinstance(v, Literal)


def _inner(values: Iterable[Any]) -> Iterator[Jaxpr]:
    for value in values:
        if isinstance(value, ClosedJaxpr):
            yield value.jaxpr
        elif isinstance(value, Jaxpr):
            yield value
        elif isinstance(value, tuple | list):
            yield from _inner(value)


def _bytes(aval: Any) -> int:
    return getattr(aval, "size", 0) * getattr(getattr(aval, "dtype", None), "itemsize", 0)
