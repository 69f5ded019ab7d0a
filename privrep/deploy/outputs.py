"""Checks of output paths: only an earlier output of the same kind is overwritten (host)."""

import json
import os
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np

_OF_ENCODE = {"h", "id", "emotion", "model"}
_OF_PERSON_INPUTS = {"frame_mean", "frame_deviation", "person_mean", "person_turn"}
_MARK = "privrep_version"  # in the metadata of every exported file


class Output(NamedTuple):
    """A file that a command writes.

    Attributes:
      flag: that names it, for messages, such as --output=h.npz.
      path: the file.
      is_earlier: whether a file that is there was made by this command, and so can be made again.
    """

    flag: str
    path: Path
    is_earlier: Callable[[Path], bool]


def check_output(output: Output, read: Iterable[Path]) -> None:
    """Makes sure that a file can be written and takes the place of nothing that cannot be remade.

    Args:
      read: files that the command reads.

    Raises:
      ValueError: it is one of these, a folder, or something that the command has not written; or
        it cannot be written there.
    """
    flag, path, is_earlier = output
    of_path = "" if str(path) in flag else f" (it also writes {path})"
    if path.resolve() in {file.resolve() for file in read}:
        raise ValueError(f"{flag}{of_path}: that file is read; give the output another name")
    if path.is_dir():
        raise ValueError(f"{flag}{of_path}: that is a folder; name a file in it")
    check_writable(flag, path)
    if path.exists() and not is_earlier(path):
        raise ValueError(
            f"{flag}{of_path}: a file is there that is no earlier output of this command, and is "
            "not replaced; give the output another name"
        )


def check_writable(flag: str, path: Path) -> None:
    """Makes sure that a file can be written, before what it is to hold is computed.

    Raises:
      ValueError: a folder above it is none, or this user may not write there.
    """
    folder = path.parent
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    if not folder.is_dir():
        raise ValueError(f"{flag}: {folder} is a file, no folder; name another place")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise ValueError(f"{flag}: {folder} cannot be written to; name another place")


def is_encoded(path: Path) -> bool:
    """Whether a file is an .npz of `privrep encode`."""
    return _names(path) >= _OF_ENCODE


def is_person_inputs(path: Path) -> bool:
    """Whether a file has the inputs of an exported file that `privrep export` writes beside it."""
    names = _names(path)
    return bool(names) and names <= _OF_PERSON_INPUTS


def is_onnx(path: Path) -> bool:
    """Whether a file is a graph of `privrep export`."""
    return _MARK.encode() in path.read_bytes()  # of the metadata, which holds plain text


def is_stablehlo(path: Path) -> bool:
    """Whether a file is one of `privrep export`: the notes beside it say so."""
    return is_notes(path.with_suffix(".json"))


def is_notes(path: Path) -> bool:
    """Whether a file has the notes that `privrep export` writes beside one of StableHLO."""
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return False
    return isinstance(content, dict) and _MARK in content


def _names(path: Path) -> set[str]:
    """The names of the arrays in an .npz; none of any other file."""
    try:
        with np.load(path, allow_pickle=False) as file:
            return {*file.files} if isinstance(file, np.lib.npyio.NpzFile) else set()
    except (ValueError, zipfile.BadZipFile, OSError, EOFError):
        return set()
