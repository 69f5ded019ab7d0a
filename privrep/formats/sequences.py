"""The one reader of vectors and frames by utterance, for training and audit (host).

What is opened here is not read: arrays are read when they are asked for, one utterance at a time,
so that no more than a few are in memory.

| source | which array is whose |
|---|---|
| a folder, or a pattern DIR/{id}.embedding.npy | a file of each utterance, .npy or .npz |
| .npy and a file of lengths | frames of all utterances end to end, ids from a file beside |
| .npz, .h5, .hdf5 | an array of each utterance by its id; or one, [N, D], with ids under `id` |
| .ark, .scp | Kaldi's keys |
| .parquet, .arrow, .feather | a column `id`; lists of lists are frames |
| .csv, .tsv | a column `id`, a number in each other cell |
"""

from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from privrep.formats import ark, arrow, hdf5
from privrep.formats.end_to_end import IDS, LENGTHS, ids_beside, read_end_to_end
from privrep.formats.folders import PLACE, by_stem, file_of, no_file, root_of, whole_files
from privrep.formats.ids import matched
from privrep.formats.tables import ID, existing_file
from privrep.formats.vectors import (
    VECTORS,
    Representations,
    array_names,
    named_arrays,
    read_array,
    read_vectors,
)
from privrep.messages import first

JOINED = "+"  # between sources whose columns stand side by side


class Sequences(NamedTuple):
    """The arrays of N utterances, of which none is read before it is asked for.

    Attributes:
      name: of the source, for messages.
      ids: N of those that were wanted, in the order of the source; None where it has no ids, and
        array i is of row i.
      total: N.
      read: array i, [T, D] frames or [D] a vector, as it is stored, unchecked.
      path_of: the file that holds, or ought to hold, the array of an id.
      shape: of all arrays as they are stored together; None where they are stored one by one.
      notes: sentences on what was taken for what, and what was left out.
    """

    name: str
    ids: list[str] | None
    total: int
    read: Callable[[int], np.ndarray]
    path_of: Callable[[str], Path]
    shape: tuple[int, ...] | None = None
    notes: tuple[str, ...] = ()


def sources_of(text: str | Path) -> list[str]:
    """The sources that a text names, joined by + unless a file or folder has a + in its name.

    >>> sources_of("a.npz+b.h5")
    ['a.npz', 'b.h5']
    """
    text = str(text)
    return [text] if Path(text).exists() else [part.strip() for part in text.split(JOINED)]


def exists(source: str | Path) -> bool:
    """Whether a file or folder, or the folder of a pattern, is there."""
    if PLACE in str(source):
        return root_of(str(source)).is_dir()
    return Path(source).exists()


def files_of(source: str | Path) -> list[Path]:
    """All files of a source: itself, those in a folder, or those that fit a pattern."""
    text = str(source)
    if PLACE in text:
        root = root_of(text)
        pattern = str(Path(text).relative_to(root)).replace(PLACE, "*")
        return sorted(path for path in root.rglob(pattern) if path.is_file())
    if Path(source).is_dir():
        return sorted(path for path in Path(source).rglob("*.np[yz]") if path.is_file())
    return [Path(source), *(ark.files_of(Path(source)) if text.lower().endswith(".scp") else [])]


def is_by_file(source: str | Path) -> bool:
    """Whether a source is a folder or a pattern, with a file of each utterance."""
    return PLACE in str(source) or Path(source).is_dir()


def files_beside(source: str | Path) -> list[Path]:
    """The files of a source that is no folder, with those of lengths and ids that lie beside."""
    path = Path(source)
    beside = [path.with_suffix(ending) for ending in (LENGTHS, *IDS)]
    is_numpy = path.suffix.lower() == ".npy"
    return [*files_of(path), *(other for other in beside if is_numpy and other.is_file())]


