"""Ready features of utterances, float32[T, F], from any source of `formats.sequences` (host)."""

import warnings
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from privrep.formats.sequences import (
    Sequences,
    files_beside,
    is_by_file,
    open_sequences,
    rows_of,
    sources_of,
    with_lengths,
)
from privrep.formats.text_files import LFS_POINTER, is_lfs_pointer
from privrep.formats.vectors import as_real
from privrep.inputs.audio import UnusableUtterance


class ReadyFeatures(NamedTuple):
    """Opened sources of one modality, whose columns stand side by side.

    Attributes:
      parts: the sources.
      rows: of each of them {id: number of its array}.
    """

    parts: tuple[Sequences, ...]
    rows: tuple[dict[str, int], ...]

    def path_of(self, utterance_id: str) -> Path:
        """The file of an utterance, of the first source."""
        return self.parts[0].path_of(utterance_id)


def open_ready(source: str | Path, ids: Sequence[str]) -> ReadyFeatures:
    """Opens ready features of the utterances `ids`; warnings report which file serves which one.

    Args:
      source: a source of `formats.sequences`, or several joined by +.
      ids: of the utterances.

    Raises:
      FileNotFoundError: there is no such file.
      ValueError: a source cannot be read, has no ids, or has none of the utterances.
    """
    parts = tuple(_opened(part, ids) for part in sources_of(source))
    for part in parts:
        for note in part.notes:
            warnings.warn(note, stacklevel=2)
    rows = tuple({id_: i for i, id_ in enumerate(part.ids or ())} for part in parts)
    return ReadyFeatures(parts, rows)


def _opened(source: str, ids: Sequence[str]) -> Sequences:
    path = Path(source)
    is_numpy = path.suffix.lower() == ".npy" and path.is_file()
    opened = with_lengths(path, ids) if is_numpy else open_sequences(source, ids)
    part = opened if isinstance(opened, Sequences) else rows_of(opened, path)
    if part.ids is None:
        shape = "" if part.shape is None else f" of shape {list(part.shape)}"
        raise ValueError(
            f"{source}: holds {part.total:,} rows{shape} without ids, so that whose they are is "
            "not known. Store them with ids (an .npz with h and id, or an array of each utterance "
            "by its id); beside a .npy file, give the ids in a file .ids, one in each line, and "
            "the numbers of frames in a file .lengths"
        )
    if not set(part.ids) & {*ids}:
        raise ValueError(
            f"{source}: has features of {part.ids[0]} and others, and of no utterance here, such "
            f"as {ids[0]}"
        )
    return part


def ready_files(source: str | Path, ids: Sequence[str]) -> list[list[Path]]:
    """The files on which the features of each of the utterances `ids` depend.

    A missing file is listed by the path at which it is expected.
    """
    files: list[list[Path]] = [[] for _ in ids]
    for part in sources_of(source):
        if not is_by_file(part):
            shared = files_beside(part)
            files = [[*of, *shared] for of in files]
            continue
        opened = open_sequences(part, ids)
        if isinstance(opened, Sequences):
            files = [[*of, opened.path_of(id_)] for of, id_ in zip(files, ids)]
    return files


def read_features(ready: ReadyFeatures, utterance_id: str) -> np.ndarray:
    """The features of an utterance, float32[T, F]; a vector [F] is one frame.

    Raises:
      UnusableUtterance: no such features, no numeric array, wrong rank, empty, not finite, or
        sources with different numbers of frames; the message names file and shapes.
    """
    arrays = [_array(part, rows, utterance_id) for part, rows in zip(ready.parts, ready.rows)]
    if len({len(array) for array in arrays}) > 1:
        shapes = ", ".join(
            f"{list(array.shape)} in {Path(part.name).name}"
            for part, array in zip(ready.parts, arrays)
        )
        raise UnusableUtterance(
            utterance_id,
            ready.path_of(utterance_id),
            "features with different numbers of frames",
            shapes,
        )
    return arrays[0] if len(arrays) == 1 else np.concatenate(arrays, 1)


def _array(part: Sequences, rows: dict[str, int], utterance_id: str) -> np.ndarray:
    path = part.path_of(utterance_id)
    fault = partial(UnusableUtterance, utterance_id, path)
    if utterance_id not in rows:
        if is_by_file(part.name):
            raise fault("feature file missing", "or .npz" if path.suffix == ".npy" else "")
        raise fault("features missing", "no array of this id")
    try:
        array, note = as_real(part.read(rows[utterance_id]))
    except (ValueError, MemoryError, OSError) as error:
        if path.is_file() and is_lfs_pointer(path):
            raise fault(LFS_POINTER) from error
        raise fault("feature file unreadable", str(error).removeprefix(f"{path}: ")) from error
    if note:
        warnings.warn(f"{part.name} {note}", stacklevel=2)
    shape = f"shape {list(array.shape)}"
    if array.dtype.kind not in "fiu":
        raise fault("features are not real numbers", f"{array.dtype} of {shape}")
    if array.ndim not in (1, 2):
        raise fault("features are neither [T, F] nor [F]", shape)
    if array.size == 0:
        raise fault("features empty", shape)
    with np.errstate(over="ignore"):
        array = np.atleast_2d(array).astype(np.float32)
    if not np.isfinite(array).all():
        raise fault("features are not finite", shape)
    return array
