import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from orbax.checkpoint import v1 as ocp

from experiments.results.checkpoints import (
    check_data,
    drop_progress,
    load_chosen,
    load_params,
    load_progress,
    load_release,
    save_chosen,
    save_progress,
)
from privrep.parallel.run_axis import deal
from privrep.unlearning.emotion_subspace import Affine
from privrep.unlearning.releases import Learned
from tests.support.checkpoint_rows import history, rows
from tests.support.paths import ROOT


def assert_same(one, other):
    assert jax.tree.structure(one) == jax.tree.structure(other)
    for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(other)):
        a, b = np.asarray(a), np.asarray(b)
        assert a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


def load(folder):
    return load_progress(folder, jax.eval_shape(lambda: rows(0)))


def test_what_was_saved_comes_back_to_the_bit(tmp_path):
    assert load(tmp_path / "new") == (None, {})
    for epoch in (1, 4, 5):
        save_progress(tmp_path, epoch, rows(epoch), history(epoch))
        save_progress(tmp_path, epoch, rows(epoch), history(epoch))  # twice does no harm
        fits, found = load(tmp_path)
        assert_same(fits, rows(epoch))
        assert_same(found, history(epoch))
    assert len(list((tmp_path / "progress").iterdir())) == 1  # the former are gone
    assert len(list(tmp_path.glob("history_*"))) == 1
    drop_progress(tmp_path)
    assert load(tmp_path) == (None, {}) and list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("where", ["history", "rows", "tidying"])
def test_a_save_that_does_not_end_leaves_the_former(tmp_path, monkeypatch, where):
    save_progress(tmp_path, 1, rows(1), history(1))

    def killed(target, *arguments, **named):
        if where == "history":
            Path(target).write_bytes(b"PK half of a file")
        raise KeyboardInterrupt

    owner, name = {
        "history": (np, "savez"),
        "rows": (ocp.training.Checkpointer, "save"),
        "tidying": (Path, "unlink"),
    }[where]
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(owner, name, killed)
        save_progress(tmp_path, 2, rows(2), history(2))
    epoch = 2 if where == "tidying" else 1
    fits, found = load(tmp_path)
    assert_same(fits, rows(epoch))
    assert_same(found, history(epoch))
    save_progress(tmp_path, 2, rows(2), history(2))
    assert_same(load(tmp_path)[1], history(2))
    with monkeypatch.context() as patched:  # what is saved is not written again
        patched.setattr(np, "savez", killed)
        save_progress(tmp_path, 2, rows(2), history(2))
    assert_same(load(tmp_path)[1], history(2))


def test_a_kill_amid_saving_leaves_a_whole_epoch(tmp_path):
    """A process saves epoch after epoch and says so after each; it is killed on the way."""
    program = (
        "import itertools, pathlib, sys\n"
        "from experiments.results.checkpoints import save_progress\n"
        "from tests.support.checkpoint_rows import history, rows\n"
        "for epoch in itertools.count(1):\n"
        "    save_progress(pathlib.Path(sys.argv[1]), epoch, rows(epoch), history(epoch))\n"
        "    print(epoch, flush=True)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", program, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        said = [process.stdout.readline() for _ in range(3)]
        time.sleep(0.05)
        process.send_signal(signal.SIGKILL)
        said += process.stdout.readlines()
    fits, found = load(tmp_path)
    epoch = len(found["val_emotion_uar"])
    assert epoch in (len(said), len(said) + 1)  # killed after a save and before saying so
    assert_same(fits, rows(epoch))
    assert_same(found, history(epoch))
    save_progress(tmp_path, epoch + 1, rows(epoch + 1), history(epoch + 1))
    assert_same(load(tmp_path)[0], rows(epoch + 1))


def learned(epoch):
    """Of the releases of three runs."""
    matrix = np.arange(12, dtype=np.float32).reshape(3, 2, 2) * epoch
    return Learned(np.array([False, True, True]), Affine(matrix, matrix[0]), matrix[:, 1])


def test_the_chosen_parameters_and_what_they_are(tmp_path):
    said = [{"fold": fold, "lambda": "0.5+1", "seed": 0} for fold in range(3)]
    for epoch in (2, 3):  # a pack that is measured again replaces what it saved
        save_progress(tmp_path, epoch, rows(epoch), history(epoch))
        save_chosen(tmp_path, rows(epoch).params, said, history(epoch), learned(epoch))
        described, found = load_chosen(tmp_path)
        assert described == said
        assert_same(found, history(epoch))
        params = load_params(tmp_path)
        assert_same(params, rows(epoch).params)
        assert all(isinstance(leaf, np.ndarray) for leaf in jax.tree.leaves(params))
    assert_same(load(tmp_path)[0], rows(3))  # kept until the rows of the pack are written
    drop_progress(tmp_path)
    assert load_chosen(str(tmp_path))[0] == said  # a user's path is a string
    assert_same(load_params(str(tmp_path)), rows(3).params)
    assert_same(load_release(str(tmp_path)), learned(3))


def test_another_number_of_devices_is_no_obstacle(tmp_path):
    """Saved from as many devices as there are here, read in a process that has one."""
    dealt = deal({"kernel": jnp.arange(8.0).reshape(4, 2)})
    save_chosen(tmp_path, dealt, [{"fold": fold} for fold in range(4)], {}, learned(1))
    save_progress(tmp_path, 1, dealt, history(1))
    program = (
        "import jax, pathlib, sys\n"
        "from experiments.results.checkpoints import load_params, load_progress\n"
        "folder = pathlib.Path(sys.argv[1])\n"
        "params = load_params(folder)\n"
        "fits, _ = load_progress(folder, jax.eval_shape(lambda: params))\n"
        "print(jax.device_count(), params['kernel'].sum(), fits['kernel'].sum())\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "XLA_FLAGS": ""}
    command = [sys.executable, "-W", "error::UserWarning", "-c", program, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.stdout.split() == ["1", "28.0", "28.0"], done.stderr


def test_a_pack_does_not_go_on_with_other_data(tmp_path):
    folder = tmp_path / "000"
    check_data(folder, "0123456789abcdef")
    check_data(folder, "0123456789abcdef")
    with pytest.raises(ValueError, match=r"begun on other data.*--workdir"):
        check_data(folder, "fedcba9876543210")
    check_data(folder, "0123456789abcdef")
