"""Locks of folders that several processes, also of several machines, would write to (host).

A lock is a small file. It works on network disks, where the locks of the kernel often do not: it is
made by what every file system can do, and whoever holds it gives signs of life in it.
"""

import contextlib
import json
import os
import secrets
import socket
import threading
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

BEAT = 5.0  # seconds between two signs of life
PATIENCE = 30.0  # seconds without one until a lock is taken over that another machine has left
_DIGITS = 12  # of the count of signs, so that each replaces the one before


class InUse(ValueError):
    """Another process holds the lock, or has taken it over."""


class Lock:
    """A lock that this process holds.

    Attributes:
      path: of its file.
    """

    def __init__(self, path: Path, record: dict[str, Any]) -> None:
        self.path = path
        self._record = record
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._live, name=f"lock {path}", daemon=True)
        self._thread.start()

    def check(self) -> None:
        """Makes sure that this process still holds the lock, before it writes.

        Raises:
          InUse: another process has taken it over, because this one stood still for a while.
          FileNotFoundError: the file or its folder was removed.
        """
        try:
            now = _read(self.path)
        except FileNotFoundError:
            raise FileNotFoundError(
                f"{self.path} was removed while this process, which wrote in {self.path.parent}, "
                "was running: start it again with the same flags and --resume"
            ) from None
        if now.get("token") != self._record["token"]:
            raise InUse(f"{self.path.parent} was taken over by {_who(now)}; this process ends")

    def release(self) -> None:
        """Gives the lock up, if this process still holds it."""
        self._done.set()
        self._thread.join()
        with contextlib.suppress(OSError):
            if _read(self.path).get("token") == self._record["token"]:
                self.path.unlink()

    def _live(self) -> None:
        count = 0
        while not self._done.wait(BEAT):
            count += 1
            # In place: a file that was renamed meanwhile is no longer this lock.
            with contextlib.suppress(OSError), self.path.open("r+b") as file:
                if _parsed(file.read()).get("token") == self._record["token"]:
                    file.seek(0)
                    file.write(_text(self._record | {"signs": f"{count:0{_DIGITS}d}"}))


@contextlib.contextmanager
def holding(path: Path, wait: bool = False) -> Iterator[Lock]:
    """Holds the lock `path` for the block; the folder must exist.

    A lock whose process has ended is taken over: at once if it ran on this machine, else after
    PATIENCE seconds without a sign of life. So is a copy of a lock.

    Args:
      wait: until another process gives the lock up, in place of an error.

    Raises:
      InUse: another process holds it; the message says which.
    """
    lock = _acquire(path, wait)
    try:
        yield lock
    finally:
        lock.release()


def _acquire(path: Path, wait: bool) -> Lock:
    record = {
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "since": time.strftime("%Y-%m-%d %H:%M:%S"),
        "machine": _machine(),
        "started": _started(os.getpid()),
        "place": str(path.resolve()),
        "token": secrets.token_hex(8),
        "signs": "0" * _DIGITS,
    }
    while True:
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        except FileExistsError:
            before = _bytes(path)
            if before is None:
                continue
            if _is_left(path, before):
                _remove(path, before)
            elif not wait:
                raise InUse(
                    f"{path.parent} is in use: {_who(_parsed(before))} writes there. Wait for it, "
                    f"or choose another folder (if there is no such process, remove {path.name})"
                ) from None
            else:
                time.sleep(0.2)
            continue
        with os.fdopen(descriptor, "wb") as file:
            file.write(_text(record))
        return Lock(path, record)


def _is_left(path: Path, before: bytes) -> bool:
    """Whether the process that made this lock, which reads `before`, has ended."""
    record = _parsed(before)
    if record.get("machine") == _machine() and isinstance(record.get("pid"), int):
        if not _is_alive(record["pid"], record.get("started")):
            return True
        place = Path(str(record.get("place")))
        if place == path.resolve():
            return False
        if place.exists() and not place.samefile(path):
            return True  # the folder was copied while its process ran
    warnings.warn(
        f"{path.parent}: {_who(record)} has been writing there; waiting up to {PATIENCE:.0f} s for "
        "a sign of life",
        stacklevel=2,
    )
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        time.sleep(min(0.5, PATIENCE / 4))
        if _bytes(path) != before:
            return False
    return True


def _remove(path: Path, before: bytes) -> None:
    """Removes the lock if it still reads `before`; of several processes one succeeds."""
    aside = path.with_name(f"{path.name}.{secrets.token_hex(4)}.left")
    try:
        path.rename(aside)
    except FileNotFoundError:
        return
    if _bytes(aside) != before:  # another process was faster, and this is its lock
        with contextlib.suppress(OSError):
            os.link(aside, path)
    aside.unlink(missing_ok=True)


def _is_alive(pid: int, started: Any) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        pass
    now = _started(pid)
    return now is None or now == started


def _started(pid: int) -> str | None:
    """When a process of this machine started; None where that cannot be known, "" of one that has
    ended and waits for its parent."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    state, *rest = status.rpartition(")")[2].split()
    return "" if state in ("Z", "X") else rest[18]


def _machine() -> str:
    """The machine since its start, and the space in which its processes are numbered."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return socket.gethostname()


def _who(record: dict[str, Any]) -> str:
    if not record:
        return "a process that its lock does not name"
    return f"process {record.get('pid')} on {record.get('host')} (since {record.get('since')})"


def _bytes(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _read(path: Path) -> dict[str, Any]:
    return _parsed(path.read_bytes())


def _parsed(content: bytes) -> dict[str, Any]:
    """{} of a lock that is damaged, or not yet written."""
    try:
        record = json.loads(content)
    except ValueError:
        return {}
    return record if isinstance(record, dict) else {}


def _text(record: dict[str, Any]) -> bytes:
    return (json.dumps(record) + "\n").encode()