def open_sequences(
    source: str | Path, wanted: Collection[str] | None, lengths: str | Path | None = None
) -> Sequences | Representations:
    """Opens one source of vectors or frames.

    Args:
      source: a file, a folder, or a pattern with {id}.
      wanted: ids of the utterances; None where these have none.
      lengths: a file with the number of frames of each utterance, of a .npy file that holds those
        of all end to end.

    Returns:
      Representations where the source is one array [N, D] or [N, T, D], else Sequences.

    Raises:
      FileNotFoundError: there is no such file.
      ValueError: it cannot be read, or has none of the utterances; the message says what it holds.
    """
    wanted = None if wanted is None else dict.fromkeys(wanted).keys()
    text, path = str(source), Path(source)
    ending = path.suffix.lower()
    if lengths is not None and (ending != ".npy" or path.is_dir() or PLACE in text):
        raise ValueError(
            f"{source}: lengths ({lengths}) are of a .npy file that holds the frames of all "
            "utterances end to end; other sources know how long each of theirs is"
        )
    if is_by_file(text):
        pattern = text if PLACE in text else str(path / f"{PLACE}.npy")
        if not root_of(pattern).is_dir():
            raise FileNotFoundError(f"{pattern}: there is no folder {root_of(pattern)}")
        return _from_folder(text, pattern, _needed(wanted, text, root_of(pattern)))
    if ending not in ark.ENDINGS:  # whose first bytes, a key, may be those of any file
        existing_file(path, KINDS)
    elif not path.is_file() or not path.stat().st_size:
        raise FileNotFoundError(f"{path}: there is no such file, or it is empty")
    if ending in OPENERS:
        return OPENERS[ending](path, wanted)
    if lengths is not None:
        return _end_to_end(path, Path(lengths), wanted)
    return read_vectors(path)


def rows_of(representations: Representations, path: Path) -> Sequences:
    """Arrays [N, D] or [N, T, D] that are in memory, as Sequences."""
    h, ids = representations.h, representations.ids
    notes = tuple(filter(None, (representations.first_line, *representations.notes)))
    return Sequences(str(path), ids, len(h), lambda i: h[i], lambda _: path, h.shape, notes)


def with_lengths(path: Path, wanted: Collection[str] | None) -> Sequences | Representations:
    """`open_sequences` that takes the file of lengths that lies beside a .npy file, if one does."""
    beside = lengths_beside(path)
    opened = open_sequences(path, wanted, beside)
    if beside is None or not isinstance(opened, Sequences):
        return opened
    note = f"{path.name}: frames of {opened.total:,} utterances end to end, by {beside.name}."
    return opened._replace(notes=(note, *opened.notes))


def lengths_beside(path: Path) -> Path | None:
    """The file of lengths beside a .npy file, or None."""
    beside = path.with_suffix(LENGTHS)
    return beside if path.suffix.lower() == ".npy" and beside.is_file() else None


def _needed(
    wanted: Collection[str] | None, name: str, folder: Path | None = None
) -> Collection[str]:
    if wanted is None:
        advice = "" if folder is None else whole_files(folder)
        raise ValueError(
            f"{name}: its arrays are found by the {ID} of their utterances, and the labels have no "
            f"column {ID}{'.' if advice else ''}{advice}"
        )
    return wanted


def _by_name(
    path: Path,
    arrays: Mapping[str, Callable[[], np.ndarray]],
    wanted: Collection[str] | None,
    path_of: Mapping[str, Path] | None = None,
) -> Sequences:
    """Sequences of the arrays whose names are ids; `path_of` {name: its file} if not `path`."""
    wanted = _needed(wanted, str(path))
    id_of = matched(wanted, arrays, str(path))
    if not id_of:
        raise ValueError(
            f"{path}: has arrays of {first([*arrays]) or 'nothing'}, and of no utterance here: "
            f"{first([*wanted])}. Are these its ids?"
        )
    readers = [arrays[name] for name in id_of]
    others = len(arrays) - len(id_of)
    notes = [f"{others:,} of {len(arrays):,} arrays of {path.name} are of no utterance here."]
    files = {id_: (path_of or {}).get(name, path) for name, id_ in id_of.items()}
    return Sequences(
        str(path),
        [*id_of.values()],
        len(readers),
        lambda i: readers[i](),
        lambda id_: files.get(id_, path),
        notes=tuple(notes if others else ()),
    )


