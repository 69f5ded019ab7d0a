import os
import shutil
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from orbax.checkpoint import v1 as ocp

from experiments.results.checkpoints import (
    begin,
    begun_on,
    check_chosen,
    chosen_fault,
    drop_progress,
    load_chosen,
    load_params,
    load_progress,
    load_release,
    save_chosen,
    save_progress,
)
from privrep.parallel.run_axis import deal
from privrep.unlearning.kept_space import KeptSpace
from privrep.unlearning.releases import Learned
from privrep.unlearning.stand_ins import StandIns
from tests.support.checkpoint_rows import history, rows
from tests.support.paths import ROOT


def assert_same(actual, expected):
    assert jax.tree.structure(actual) == jax.tree.structure(expected)
    for a, b in zip(jax.tree.leaves(actual), jax.tree.leaves(expected)):
        a, b = np.asarray(a), np.asarray(b)
        assert a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


def load(folder):
    return load_progress(folder, jax.eval_shape(lambda: rows(0)))


def test_what_was_saved_comes_back_to_the_bit(tmp_path):
    assert load(tmp_path / "new") == (None, {})
    for epoch in (1, 4, 5):
        save_progress(tmp_path, epoch, rows(epoch), history(epoch))
        save_progress(tmp_path, epoch, rows(epoch), history(epoch))  # twice does no harm
        fits, saved_history = load(tmp_path)
        assert_same(fits, rows(epoch))
        assert_same(saved_history, history(epoch))
    # The one before is kept, in case the last is damaged; the former are gone.
    assert {path.name for path in (tmp_path / "progress").iterdir()} == {"4", "5"}
    assert {path.name for path in tmp_path.glob("history_*")} == {"history_4.npz", "history_5.npz"}
    drop_progress(tmp_path)
    assert load(tmp_path) == (None, {}) and list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("where", ["history", "rows", "tidying"])
def test_a_save_that_does_not_end_leaves_the_former(tmp_path, monkeypatch, where):
    for epoch in (1, 2):
        save_progress(tmp_path, epoch, rows(epoch), history(epoch))

    def killed(target, *arguments, **named):
        if where == "history":
            target.write(b"PK half of a file")
        raise KeyboardInterrupt

    owner, name = {
        "history": (np, "savez"),
        "rows": (ocp.training.Checkpointer, "save"),
        "tidying": (Path, "unlink"),
    }[where]
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(owner, name, killed)
        save_progress(tmp_path, 3, rows(3), history(3))
    epoch = 3 if where == "tidying" else 2
    fits, saved_history = load(tmp_path)
    assert_same(fits, rows(epoch))
    assert_same(saved_history, history(epoch))
    save_progress(tmp_path, 3, rows(3), history(3))
    assert_same(load(tmp_path)[1], history(3))
    with monkeypatch.context() as patched:  # what is saved is not written again
        patched.setattr(np, "savez", killed)
        save_progress(tmp_path, 3, rows(3), history(3))
    assert_same(load(tmp_path)[1], history(3))


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
    fits, saved_history = load(tmp_path)
    epoch = len(saved_history["val_emotion_uar"])
    assert epoch in (len(said), len(said) + 1)  # killed after a save and before saying so
    assert_same(fits, rows(epoch))
    assert_same(saved_history, history(epoch))
    save_progress(tmp_path, epoch + 1, rows(epoch + 1), history(epoch + 1))
    assert_same(load(tmp_path)[0], rows(epoch + 1))


def learned(epoch):
    """Of the releases of three runs."""
    matrix = np.arange(12, dtype=np.float32).reshape(3, 2, 2) * epoch
    space = KeptSpace(matrix[0], matrix, matrix[1], matrix + 1, matrix[2])
    return Learned(np.array([False, True, True]), space, matrix[:, 1])


