"""Work for engines to carry out, small enough for a test, in a process that knows no jax."""

import json
import os
import signal
import time
from pathlib import Path

from experiments.engines.attempts import attempted, has_published, publish


def write(path: str, text: str) -> None:
    Path(path).write_text(f"{text} {os.environ.get('PRIVREP_CORES')}", encoding="utf-8")


def write_process(path: str) -> None:
    Path(path).write_text(str(os.getpid()), encoding="utf-8")


def wrong() -> None:
    raise ValueError("--lambda: no such value")


def fault() -> None:
    raise KeyError("of the program")


def die_once(place: str) -> None:
    """Publishes; the first process is killed when it has begun."""
    with attempted(Path(place)) as attempt:
        assert attempt is not None
        if attempt.number == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        (attempt.folder / "text").write_text("made", encoding="utf-8")
        publish(attempt, {})


def wait_for_ever(path: str) -> None:
    Path(path).write_text(str(os.getpid()), encoding="utf-8")
    time.sleep(600)


def late(place: str) -> None:
    """Publishes, the first attempt only after another one has: too late."""
    with attempted(Path(place)) as attempt:
        if attempt is None:
            return
        while attempt.number == 1 and not has_published(Path(place)):
            time.sleep(0.05)
        (attempt.folder / "text").write_text(f"by attempt {attempt.number}", encoding="utf-8")
        publish(attempt, {})


def preempted(path: str) -> None:
    """Its first process waits to be preempted."""
    if not Path(path).exists():
        wait_for_ever(path)


def spend(path: str, importing: bool) -> None:
    """Notes the process and its processor time so far; before that, what a pack imports."""
    if importing:
        import jax

        import experiments.engines.pack_task  # noqa: F401

        jax.devices()
    Path(path).write_text(json.dumps([os.getpid(), time.process_time()]), encoding="utf-8")
