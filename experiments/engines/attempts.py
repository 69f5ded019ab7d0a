"""Attempts at a task: each works in a folder of its own, and one of them publishes.

    <place>/attempt_02/          what the second attempt makes
    <place>/attempt_02.alive     its signs of life, see `privrep.lock`
    <place>/published/           what the attempt that won has made, complete
    <place>/lock                 held for the moment of beginning and of publishing

An attempt publishes by one rename under the lock, and only if no later one has begun. So a process
that was thought dead, and comes back when another has taken its place, changes nothing.
"""

import contextlib
import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from privrep.files import replace_file
from privrep.lock import holding

PUBLISHED = "published"
_RECORD = "attempt.json"
_ALIVE = ".alive"


class Attempt(NamedTuple):
    """An attempt that has begun.

    Attributes:
      number: from 1.
      folder: where it works.
      before: the folders of earlier attempts that are there, the latest first.
    """

    number: int
    folder: Path
    before: tuple[Path, ...]


@contextlib.contextmanager
def attempted(place: Path) -> Iterator[Attempt | None]:
    """Begins an attempt, and gives signs of life for the block.

    None is yielded where nothing is left to do: another attempt has published, or what it published
    is already taken and the place is gone.
    """
    with contextlib.ExitStack() as stack:
        try:
            with holding(place / "lock", wait=True):
                if has_published(place):
                    attempt = None
                else:
                    numbers = _numbers(place)
                    number = 1 + max(numbers, default=0)
                    before = tuple(_folder(place, n) for n in sorted(numbers, reverse=True))
                    attempt = Attempt(number, _folder(place, number), before)
                    attempt.folder.mkdir()
                    replace_file(attempt.folder / _RECORD, json.dumps({"attempt": number}) + "\n")
                    stack.enter_context(holding(_alive(place, number)))
        except FileNotFoundError:
            if place.exists():
                raise
            attempt = None
        yield attempt


def publish(attempt: Attempt, record: Mapping[str, Any]) -> bool:
    """Makes what an attempt has made the result of its task; whether it was not too late.

    Args:
      record: what is noted beside it, of what JSON knows.
    """
    place, path = attempt.folder.parent, attempt.folder / _RECORD
    if path.exists():  # else the folder was removed, and perhaps made again by a late write
        replace_file(path, json.dumps({"attempt": attempt.number, **record}) + "\n")
    try:
        with holding(place / "lock", wait=True) as lock:
            is_latest = max(_numbers(place), default=0) == attempt.number
            if is_latest and path.exists() and not has_published(place):
                lock.check()
                attempt.folder.rename(place / PUBLISHED)
                return True
    except FileNotFoundError:
        if place.exists():
            raise
    shutil.rmtree(attempt.folder, ignore_errors=True)
    return False


def has_published(place: Path) -> bool:
    """Whether the result of a task is there."""
    return (place / PUBLISHED).is_dir()


def read_record(place: Path) -> dict[str, Any]:
    """What is noted beside the result: `attempt`, how many had begun, and `publish`'s record."""
    return json.loads((place / PUBLISHED / _RECORD).read_text(encoding="utf-8"))


def sign_of_life(place: Path) -> tuple[int, bytes] | None:
    """(the latest attempt, its sign of life, which changes while it lives); None without any."""
    number = max(_numbers(place), default=0)
    with contextlib.suppress(OSError):
        return number, _alive(place, number).read_bytes()
    return None


def _folder(place: Path, number: int) -> Path:
    return place / f"attempt_{number:02d}"


def _alive(place: Path, number: int) -> Path:
    return place / f"attempt_{number:02d}{_ALIVE}"


def _numbers(place: Path) -> set[int]:
    """Of all attempts that have begun and not published."""
    names = {path.name.removesuffix(_ALIVE) for path in place.glob("attempt_*")}
    return {int(n.partition("_")[2]) for n in names if n.partition("_")[2].isdecimal()}
