"""Where the runs go through changes nothing: how many devices share them, side by side or not."""

import os
import subprocess
import sys
from hashlib import sha256

import jax
import numpy as np
import pytest

from experiments.devices import check_devices, set_flags
from privrep.training.fit import fit
from privrep.unlearning.released_h import represent
from privrep.unlearning.releases import RELEASES
from privrep.unlearning.training_problem import network_problem
from tests.support.paths import ROOT
from tests.support.small_data import devices, relative_error
from tests.support.small_networks import ARCHITECTURE, PACKED, SETTINGS, run_table

pytestmark = pytest.mark.usefixtures("quickly_compiled")


def trained(architecture):
    stages = fit(network_problem, architecture, SETTINGS, PACKED.data, run_table())
    return ((stage.fits(), stage.history) for stage in stages)


def digest(epochs):
    """Of all that four runs learn and say."""
    sent = np.int32(
        [list(RELEASES).index(name) for name in ("none", "posterior", "leace", "noise")]
    )
    runs = run_table()._replace(release=sent)
    released = represent(ARCHITECTURE, PACKED.data, runs, epochs[-1][0].best)
    learned = jax.tree.leaves((epochs, released))
    return sha256(b"".join(np.asarray(a).tobytes() for a in learned)).hexdigest()


@pytest.fixture(scope="module")
def epochs(quickly_compiled):
    return list(trained(ARCHITECTURE))


@pytest.mark.long
def test_eight_devices_learn_what_two_do(epochs):
    """Four runs on eight devices: half of them have only padding to go through."""
    environment = os.environ | {
        "XLA_FLAGS": devices(8),
        "JAX_DISABLE_MOST_OPTIMIZATIONS": "1",
    }
    program = "from tests.test_devices import *; "
    program += "print(jax.local_device_count(), digest(list(trained(ARCHITECTURE))))"
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment)
    assert done.returncode == 0, done.stderr
    assert jax.local_device_count() != 8
    assert done.stdout.split() == ["8", digest(epochs)]


def test_an_accelerator_would_learn_the_same(epochs, monkeypatch):
    """Its form, all runs side by side in padded arrays, on the devices at hand.

    Two epochs: beyond that rounding alone drives adversarial training apart.
    """
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    side_by_side = trained(ARCHITECTURE._replace(fill=None))
    for (fits, history), (expected, expected_history) in zip(side_by_side, epochs[:2]):
        for name in ("train_emotion_loss", "train_adversary_loss"):
            np.testing.assert_allclose(history[name], expected_history[name], rtol=1e-3)
        errors = jax.tree.map(relative_error, fits.params, expected.params)
        assert max(jax.tree.leaves(errors)) < 1e-2, errors


def test_flags_that_the_user_has_set_stay(monkeypatch):
    given = "--xla_force_host_platform_device_count=3 --xla_cpu_multi_thread_eigen=true"
    monkeypatch.setenv("XLA_FLAGS", given)
    set_flags()
    flags = dict(flag.split("=") for flag in os.environ["XLA_FLAGS"].split())
    assert flags["--xla_force_host_platform_device_count"] == "3"
    assert flags["--xla_cpu_multi_thread_eigen"] == "true"
    assert flags["--xla_disable_hlo_passes"] == "cpu-parallel-task-assigner"
    set_flags()  # once is enough
    assert len(os.environ["XLA_FLAGS"].split()) == len(flags)


@pytest.mark.parametrize(("jaxlib", "known"), [("0.10.2", True), ("0.11.0", False), ("1.0", False)])
def test_a_jaxlib_that_nobody_has_tried_gets_no_flag_it_may_not_know(monkeypatch, jaxlib, known):
    monkeypatch.setenv("XLA_FLAGS", "")
    monkeypatch.setattr("experiments.devices.version", lambda package: jaxlib)
    set_flags()
    assert ("xla_cpu_prefer_vector_width" in os.environ["XLA_FLAGS"]) == known


def test_a_machine_of_one_core_has_two_devices_too(monkeypatch):
    """A program for a single one rounds otherwise, and runs.csv would be another."""
    monkeypatch.setenv("XLA_FLAGS", "")
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {0}, raising=False)
    set_flags()
    assert "--xla_force_host_platform_device_count=2" in os.environ["XLA_FLAGS"].split()


@pytest.mark.parametrize(
    "error", [AssertionError(), RuntimeError("Unable to initialize backend 'cuda': no driver")]
)
def test_a_device_that_is_missing_is_named(monkeypatch, error):
    def devices():
        raise error

    check_devices()
    monkeypatch.setattr(jax, "devices", devices)
    with pytest.raises(ValueError, match=r"JAX_PLATFORMS=.* no such device .*JAX_PLATFORMS=cpu"):
        check_devices()
