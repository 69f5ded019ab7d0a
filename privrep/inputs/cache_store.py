"""Storage of one prepared corpus, in the format of tensorflow-datasets (host).

It is written by tfds.core.SequentialWriter and not by a GeneratorBasedBuilder. The builder sorts
its examples in memory up to 1 GB and beyond that by TensorFlow, which is not installed and which a
corpus of 40 hours would need; the writer holds one block and keeps the order.

Beside the records lie the same arrays end to end, <name>.float16, and their lengths, index.npz.
Programs map these files: decoding the records of 100 hours takes over a minute at every start, and
the pages of a mapped file are memory that the system can reclaim.
"""

import contextlib
import itertools
import secrets
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tensorflow_datasets as tfds

from privrep import files
from privrep.lock import holding
from privrep.types import Ragged

_SPLIT = "corpus"  # the only one, since folds are drawn in memory
_ARRAYS = ("frames", "words")
_SEAL = "read_back.sha256"
_BLOCK = 128  # examples written or read at once
_SHARD = 4096  # examples in a file


class Store(NamedTuple):
    """The content of the store; rows are in the order in which they were written.

    Attributes:
      frames, words: float16[M, F] and float16[M, E] ragged, or None.
      seconds: float32[N], the length of each utterance's audio.
      faults: {utterance id: (reason, file)} of the utterances that could not be used.
      remarks: {utterance id: remark} of those on which there is one, see `audio.Heard`.
    """

    frames: Ragged | None
    words: Ragged | None
    seconds: np.ndarray
    faults: Mapping[str, tuple[str, str]]
    remarks: Mapping[str, str]


@contextlib.contextmanager
def building(directory: Path) -> Iterator[Path | None]:
    """Yields an empty folder that becomes `directory` when the block ends without an exception.

    What the block has put there has checksums from then on, but for the records. After an
    exception the folder is removed. Yields None if `directory` holds a whole store already; one
    that is damaged is replaced. A lock makes a second process wait for the first; that of a process
    that has died is taken over, and what it left is removed.
    """
    directory.parent.mkdir(parents=True, exist_ok=True)
    with holding(directory.with_name(f"{directory.name}.lock"), wait=True) as lock:
        if fault(directory) is None:
            yield None
            return
        for left in directory.parent.glob(f"{directory.name}.*.unfinished"):
            shutil.rmtree(left, ignore_errors=True)
        # Of a name of its own: a process that stood still, and whose lock was taken, may go on.
        unfinished = directory.with_name(f"{directory.name}.{secrets.token_hex(4)}.unfinished")
        unfinished.mkdir()
        try:
            yield unfinished
            # The records are for other programs: nothing here reads them.
            read_back = [path for path in unfinished.iterdir() if "array_record" not in path.name]
            files.write_seal(unfinished / _SEAL, read_back)
            lock.check()
            if directory.exists():
                damaged = directory.with_name(f"{unfinished.name}.unfinished")
                directory.rename(damaged)  # programs that have mapped its files keep them
                shutil.rmtree(damaged, ignore_errors=True)
            unfinished.rename(directory)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)


def fault(directory: Path) -> str | None:
    """What is wrong with a store, the first of its files that is missing or was changed; None if
    all that is read back is as it was written."""
    if not directory.is_dir():
        return f"{directory} is missing"
    return files.fault(directory / _SEAL)


def write(
    directory: Path,
    dataset: str,
    version: str,
    examples: Iterator[dict[str, Any]],
    faults: Mapping[str, tuple[str, str]],
    remarks: Mapping[str, str],
) -> bool:
    """Writes `examples` into `directory`; returns False and writes nothing if there are none.

    Args:
      directory: an empty folder.
      dataset, version: name and version of the data set.
      examples: {"id", "utterance": text, "seconds": float, "frames", "words": float16[T, F]}; the
        keys of the first one determine which arrays are stored.
      faults: {utterance id: (reason, file)}; it may be filled while `examples` is consumed.
      remarks: {utterance id: remark}, likewise.
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
        description="Features and records as of their computation; see privrep/inputs/cache.py.",
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
    examples = itertools.chain([first], examples)
    length: dict[str, list[int]] = {name: [] for name in arrays}
    seconds: list[float] = []
    with contextlib.ExitStack() as stack:
        flat = {name: stack.enter_context(_flat(directory, name).open("wb")) for name in arrays}
        while block := list(itertools.islice(examples, _BLOCK)):
            writer.add_examples({_SPLIT: block})
            seconds += [example["seconds"] for example in block]
            for name in arrays:
                length[name] += [len(example[name]) for example in block]
                for example in block:
                    flat[name].write(np.ascontiguousarray(example[name], np.float16).data)
    index: dict[str, Any] = {"seconds": np.array(seconds, np.float32)} | length
    np.savez(_index(directory), **index)
    info.metadata.update(faults=dict(faults), remarks=dict(remarks))
    writer.close_all()
    return True


def _flat(directory: Path, name: str) -> Path:
    return directory / f"{name}.float16"


def _index(directory: Path) -> Path:
    return directory / "index.npz"


def read(directory: Path) -> Store:
    """Opens what `write` wrote; the arrays are memory maps of the files."""
    builder = tfds.builder_from_directory(directory)
    with np.load(_index(directory), allow_pickle=False) as index:
        lengths = {name: index[name].astype(np.int32) for name in _ARRAYS if name in index}
        seconds = index["seconds"]
    sequences = {}
    for name, length in lengths.items():
        shape = (int(length.sum(dtype=np.int64)), builder.info.features[name].shape[1])
        values = np.memmap(_flat(directory, name), np.float16, "r", shape=shape)
        start = (np.cumsum(length, dtype=np.int64) - length).astype(np.int32)
        sequences[name] = Ragged(values, start, length)
    faults = {id_: tuple(fault) for id_, fault in builder.info.metadata["faults"].items()}
    remarks = builder.info.metadata["remarks"]
    return Store(sequences.get("frames"), sequences.get("words"), seconds, faults, remarks)
