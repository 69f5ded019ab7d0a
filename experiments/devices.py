"""Makes every CPU core a device, so that runs go side by side. Import before jax and tqdm.

Runs are parallel, operations are not: a network this small gains nothing from two cores inside one
matrix product, and everything from a core of its own.
"""

import os
import sys
from importlib.metadata import version

_MOST = 16  # every device holds the data, so a large host stops here
# XLA's newer way to make kernels of fused operations takes half as much memory again to compile our
# programs as the older one, which computes as fast. XLA ends a process that sets a flag it does not
# know, so that the older is asked for where it has been seen to be there.
_KERNELS = "xla_cpu_use_fusion_emitters"
_HAVE_OLDER_KERNELS = ("0.10",)


def use_cores() -> None:
    """Sets XLA_FLAGS for one device per core, unless the user has set the number of devices."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    flags = os.environ.get("XLA_FLAGS", "")
    if "xla_force_host_platform_device_count" not in flags:
        flags += f" --xla_force_host_platform_device_count={min(cores or 1, _MOST)}"
        flags += " --xla_cpu_multi_thread_eigen=false"
        if "xla_disable_hlo_passes" not in flags:
            flags += " --xla_disable_hlo_passes=cpu-parallel-task-assigner"
    os.environ["XLA_FLAGS"] = flags.strip()


def compile_in_less_memory() -> None:
    """Sets XLA_FLAGS for it, unless the user has chosen or this jaxlib is not known to have it."""
    flags = os.environ.get("XLA_FLAGS", "")
    if _KERNELS not in flags and version("jaxlib").rpartition(".")[0] in _HAVE_OLDER_KERNELS:
        os.environ["XLA_FLAGS"] = f"{flags} --{_KERNELS}=false".strip()


use_cores()
compile_in_less_memory()
if not sys.stderr.isatty():
    os.environ.setdefault("TQDM_MININTERVAL", "30")  # in a log file, a line now and then
