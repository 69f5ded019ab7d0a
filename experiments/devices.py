"""Makes every CPU core a device, so that runs go side by side. Import before jax and tqdm.

Runs are parallel, operations are not: a network this small gains nothing from two cores inside one
matrix product, and everything from a core of its own.
"""

import os
import sys

_MOST = 16  # every device holds the data, so a large host stops here


def use_cores() -> None:
    """Sets XLA_FLAGS for one device per core, unless the user has set the number of devices."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    flags = os.environ.get("XLA_FLAGS", "")
    if "xla_force_host_platform_device_count" not in flags:
        flags += f" --xla_force_host_platform_device_count={min(cores or 1, _MOST)}"
        flags += " --xla_cpu_multi_thread_eigen=false"
    os.environ["XLA_FLAGS"] = flags.strip()


use_cores()
if not sys.stderr.isatty():
    os.environ.setdefault("TQDM_MININTERVAL", "30")  # in a log file, a line now and then
