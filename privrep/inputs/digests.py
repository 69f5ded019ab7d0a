"""Digests of the content of a corpus's files, each read once (host).

They lie in a file between runs, under the path, size and times of change of what was read: a corpus
of 100 GB is not read again to find that nothing has changed.
"""

import hashlib
import json
import os
import time
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from tqdm import tqdm

from privrep.cores import usable_cores
from privrep.files import replace_file, sha256
from privrep.inputs.extraction import map_in_order

_SETTLED = 2.0  # seconds after which another change has another time, on any file system
_Known = dict[str, list]


class Content(NamedTuple):
    """What a file holds: 32 hex digits of its SHA-256, and its size in bytes."""

    digest: str
    size: int


def contents(
    paths: Iterable[Path], store: Path, title: str, *, workers: int | None = None
) -> dict[Path, Content | None]:
    """The content of each file; None of one that is not there or cannot be read.

    Args:
      paths: any number of times each.
      store: the file of known digests, which is made, and replaced where it is damaged.
      title: of the progress bar, which is shown where this takes a while.
      workers: threads; None is one per core.
    """
    known, to_read = _known(store), {}
    content_of: dict[Path, Content | None] = {}
    for path in dict.fromkeys(paths):
        state = _state(path)
        kept = known.get(os.path.abspath(path))
        if state is None:
            content_of[path] = None
        elif kept is not None and kept[:3] == state:
            content_of[path] = Content(kept[3], state[0])
        else:
            to_read[path] = state

    def read(path: Path) -> Content | None:
        try:
            return Content(sha256(path)[:32], path.stat().st_size)
        except OSError:
            return None

    results = map_in_order(read, to_read, workers or usable_cores())
    bar = tqdm(results, title, len(to_read), unit=" files", delay=5)
    now, fresh = time.time_ns(), {}
    for (path, state), content in zip(to_read.items(), bar):
        content_of[path] = content
        # One that has just been written may be written again without a change of its times.
        if content and state == _state(path) and now - max(state[1:]) > _SETTLED * 1e9:
            fresh[os.path.abspath(path)] = [*state, content.digest]
    if fresh:
        _write(store, known | fresh)
    return content_of


def _state(path: Path) -> list[int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return [status.st_size, status.st_mtime_ns, status.st_ctime_ns]


def _known(store: Path) -> _Known:
    """{path: size, times of change, digest}."""
    try:
        checksum, _, text = store.read_bytes().partition(b"\n")
    except OSError:
        return {}
    if checksum.decode(errors="replace") != hashlib.sha256(text).hexdigest():
        warnings.warn(
            f"{store} is not as it was written: the corpus's files are read again", stacklevel=2
        )
        return {}
    return json.loads(text)


def _write(store: Path, known: _Known) -> None:
    store.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(known)
    replace_file(store, f"{hashlib.sha256(text.encode()).hexdigest()}\n{text}")