def _from_folder(name: str, pattern: str, wanted: Collection[str]) -> Sequences:
    root = root_of(pattern)
    path_by_id = {id_: path for id_ in wanted if (path := file_of(pattern, id_)) is not None}
    notes: tuple[str, ...] = ()
    if not path_by_id:
        path_by_id = by_stem(root, pattern, wanted)
        if path_by_id:
            notes = (f"Files were found in the folders below {root}, by their names alone.",)
    if not path_by_id:
        raise no_file(pattern, root, wanted)
    ids = [*path_by_id]
    return Sequences(
        name,
        ids,
        len(ids),
        lambda i: read_array(path_by_id[ids[i]]),
        lambda id_: path_by_id.get(id_, Path(pattern.replace(PLACE, id_))),
        notes=notes,
    )


def _npz(path: Path, wanted: Collection[str] | None) -> Sequences | Representations:
    names = array_names(path)
    if {"h", ID} <= {*names} or not wanted or not matched(wanted, names, str(path)):
        return read_vectors(path)
    return _by_name(path, named_arrays(path, names), wanted)


def _hdf5(path: Path, wanted: Collection[str] | None) -> Sequences | Representations:
    arrays = hdf5.arrays_of(path)
    folders = {name.rpartition("/")[0]: array for name, array in arrays.items()}
    if len({name.rpartition("/")[2] for name in arrays}) == 1 and matched(
        wanted or (), folders, str(path)
    ):
        arrays = folders  # a group of each utterance, in which its array has the same name
    if not wanted or not matched(wanted, arrays, str(path)):
        return hdf5.representations_of(path, arrays)
    return _by_name(path, {name: array.read for name, array in arrays.items()}, wanted)


def _kaldi(path: Path, wanted: Collection[str] | None) -> Sequences:
    entries = ark.entries_of(path)
    readers = {key: entry.read for key, entry in entries.items()}
    return _by_name(path, readers, wanted, {key: entry.path for key, entry in entries.items()})


def _arrow(path: Path, wanted: Collection[str] | None) -> Sequences | Representations:
    frames = arrow.frames_of(path)
    if frames is None:
        return read_vectors(path)
    if frames.ids is None:
        return Sequences(str(path), None, frames.total, frames.read, lambda _: path)
    readers = {id_: _reader(frames, i) for i, id_ in enumerate(frames.ids)}
    if wanted is None:
        ids = frames.ids
        return Sequences(str(path), ids, len(ids), frames.read, lambda _: path)
    return _by_name(path, readers, wanted)


def _reader(frames: arrow.Frames, i: int) -> Callable[[], np.ndarray]:
    return lambda: frames.read(i)


Opener = Callable[[Path, Collection[str] | None], Sequences | Representations]
OPENERS: Mapping[str, Opener] = {
    ".npz": _npz,
    **dict.fromkeys(hdf5.ENDINGS, _hdf5),
    **dict.fromkeys(ark.ENDINGS, _kaldi),
    **dict.fromkeys(arrow.ENDINGS, _arrow),
}
KINDS = tuple(dict.fromkeys((*VECTORS, *OPENERS)))


def _end_to_end(path: Path, lengths: Path, wanted: Collection[str] | None) -> Sequences:
    cut = read_end_to_end(path, lengths)
    ids, note = ids_beside(path, len(cut.length), wanted)
    return Sequences(
        str(path),
        ids,
        len(cut.length),
        cut.of,
        lambda _: path,
        shape=cut.frames.shape,
        notes=(note,) if note else (),
    )
