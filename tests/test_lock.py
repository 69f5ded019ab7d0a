"""One process holds a lock; what ended processes have left is taken over."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time

import pytest

from privrep import lock
from privrep.lock import InUse, holding
from tests.support.paths import ROOT

HOLD = """
import pathlib, sys, time
from privrep.lock import holding
with holding(pathlib.Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def path(tmp_path):
    return tmp_path / "writer.lock"


@pytest.fixture
def holder(path):
    command = [sys.executable, "-c", HOLD, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT) as process:
        assert process.stdout.readline() == b"held\n"
        yield process
        process.kill()


def quick(monkeypatch):
    monkeypatch.setattr(lock, "BEAT", 0.02)
    monkeypatch.setattr(lock, "PATIENCE", 0.3)


def test_a_second_process_is_told_who_writes(path, holder):
    named = rf"{path.parent} is in use: process {holder.pid} on \S+ \(since"
    with pytest.raises(InUse, match=named), holding(path):
        pass
    holder.send_signal(signal.SIGSTOP)  # alive, if not running
    with pytest.raises(InUse), holding(path):
        pass


def test_the_lock_of_a_killed_process_is_taken_over_at_once(path, holder):
    holder.kill()  # its parent has not asked for its status yet
    began = time.monotonic()
    while True:
        try:
            with holding(path) as held:
                held.check()
            break
        except InUse:
            assert time.monotonic() - began < 2
    assert not path.exists()


def test_a_process_number_that_was_given_anew_holds_nothing(path, holder):
    record = json.loads(path.read_text())
    path.write_text(json.dumps(record | {"pid": os.getpid()}))
    with holding(path) as held:
        held.check()


def test_signs_of_life_keep_the_lock_of_another_machine(path, monkeypatch):
    quick(monkeypatch)
    with holding(path) as held:
        monkeypatch.setattr(lock, "_machine", lambda: "another")
        waits = pytest.warns(UserWarning, match="has been writing there; waiting up to")
        with waits, pytest.raises(InUse, match=f"process {os.getpid()} on"), holding(path):
            pass
        held.check()


@pytest.mark.parametrize("content", ["of another machine", "", "{"])
def test_without_a_sign_of_life_a_lock_is_taken_over(path, monkeypatch, content):
    quick(monkeypatch)
    path.write_text(
        content and json.dumps({"machine": "x", "pid": 1}) if len(content) > 1 else content
    )
    with pytest.warns(UserWarning, match="waiting up to"), holding(path) as held:
        held.check()


def test_who_was_taken_over_writes_no_more(path, monkeypatch):
    quick(monkeypatch)
    with holding(path) as held:
        path.unlink()
        with pytest.raises(FileNotFoundError, match="was removed while this process"):
            held.check()
        with holding(path) as other:
            with pytest.raises(InUse, match="was taken over by process"):
                held.check()
            time.sleep(0.1)  # signs of life of both
            other.check()
            held.release()
            other.check()
    assert not path.exists()


def test_a_copy_of_a_folder_in_use_is_free(path, holder, tmp_path_factory):
    copy = tmp_path_factory.mktemp("copy") / "writer.lock"
    shutil.copy2(path, copy)
    with holding(copy) as held:
        held.check()


def test_one_of_many_takes_over(path, monkeypatch):
    quick(monkeypatch)
    path.write_text("{}")
    got, at_once = [], threading.Barrier(8)

    def take():
        at_once.wait()
        try:
            with holding(path):
                got.append(path.read_bytes())
                time.sleep(1)
        except InUse:
            pass

    threads = [threading.Thread(target=take) for _ in range(8)]
    with pytest.warns(UserWarning):
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(got) == 1


def test_who_waits_comes_next(path):
    order = []

    def second():
        with holding(path, wait=True):
            order.append("second")

    with holding(path):
        thread = threading.Thread(target=second)
        thread.start()
        time.sleep(0.3)
        order.append("first")
    thread.join()
    assert order == ["first", "second"]
