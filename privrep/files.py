"""Files that are whole at any moment (host)."""

import os
from pathlib import Path


def replace_file(path: Path, text: str) -> None:
    """Writes a file so that at any moment, power failure included, it is the old or the new one."""
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
