"""How much memory a computation takes, estimated before it is compiled, and how much there is."""

from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np
from jax.extend.core import ClosedJaxpr, Jaxpr, Literal

from privrep.parallel.processes import gather
from privrep.parallel.run_axis import one_by_one

PyTree = Any

_MARGIN = 2.0  # what a compiler may take beyond the estimate


def free_bytes() -> int | None:
    """What each device of all processes has left; None where they do not say, as a CPU."""
    found = [device.memory_stats() for device in jax.local_devices()]
    if not all(stats and "bytes_limit" in stats for stats in found):
        return None
    least = min(stats["bytes_limit"] - stats["bytes_in_use"] for stats in found)
    return int(gather(np.array([least])).min())


def most_together(f: Callable, data: PyTree, rows: PyTree, kept: int = 0) -> int:
    """How many rows the devices have room for at a time, when each computes f(data, row).

    Args:
      data: arrays, or their shapes.
      rows: arrays [R, ...], or their shapes.
      kept: bytes on each device that something else is about to take.

    Raises:
      ValueError: not even one; the message says how much it would take.
    """
    count = jax.tree.leaves(rows)[0].shape[0]
    free = free_bytes()
    if one_by_one() or free is None:
        return count
    free -= kept
    row = jax.tree.map(lambda a: jax.ShapeDtypeStruct(a.shape[1:], a.dtype), rows)
    each = int(_MARGIN * peak_bytes(f, data, row))
    if each > free:
        raise ValueError(
            f"one network would take {each / 1e9:.2f} GB and the device has {free / 1e9:.2f} GB "
            "left: use a smaller --batch_size or network, or shorter utterances (--max_seconds)"
        )
    return min(count, free // each * jax.device_count())


def peak_bytes(f: Callable, *args) -> int:
    """The most bytes of intermediate and final results that f(*args) holds at any time.

    Every operation is taken to write its result, and every result to be kept until its last use. A
    compiler fuses operations and copies arrays; for the networks of this project it took between
    0.9 and 1.6 times as much (BUILD_NOTES.md). Arguments are not counted.

    Args:
      args: arrays, or their shapes.
    """
    return _peak(jax.make_jaxpr(f)(*args).jaxpr)


def _peak(jaxpr: Jaxpr) -> int:
    last_use = {v: i for i, eqn in enumerate(jaxpr.eqns) for v in eqn.invars if _is_variable(v)}
    last_use |= {v: len(jaxpr.eqns) for v in jaxpr.outvars if _is_variable(v)}
    alive, peak, held = 0, 0, {}
    for i, eqn in enumerate(jaxpr.eqns):
        made = {v: _bytes(v.aval) for v in eqn.outvars}
        inside = max((_peak(inner) for inner in _inner(eqn.params.values())), default=0)
        peak = max(peak, alive + sum(made.values()) + inside)
        held |= {v: size for v, size in made.items() if last_use.get(v, -1) > i}
        for v in {v for v in eqn.invars if _is_variable(v)}:
            if last_use[v] == i:
                held.pop(v, None)
        alive = sum(held.values())
    return peak


def _is_variable(v) -> bool:
    return not isinstance(v, Literal)


def _inner(values) -> Iterator[Jaxpr]:
    for value in values:
        if isinstance(value, ClosedJaxpr):
            yield value.jaxpr
        elif isinstance(value, Jaxpr):
            yield value
        elif isinstance(value, tuple | list):
            yield from _inner(value)


def _bytes(aval) -> int:
    return getattr(aval, "size", 0) * getattr(getattr(aval, "dtype", None), "itemsize", 0)
