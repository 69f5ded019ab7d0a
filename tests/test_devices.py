"""How many devices share the runs changes nothing: not a byte of what they learn."""

import os
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import jax
import numpy as np
import pytest

from privrep.cross_validation import represent_all
from privrep.networks import network_problem
from privrep.training import fit
from tests.test_networks import ARCHITECTURE, PACKED, SETTINGS, run_table

ROOT = Path(__file__).parent.parent


def digest():
    """Of all that four runs learn and say."""
    epochs = list(fit(network_problem, ARCHITECTURE, SETTINGS, PACKED.data, run_table()))
    released = represent_all(ARCHITECTURE, PACKED.data, run_table(), epochs[-1][0].best)
    learned = jax.tree.leaves((epochs, released))
    return sha256(b"".join(np.asarray(a).tobytes() for a in learned)).hexdigest()


@pytest.fixture(autouse=True)
def _quickly_compiled():
    """More is compiled here than computed; the other process has it from its environment."""
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", False)


def test_eight_devices_learn_what_two_do():
    """Four runs on eight devices: half of them have only padding to go through."""
    environment = os.environ | {
        "XLA_FLAGS": "--xla_force_host_platform_device_count=8",
        "JAX_DISABLE_MOST_OPTIMIZATIONS": "1",
    }
    program = "from tests.test_devices import digest; import jax; "
    program += "print(jax.local_device_count(), digest())"
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment)
    assert done.returncode == 0, done.stderr
    assert jax.local_device_count() != 8
    assert done.stdout.split() == ["8", digest()]
