"""One prepared corpus on disk, as tensorflow-datasets writes and reads it (host).

Written by tfds.core.SequentialWriter and not by a GeneratorBasedBuilder: the builder sorts its
examples in memory up to 1 GB and through TensorFlow beyond, which is not installed and which a
corpus of 40 hours would need; the writer holds one block and keeps the order.
"""

import contextlib
import fcntl
import itertools
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tensorflow_datasets as tfds

from privrep.utterances import Ragged

_SPLIT = "corpus"  # one: folds are drawn in memory
_ARRAYS = ("frames", "words")
_BLOCK = 128  # examples written or read at once
_SHARD = 4096  # examples in a file


class Store(NamedTuple):
    """What was written, rows in that order.

    Attributes:
      frames, words: float16[M, ...] ragged, or None.
      seconds: float32[N], the length of the audio.
      faults: {utterance id: (reason, file)} of the utterances that could not be used.
    """

    frames: Ragged | None
    words: Ragged | None
    seconds: np.ndarray
    faults: Mapping[str, tuple[str, str]]


@contextlib.contextmanager
def building(directory: Path) -> Iterator[Path | None]:
    """An empty folder that becomes `directory` when the block ends well, and is removed if not.

    None if `directory` is there already. The lock makes a second process wait for the first; the
    kernel releases it when a process dies, and the next one clears away what that one left.
    """
    directory.parent.mkdir(parents=True, exist_ok=True)
    unfinished = directory.with_name(f"{directory.name}.unfinished")
    with directory.with_name(f"{directory.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if directory.is_dir():
            yield None
            return
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir()
        try:
            yield unfinished
            unfinished.rename(directory)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)


def write(
    directory: Path,
    dataset: str,
    version: str,
    examples: Iterator[dict[str, Any]],
    faults: Mapping[str, Any],
) -> bool:
    """Writes `examples`; False, and nothing, if there are none.

    Args:
      directory: an empty folder.
      dataset, version: how the data set calls itself.
      examples: {"id", "utterance": text, "seconds": float, "frames", "words": float16[T, F]}; the
        first tells which arrays there are.
      faults: {utterance id: [reason, file]}, filled while `examples` runs.
    """
    first = next(examples, None)
    if first is None:
        return False
    arrays = [name for name in _ARRAYS if name in first]
    info = tfds.core.DatasetInfo(
        builder=tfds.core.DatasetIdentity(
            name=dataset,
            version=tfds.core.Version(version),
            data_dir=str(directory),
            module_name=__name__,
        ),
        description="Features and records as of their computation; see privrep/prepared.py.",
        features=tfds.features.FeaturesDict(
            {
                "id": tfds.features.Text(),
                "utterance": tfds.features.Text(),
                "seconds": tfds.features.Scalar(np.float32),
            }
            | {
                name: tfds.features.Tensor(
                    shape=(None, first[name].shape[1]),
                    dtype=np.float16,
                    encoding=tfds.features.Encoding.BYTES,  # the default is 7 times slower
                )
                for name in arrays
            }
        ),
        metadata=tfds.core.MetadataDict(),
    )
    writer = tfds.core.SequentialWriter(
        info, max_examples_per_shard=_SHARD, file_format="array_record"
    )
    writer.initialize_splits([_SPLIT])
    rows = dict.fromkeys(arrays, 0)
    examples = itertools.chain([first], examples)
    while block := list(itertools.islice(examples, _BLOCK)):
        writer.add_examples({_SPLIT: block})
        for name in arrays:
            rows[name] += sum(len(example[name]) for example in block)
    info.metadata.update(rows=rows, faults=dict(faults))
    writer.close_all()
    return True


def read(directory: Path) -> Store:
    """Reads what `write` wrote, each array into one block of memory of its own size."""
    builder = tfds.builder_from_directory(directory)
    source = builder.as_data_source(split=_SPLIT)
    values, length = {}, {}
    for name, rows in builder.info.metadata["rows"].items():
        values[name] = np.empty((rows, builder.info.features[name].shape[1]), np.float16)
        length[name] = np.empty(len(source), np.int32)
    seconds = np.empty(len(source), np.float32)
    filled = dict.fromkeys(values, 0)
    for first in range(0, len(source), _BLOCK):
        block = range(first, min(first + _BLOCK, len(source)))
        for i, example in zip(block, source.__getitems__(list(block))):
            seconds[i] = example["seconds"]
            for name in values:
                rows = example[name]
                values[name][filled[name] : filled[name] + len(rows)] = rows
                length[name][i] = len(rows)
                filled[name] += len(rows)
    sequences = {
        name: Ragged(values[name], (np.cumsum(n, dtype=np.int64) - n).astype(np.int32), n)
        for name, n in length.items()
    }
    faults = {id_: tuple(fault) for id_, fault in builder.info.metadata["faults"].items()}
    return Store(sequences.get("frames"), sequences.get("words"), seconds, faults)
