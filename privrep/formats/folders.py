"""Folders and patterns of file names, with a file of each utterance (host)."""

import itertools
import unicodedata
from collections.abc import Collection
from pathlib import Path

from privrep.formats.ids import same_id, without_ending
from privrep.messages import first

PLACE = "{id}"  # in a pattern of file names
_WHOLE = (".npz", ".npy", ".h5", ".hdf5", ".parquet", ".arrow", ".feather", ".ark", ".scp")
_LOOKED_AT = 1_000  # files


def root_of(pattern: str) -> Path:
    """The folders of a pattern before {id}."""
    return Path(pattern[: pattern.index(PLACE)] + "x").parent


def file_of(pattern: str, id_: str) -> Path | None:
    """The file of an id, in either normal form, with or without the ending of its audio file."""
    plain = same_id(id_)
    if plain.startswith("/") or ".." in plain.split("/"):  # a folder's files lie in the folder
        return None
    forms = [id_]
    for form in (plain, without_ending(plain)):
        forms += [form, unicodedata.normalize("NFD", form)]
    for form in dict.fromkeys(forms):
        path = Path(pattern.replace(PLACE, form))
        if path.is_file():
            return path
        if path.suffix == ".npy" and path.with_suffix(".npz").is_file():
            return path.with_suffix(".npz")
    return None


def by_stem(root: Path, pattern: str, wanted: Collection[str]) -> dict[str, Path]:
    """{id: file} of the files in folders below whose names are ids, each in one folder only."""
    suffix = pattern[pattern.index(PLACE) + len(PLACE) :]
    files: dict[str, list[Path]] = {}
    for path in sorted(root.rglob(f"*{suffix}")):
        files.setdefault(same_id(path.name.removesuffix(suffix)), []).append(path)
    keys = {id_: without_ending(same_id(id_)).rsplit("/", 1)[-1] for id_ in wanted}
    if len(set(keys.values())) < len(keys):
        return {}
    paths_of = {id_: files[key] for id_, key in keys.items() if key in files}
    for id_, paths in paths_of.items():
        if len(paths) > 1:
            raise ValueError(
                f"{root}: utterance {id_} has {len(paths)} files, {first([*map(str, paths)])}: "
                f"keep one kind in a folder, or name it by a pattern such as DIR/{PLACE}.npy"
            )
    return {id_: paths[0] for id_, paths in paths_of.items()}


def no_file(pattern: str, root: Path, wanted: Collection[str]) -> ValueError:
    """The error for a folder that has no file of the wanted utterances: what lies there."""
    names = sorted(path.name for path in root.iterdir())
    stems = {without_ending(same_id(id_)) for id_ in wanted}
    longer = [(name, stem) for name in names[:100] for stem in stems if name.startswith(stem)]
    hint = "."
    if longer:
        name, stem = max(longer, key=lambda pair: len(pair[1]))
        hint = f": is the pattern {root}/{name.replace(stem, PLACE, 1)}?"
    return ValueError(
        f"{pattern}: has a file of none of {len(wanted):,} utterances ({first([*wanted])}). In "
        f"{root} lie {first(names) or 'no files'}{hint}{whole_files(root)}"
    )


def whole_files(root: Path) -> str:
    """Advice that names a file below a folder that may hold all utterances; "" without any.

    Exports of several networks or folds lie in folders of their own, with their labels beside.
    """
    below = (path for path in root.rglob("*") if path.suffix.lower() in _WHOLE and path.is_file())
    files = sorted(itertools.islice(below, _LOOKED_AT))
    if not files:
        return ""
    labels = files[0].with_name("labels.csv")
    beside = f", its labels are {labels}" if labels.is_file() else ""
    return (
        " A folder stands for one file of each utterance, named by its id; a file that holds all "
        f"utterances is named itself, such as {files[0]}{beside}."
    )
