"""Atomic replacement of files (host)."""

import os
from pathlib import Path


def replace_file(path: Path, text: str) -> None:
    """Writes `text` as UTF-8 so that the file is complete at any moment, old or new.

    This holds through a crash of the process and a power failure. Text is written beside the file
    under its name with ".partial" and renamed into place.

    Raises:
      OSError: the folder is missing or cannot be written.
    """
    partial = path.with_name(path.name + ".partial")
    with partial.open("w", encoding="utf-8", newline="") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(partial, path)
    if os.name == "posix":  # elsewhere a directory cannot be opened
        directory = os.open(path.parent, os.O_RDONLY)
        os.fsync(directory)
        os.close(directory)
