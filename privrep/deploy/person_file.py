"""A person file: the statistics of a person by which a model encodes this person's utterances.

It is an .npz with a checksum, and holds moments of frames and of unreleased h. It says how a person
sounds on average: keep it where the recordings are, and send it nowhere. Host.
"""

import hashlib
import os
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from privrep.files import replace_arrays
from privrep.inputs.normalisation import FrameMoments

VERSION = 1
_STATE = ("num_rows", "mean", "scatter")


@dataclass(frozen=True, eq=False, repr=False)
class Person:
    """The statistics of a person, for one model.

    Attributes:
      model: the identity of the model, see `model_folder.Model`.
      utterances: how many they are of.
      frames: of the log-Mel frames, or ready ones; None where the model needs none.
      state: of the unreleased h: num_rows int32[], mean float32[D] and scatter float32[D, D], the
        arrays of `person_release.PersonState`; None where the model needs none.
    """

    model: str
    utterances: int
    frames: FrameMoments | None = None
    state: tuple[Any, Any, Any] | None = None

    def __repr__(self) -> str:
        """One line, which does not say how the person sounds."""
        known = [name for name in ("frames", "state") if getattr(self, name) is not None]
        return f"Person(model={self.model!r}, utterances={self.utterances}, knows={known})"


def write_person(path: Path, person: Person) -> None:
    """Writes a person file, see `files.replace_arrays`.

    Raises:
      OSError: it cannot be written.
    """
    arrays: dict[str, np.ndarray] = {
        "version": np.array(VERSION),
        "model": np.array(person.model),
        "utterances": np.array(person.utterances),
    }
    if person.frames is not None:
        named = person.frames._asdict()
        arrays |= {f"frames_{name}": np.asarray(value) for name, value in named.items()}
    if person.state is not None:
        arrays |= {f"state_{n}": np.asarray(a) for n, a in zip(_STATE, person.state)}
    replace_arrays(path, {"sha256": np.array(_digest(arrays)), **arrays})


def read_person(path: str | os.PathLike) -> Person:
    """Reads a person file.

    Raises:
      FileNotFoundError: there is none.
      ValueError: it is no person file, is not as it was written, or is of another version.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(
            f"{path}: there is no such person file; make it with privrep enrol MODEL *.wav "
            f"--person={path}"
        )
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = dict(file) if isinstance(file, np.lib.npyio.NpzFile) else {}
    except (ValueError, zipfile.BadZipFile, OSError, EOFError):  # numpy's advice is to unpickle
        raise ValueError(
            f"{path} is no person file, or is damaged: give one that privrep enrol has written"
        ) from None
    if not {"version", "model", "utterances", "sha256"} <= {*arrays}:
        raise ValueError(f"{path} is no person file: it was not written by privrep enrol")
    if int(arrays["version"]) != VERSION:
        raise ValueError(
            f"{path}: a person file of version {int(arrays['version'])}, and this privrep reads "
            f"{VERSION}: enrol the person anew"
        )
    digest = str(arrays.pop("sha256"))
    if digest != _digest(arrays):
        raise ValueError(f"{path} is not as it was written: enrol the person anew")
    frames = state = None
    if "frames_total" in arrays:
        count, total, squares = (arrays[f"frames_{name}"] for name in FrameMoments._fields)
        frames = FrameMoments(float(count), total, squares)
    if "state_mean" in arrays:
        num_rows, mean, scatter = (arrays[f"state_{name}"] for name in _STATE)
        state = num_rows, mean, scatter
    return Person(str(arrays["model"]), int(arrays["utterances"]), frames, state)


def _digest(arrays: dict[str, np.ndarray]) -> str:
    digest = hashlib.sha256()
    for name in sorted(arrays):
        array = np.asarray(arrays[name])
        digest.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
