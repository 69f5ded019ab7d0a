"""HDF5 files of vectors or frames: an array [N, D], or one of each utterance (host)."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from privrep.formats.limits import check_unpacked
from privrep.formats.tables import ID, cell_of
from privrep.formats.unpacked import NoRoom, blocks, is_large, mapped
from privrep.formats.vectors import Representations, checked_vectors
from privrep.messages import first

ENDINGS = (".h5", ".hdf5", ".hdf")
_IDS = (ID, "ids")


class Hdf5Array(NamedTuple):
    """An array of a file that is read when it is asked for.

    Attributes:
      shape, dtype: as the file promises them.
      read: reads all of it; of a large one, [N, T, D], a few rows at a time, and maps them.
    """

    shape: tuple[int, ...]
    dtype: np.dtype
    read: Callable[[], np.ndarray]


def arrays_of(path: Path) -> dict[str, Hdf5Array]:
    """{name: array} of all arrays of a file, those of groups as group/name; links are not followed.

    Raises:
      ValueError: h5py is not installed, or the file is damaged or no HDF5.
    """
    try:
        import h5py
    except ImportError as error:
        raise ValueError(
            f"{path}: needs h5py: pip install 'privrep[tables]' (in a checkout: pip install -e "
            "'.[tables]'), or save the arrays as .npz"
        ) from error
    arrays: dict[str, Hdf5Array] = {}

    def add(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset) and item.shape is not None:
            arrays[name] = Hdf5Array(item.shape, item.dtype, lambda: _content(path, name, item))

    try:
        h5py.File(path, "r").visititems(add)
    except (OSError, RuntimeError, KeyError, ValueError) as error:
        raise ValueError(f"{path}: is no HDF5 file, or a damaged one: {error}") from error
    return arrays


def _content(path: Path, name: str, dataset: Any) -> np.ndarray:
    check_unpacked(path, dataset.nbytes, f"its array {name!r} {list(dataset.shape)}")
    shape, dtype = dataset.shape, dataset.dtype
    try:
        if dtype.kind not in "fiubV" or not is_large(shape, dtype):
            return dataset[()]
        # Aligned to what is compressed together, which is unpacked each time any of it is read.
        rows = blocks(shape, dtype, dataset.chunks[0] if dataset.chunks else 1)
        return mapped(shape, dtype, (dataset[block] for block in rows))
    except NoRoom as error:
        raise ValueError(f"{path}: {error}") from error
    except (OSError, RuntimeError, TypeError, ValueError) as error:
        raise ValueError(f"{path}: its array {name!r} cannot be read: {error}") from error


def representations_of(path: Path, arrays: Mapping[str, Hdf5Array]) -> Representations:
    """The array `h`, or the only one of numbers, with the ids under `id` or `ids` if there are any.

    Raises:
      ValueError: there are several, or none; the message names them with their shapes.
    """
    numbers = {name: a for name, a in arrays.items() if a.dtype.kind in "fiubV" and len(a.shape)}
    numbers = {name: a for name, a in numbers.items() if name not in _IDS}
    if "h" in numbers:
        numbers = {"h": numbers["h"]}
    if len(numbers) != 1:
        held = [f"{name} {list(array.shape)}" for name, array in arrays.items()]
        raise ValueError(
            f"{path}: holds {first(held) or 'no array'}: name the representations h and the "
            f"utterances {ID}, or each array by the {ID} of its utterance"
        )
    ((_, array),) = numbers.items()
    name = next((name for name in _IDS if name in arrays), None)
    ids = None if name is None else _ids(path, name, arrays[name])
    return checked_vectors(str(path), array.read(), ids)


def _ids(path: Path, name: str, array: Hdf5Array) -> list[str | None]:
    if len(array.shape) != 1 or array.dtype.kind not in "OSUiu":
        raise ValueError(
            f"{path}: {name} holds {array.dtype} of shape {list(array.shape)}; it is [N] texts, "
            "one for each row"
        )
    cells = array.read().tolist()
    try:
        return [cell_of(c.decode() if isinstance(c, bytes) else c) for c in cells]
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: {name} holds text that is not in UTF-8") from error
