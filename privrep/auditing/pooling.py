"""Frames of utterances as one vector of each: mean and standard deviation over time (host)."""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from privrep.formats.sequences import Sequences
from privrep.formats.unpacked import release
from privrep.formats.vectors import Representations, as_real
from privrep.messages import first

_BLOCK = 1 << 22  # numbers that are pooled together


def pooled_sequences(sequences: Sequences) -> Representations:
    """One vector of each utterance: its vector [D], or mean and deviation [2 D] of its frames.

    One utterance is in memory at a time. Where every utterance has a single frame, that is its
    vector.

    Raises:
      ValueError: an array cannot be read or is no [D] or [T, D] of finite real numbers, or arrays
        differ in kind or width; the message names utterances and shapes.
    """
    means, deviations, ranks, lengths = [], [], [], []
    shapes: list[tuple[int, ...]] = []
    broken: list[str] = []
    kinds: set[str] = set()
    names = sequences.ids or [f"row {i} (from 0)" for i in range(sequences.total)]
    for i, name in enumerate(names):
        try:
            array, of_numbers = as_real(sequences.read(i))
        except MemoryError as error:
            raise ValueError(
                f"{sequences.name}: {name} promises more numbers than fit into memory"
            ) from error
        kinds.add(of_numbers)
        _check(array, name, sequences.name)
        shapes.append(array.shape)
        frames = np.atleast_2d(array)
        with np.errstate(over="ignore"):
            frames = frames.astype(np.float32, copy=False)
        if not np.isfinite(frames).all():
            broken.append(name)
            frames = np.zeros_like(frames)
        means.append(frames.mean(0, dtype=np.float64).astype(np.float32))
        deviations.append(frames.std(0, dtype=np.float64).astype(np.float32))
        ranks.append(array.ndim)
        lengths.append(len(frames))
    _check_alike(sequences.name, names, shapes)
    if broken:
        raise ValueError(
            f"{sequences.name}: {len(broken):,} of {len(names):,} utterances hold NaN, infinity or "
            f"a number beyond float32: {first(broken)}. Leave them out, of the labels too; no "
            "number can be made up for them here."
        )
    h, name = np.array(means), Path(sequences.name).name
    notes = [*sequences.notes, *(f"{name} {kind}" for kind in sorted(kinds) if kind)]
    if max(lengths) > 1:
        h = np.concatenate([h, np.array(deviations)], 1)
        notes.append(
            f"Frames of {len(names):,} utterances, {min(lengths):,} to {max(lengths):,} each, "
            f"[T, {shapes[0][-1]}], were pooled to mean and standard deviation over time."
        )
    shape = sequences.shape or (
        *((sum(lengths),) if max(lengths) > 1 else h.shape[:1]),
        shapes[0][-1],
    )
    return Representations(h, sequences.ids, "", tuple(notes), shape)


def _check(array: np.ndarray, name: str, source: str) -> None:
    if array.dtype.kind not in "fiub":
        raise ValueError(
            f"{source}: {name} holds {array.dtype} of shape {list(array.shape)}, which are not "
            "real numbers"
        )
    if array.ndim not in (1, 2) or 0 in array.shape:
        raise ValueError(
            f"{source}: {name} has shape {list(array.shape)}; the array of an utterance is [D], a "
            "vector, or [T, D], frames"
        )


def _check_alike(source: str, names: Sequence[str], shapes: Sequence[tuple[int, ...]]) -> None:
    kinds = {(len(shape), shape[-1]): i for i, shape in reversed([*enumerate(shapes)])}
    if len(kinds) > 1:
        examples = [f"{names[i]} {list(shapes[i])}" for i in sorted(kinds.values())]
        raise ValueError(
            f"{source}: arrays of {len(kinds)} kinds, where all are vectors [D] or all frames "
            f"[T, D] of one width: {first(examples)}"
        )


def pooled_blocks(frames: np.ndarray, num_frames: np.ndarray | None) -> np.ndarray:
    """float32[N, 2 D]: mean and deviation of the valid frames of [N, T, D], a few rows at a time.

    Args:
      frames: real numbers [N, T, D], perhaps mapped from a file.
      num_frames: int[N], of which each row has valid frames; None where all are.
    """
    pooled = np.empty((len(frames), 2 * frames.shape[2]), np.float32)
    for rows in _blocks(frames):
        block = frames[rows].astype(np.float32, copy=False)
        length = block.shape[1] if num_frames is None else num_frames[rows, None, None]
        valid = np.arange(block.shape[1])[None, :, None] < length
        pooled[rows] = np.concatenate([block.mean(1, where=valid), block.std(1, where=valid)], 1)
        release(frames)
    return pooled


def are_the_same(h: np.ndarray) -> bool:
    """Whether all rows of `h` are equal, looked at a few at a time."""
    return all((h[rows] == h[:1]).all() for rows in _blocks(h))


def _blocks(h: np.ndarray) -> Iterator[slice]:
    size = max(1, _BLOCK // (h[0].size or 1))
    return (slice(i, i + size) for i in range(0, len(h), size))


def side_by_side(parts: Sequence[tuple[str, Representations]]) -> Representations:
    """Vectors of the same utterances from several sources, as columns [N, D1 + D2 + ...] by id.

    Utterances that a source lacks are left out, and counted.

    Args:
      parts: (name of the source, its vectors).

    Raises:
      ValueError: one has ids and another none, none is common, numbers of rows differ where there
        are no ids, or a source holds frames in memory; shapes are named.
    """
    shapes = ", ".join(f"{name} {list(part.h.shape)}" for name, part in parts)
    if any(part.h.ndim != 2 for _, part in parts):
        raise ValueError(f"{shapes}: only vectors [N, D] can be joined")
    notes = [note for _, part in parts for note in (part.first_line, *part.notes) if note]
    sources = " + ".join(f"{name} ({part.h.shape[1]})" for name, part in parts)
    if all(part.ids is None for _, part in parts):
        if len({len(part.h) for _, part in parts}) > 1:
            raise ValueError(f"{shapes}: without ids row i of one is row i of the other")
        h = np.concatenate([part.h for _, part in parts], 1)
        notes.append(f"Columns of {sources}, row by row.")
        return Representations(h, None, "", tuple(notes), units=_units(parts))
    if any(part.ids is None for _, part in parts):
        lacking = [name for name, part in parts if part.ids is None]
        raise ValueError(f"{shapes}: {first(lacking)} has no ids, so that it cannot be joined")
    rows = [{id_: i for i, id_ in enumerate(part.ids or ())} for _, part in parts]
    ids = [id_ for id_ in rows[0] if all(id_ in row for row in rows)]
    if not ids:
        examples = [next(iter(row), "nothing") for row in rows]
        raise ValueError(f"{shapes}: no id is common to all, {first(examples)}")
    every = _count(rows)
    if every > len(ids):
        notes.append(f"{every - len(ids):,} of {every:,} utterances are not in all of {sources}.")
    columns = [part.h[[row[id_] for id_ in ids]] for (_, part), row in zip(parts, rows)]
    notes.append(f"Columns of {sources}, joined by id.")
    return Representations(np.concatenate(columns, 1), ids, "", tuple(notes), units=_units(parts))


def _units(parts: Sequence[tuple[str, Representations]]) -> tuple[str, ...]:
    """Names of all columns, "" where a source has none; () where no source has."""
    names = [part.units or ("",) * part.h.shape[1] for _, part in parts]
    return tuple(itertools.chain(*names)) if any(part.units for _, part in parts) else ()


def _count(rows: Iterable[dict[str, int]]) -> int:
    return len({id_ for row in rows for id_ in row})
