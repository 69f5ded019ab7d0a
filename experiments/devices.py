"""Makes every CPU core a device, so that runs go side by side. Import before jax and tqdm.

Runs are parallel, operations are not: a network this small gains nothing from two cores inside one
matrix product, and everything from a core of its own.
"""

import os
import sys
from importlib.metadata import PackageNotFoundError, version

from privrep.cores import usable_cores
from privrep.program import end_with

_FEWEST = 2
_MOST = 16  # every device holds the data, so a large host stops here
# Vectors of 512 bits where a processor has them: XLA takes 256 unless asked, and the step of a
# network a fifth longer. XLA ends a process that sets a flag it does not know: they are asked for
# where the flag has been seen to be there.
_HAVE_VECTOR_WIDTH = ("0.10",)


def set_flags() -> None:
    """Sets XLA_FLAGS, but for those that the user has set.

    One device per core, but two on a machine of one core: a program for a single device is compiled
    otherwise and rounds otherwise, those for two and more are alike. No operation on more than one
    core, by Eigen or by XLA's own loops; and the widest vectors.
    """
    wanted = {
        "xla_force_host_platform_device_count": min(max(usable_cores(), _FEWEST), _MOST),
        "xla_cpu_multi_thread_eigen": "false",
        "xla_disable_hlo_passes": "cpu-parallel-task-assigner",
    }
    try:
        jaxlib = version("jaxlib")
    except PackageNotFoundError:
        end_with("Training needs jax, as the audit does not: pip install -e '.[demo]'")
    if jaxlib.rpartition(".")[0] in _HAVE_VECTOR_WIDTH:
        wanted["xla_cpu_prefer_vector_width"] = "512"
    given = os.environ.get("XLA_FLAGS", "")
    added = [f"--{name}={value}" for name, value in wanted.items() if name not in given]
    os.environ["XLA_FLAGS"] = " ".join([given, *added]).strip()


def check_devices() -> None:
    """Makes sure that jax has devices, once several processes have joined.

    Raises:
      ValueError: those that JAX_PLATFORMS names are not here.
    """
    import jax

    try:
        jax.devices()
    except (RuntimeError, AssertionError) as error:  # the latter where no driver is installed
        reason = str(error).partition("\n")[0].partition(" (set JAX_PLATFORMS")[0]
        raise ValueError(
            f"JAX_PLATFORMS={jax.config.values['jax_platforms']}: no such device can be used here"
            f"{reason and f' ({reason})'}. Unset it, and jax takes what there is; "
            "JAX_PLATFORMS=cpu takes the processor."
        ) from error


set_flags()
if not sys.stderr.isatty():
    os.environ.setdefault("TQDM_MININTERVAL", "30")  # in a log file, a line now and then