def test_the_chosen_parameters_and_what_they_are(tmp_path):
    said = [{"fold": fold, "lambda": "0.5+1", "seed": 0} for fold in range(3)]
    for epoch in (2, 3):  # a pack that is measured again replaces what it saved
        save_progress(tmp_path, epoch, rows(epoch), history(epoch))
        save_chosen(tmp_path, rows(epoch).params, said, history(epoch), learned(epoch))
        described, saved_history = load_chosen(tmp_path)
        assert described == said
        assert_same(saved_history, history(epoch))
        params = load_params(tmp_path)
        assert_same(params, rows(epoch).params)
        assert all(isinstance(leaf, np.ndarray) for leaf in jax.tree.leaves(params))
    assert_same(load(tmp_path)[0], rows(3))  # kept until the rows of the pack are written
    drop_progress(tmp_path)
    assert load_chosen(str(tmp_path))[0] == said  # a user's path is a string
    assert_same(load_params(str(tmp_path)), rows(3).params)
    assert_same(load_release(str(tmp_path)), learned(3))


def test_what_stands_in_for_the_answers_of_a_head_comes_back(tmp_path):
    answers = StandIns(np.arange(18, dtype=np.float32).reshape(3, 3, 2), np.zeros((3, 0), "f"))
    deep = learned(1)._replace(stand_ins=answers)
    save_chosen(tmp_path, rows(1).params, [{}] * 3, history(1), deep)
    assert_same(load_release(tmp_path), deep)


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


def test_a_pack_knows_the_data_that_it_was_begun_on(tmp_path):
    folder = tmp_path / "000"
    assert begun_on(folder) is None
    begin(folder, "0123456789abcdef")
    assert begun_on(folder) == "0123456789abcdef"
    (folder / "prepared_hash").write_text("1123456789abcdef")
    with pytest.warns(
        UserWarning, match=r"prepared_hash is not as it was written.*000 is made anew"
    ):
        assert begun_on(folder) is None
    assert begun_on(folder) is None and not folder.exists()


def flip(path, place=0.5):
    """Changes a bit of the file, as a disk does."""
    content = bytearray(path.read_bytes())
    content[int(place * (len(content) - 1))] ^= 1
    path.write_bytes(content)


def cut(path):
    path.write_bytes(path.read_bytes()[:-5])


def files_of(folder):
    """Those that hold anything."""
    return sorted(p for p in folder.rglob("*") if p.is_file() and p.stat().st_size)


def test_a_damaged_save_falls_back_to_the_one_before(tmp_path):
    """Of every file of the last save, a bit, the end and the whole."""
    whole = tmp_path / "whole"
    for epoch in (1, 2):
        save_progress(whole, epoch, rows(epoch), history(epoch))
    names = [p.relative_to(whole) for p in files_of(whole / "progress" / "2")]
    names += [Path("history_2.npz"), Path("progress_2.sha256")]
    for i, name in enumerate(names):
        for damage in (flip, cut, Path.unlink):
            folder = tmp_path / f"{i}{damage.__name__}"
            shutil.copytree(whole, folder)
            damage(folder / name)
            with warnings.catch_warnings(record=True) as said:
                warnings.simplefilter("always")
                fits, saved_history = load(folder)
            assert_same(fits, rows(1))
            assert_same(saved_history, history(1))
            lost = name.name == "progress_2.sha256" and damage is Path.unlink
            assert lost or any(str(folder / name) in str(w.message) for w in said), name
    for epoch in (1, 2):
        flip(whole / f"history_{epoch}.npz")
    with pytest.warns(UserWarning) as warned:
        assert load(whole) == (None, {})
    assert [str(warning.message).split("/")[-1].split()[0] for warning in warned] == [
        "history_2.npz",
        "history_1.npz",
    ]
    save_progress(whole, 2, rows(2), history(2))
    assert_same(load(whole)[0], rows(2))


def test_damaged_parameters_and_histories_are_refused_by_name(tmp_path):
    whole = tmp_path / "whole"
    save_chosen(whole, rows(1).params, [{"fold": 0}], history(1), learned(1))
    readers = {"params": load_params, "release.npz": load_release}
    for i, path in enumerate(files_of(whole)):
        for damage in (flip, cut, Path.unlink):
            folder = tmp_path / f"{i}{damage.__name__}"
            shutil.copytree(whole, folder)
            name = path.relative_to(whole)
            damage(folder / name)
            reader = readers.get(name.parts[0], load_chosen)
            with pytest.raises(ValueError) as error:
                reader(folder)
            said = str(error.value)
            assert str(folder / name) in said and "--resume" in said
            assert chosen_fault(folder) is not None
    check_chosen(whole)
