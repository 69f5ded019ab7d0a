"""What a device must get right: the reversal, a stacked training step, an attack, an audit.

On a CPU the same tests go through the accelerators' form (all runs side by
side in padded arrays), and a step in that form is lowered for cuda and tpu, so that what does not
lower is known without a device. `experiments/benchmark/device_check.sh` runs this file there.
"""

import json
import subprocess
import sys
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax.core import FrozenDict

from privrep.attacks.trained.dense import AttackData, attack
from privrep.auditing.options import AuditOptions
from privrep.auditing.run_audit import audit
from privrep.grl import gradient_reversal
from privrep.parallel.run_axis import take
from privrep.training.fit import _epoch_all, fit, start_all
from privrep.types import Split
from privrep.unlearning.released_h import _represent_all
from privrep.unlearning.releases import RELEASES
from privrep.unlearning.training_problem import network_problem
from tests.support import audits
from tests.support.paths import ROOT
from tests.support.small_data import relative_error
from tests.support.small_networks import LIGHT, PACKED, SETTINGS, run_table

PADDED = LIGHT._replace(fill=None)
pytestmark = pytest.mark.usefixtures("quickly_compiled", "side_by_side")


@pytest.fixture
def side_by_side(monkeypatch):
    """On a CPU: the programs that an accelerator would be given."""
    if jax.default_backend() == "cpu":
        monkeypatch.setattr(jax, "default_backend", lambda: "gpu")


def test_reversal_turns_the_gradient_of_every_run_by_its_own_lambda():
    def gradient(lambda_):
        return jax.grad(lambda x: (gradient_reversal(x, lambda_) ** 2).sum())(jnp.ones(4))

    gradients = jax.jit(jax.vmap(gradient))(jnp.array([0.0, 0.5, 1.0]))
    np.testing.assert_array_equal(gradients, np.float32([[0], [-1], [-2]]) * np.ones(4, "f"))


def test_a_stacked_training_step_is_that_of_each_run_alone():
    """One epoch of four runs side by side, and of each by itself."""
    runs = run_table()
    together = next(fit(network_problem, PADDED, SETTINGS, PACKED.data, runs))
    for row in range(4):
        alone = next(fit(network_problem, PADDED, SETTINGS, PACKED.data, take(runs, np.r_[row])))
        for name, losses in together.history.items():
            np.testing.assert_allclose(losses[row], alone.history[name][0], rtol=1e-4, atol=1e-5)
        errors = jax.tree.map(
            lambda a, b, row=row: relative_error(a[row], b[0]),
            together.fits().params,
            alone.fits().params,
        )
        assert max(jax.tree.leaves(errors)) < 1e-3, errors


def test_an_attack_finds_a_planted_leak_and_none_in_noise():
    rng = np.random.default_rng(0)
    speaker = np.arange(600) % 60
    labels = (speaker % 2).astype(np.int32)
    noise = rng.normal(size=(600, 6)).astype(np.float32)
    leak = noise.copy()
    leak[:, 2] += 6 * labels
    part = np.array([0, 0, 0, 1, 2])[speaker // 2 % 5]  # no speaker in two parts
    attack_data = AttackData(
        key=jnp.stack([jax.random.key(0)] * 2),
        h=jnp.stack([leak, noise]),
        labels=jnp.stack([labels] * 2),
        weights=jnp.ones((2, 2)),
        split=Split(*(jnp.stack([jnp.asarray(part == i)] * 2) for i in range(3))),
    )
    uar = np.asarray(attack(("linear", "mlp_2x32"), attack_data, 2)["test"])
    assert uar[:, 0].min() > 0.95  # both attackers, on the leak
    assert np.abs(uar[:, 1] - 0.5).max() < 0.15


@pytest.mark.long
def test_an_audit_with_a_trained_attacker_tells_a_leak_from_none(tmp_path):
    for world, verdict in (("linear", "leaks"), ("no_leak", "cannot_tell")):
        folder = tmp_path / world
        folder.mkdir()
        audits.write(folder, world, 16, utterances=6)
        report = audit(
            folder / "h.npy",
            folder / "labels.csv",
            attribute="gender",
            output=folder / "out",
            options=AuditOptions(attackers=("mlp",), permutations=24, aligned=True),
        )
        assert report.verdict == verdict


@pytest.mark.parametrize(
    "platform, form",
    [
        ("cuda", "loop"),
        ("tpu", "loop"),
        pytest.param("cuda", "kernel", marks=pytest.mark.long),
    ],
)
def test_an_epoch_in_the_accelerators_form_lowers_without_a_device(platform, form):
    """Reversal, every release and its LAPACK calls included."""
    encoders = {n: e.clone(recurrence=form) for n, e in PADDED.net.encoders.items()}
    padded = PADDED._replace(net=PADDED.net.clone(encoders=FrozenDict(encoders)))
    runs = run_table()._replace(
        release=np.int32([list(RELEASES).index(name) for name in ("none", "leace")] * 2)
    )
    fits = start_all(network_problem, padded, SETTINGS, PACKED.data, runs)
    shaped = partial(jax.tree.map, lambda a: jax.ShapeDtypeStruct(a.shape, a.dtype))
    data, runs, fits = shaped(PACKED.data), shaped(runs), shaped(fits)
    for program, arguments in (
        (_epoch_all, (network_problem, padded, SETTINGS, data, runs, fits)),
        (_represent_all, (padded, data, (runs, fits.best))),
    ):
        # Not by jax.export, which promises that what it writes can be read for months.
        lowered = program.trace(*arguments).lower(lowering_platforms=(platform,)).as_text()
        assert ("gpu.triton" in lowered) == (form == "kernel")


@pytest.mark.gpu
def test_the_benchmark_names_the_accelerator(tmp_path):
    output = tmp_path / "device.json"
    flags = ("--device", "--quick", "--only=attack", f"--output={output}")
    done = subprocess.run(
        [sys.executable, "-m", "experiments.benchmark", *flags],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    figures = json.loads(output.read_text())
    assert figures["platform"] == "gpu" and figures["notes"] == []
    assert all(row["device_peak_mb"] > 0 for row in figures["rows"])
