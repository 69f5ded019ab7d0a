"""Frees compiled programs before the process has too many memory mappings."""

import gc
from pathlib import Path

import jax

# Of this process: its mappings, a line each, and the most that Linux allows it.
_MAPPINGS, _MOST_MAPPINGS = Path("/proc/self/maps"), Path("/proc/sys/vm/max_map_count")


def free_programs() -> None:
    """Frees all compiled programs once they take a third of the mappings that Linux allows.

    A program of a CPU takes three mappings and more, of 65,530; the networks of an architecture and
    their attackers take some 3,800. Without mappings a process dies, or waits for ever. What is
    needed again is compiled again, or read from the cache of compiled programs.
    """
    if not (_MAPPINGS.exists() and _MOST_MAPPINGS.exists()):
        return
    if _MAPPINGS.read_bytes().count(b"\n") > int(_MOST_MAPPINGS.read_text()) // 3:
        jax.clear_caches()
        gc.collect()
