"""Word vectors from the files people have: word2vec, GloVe, fastText (host).

Three formats, told apart by content; each may be gzipped:
  word2vec .bin:                  "V E\\n", then V times: word, space, E little-endian float32
  word2vec .txt, fastText .vec:   "V E\\n", then a line per word: word and E numbers
  GloVe .txt:                     the same lines without the header

The formats are read here and not by gensim because its reader holds the whole file in memory
(3.6 GB for 3 million words of 300 numbers) where a corpus needs a few thousand words of it, cannot
find a word that the file only has capitalised, and is a large dependency for sixty lines.
"""

import gzip
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np

from privrep.inputs.text import UNKNOWN

_LONGEST_LINE = 1 << 20
_LONGEST_WORD = 1 << 12
_READ = 1 << 22


def read_word_vectors(path: Path, words: Iterable[str]) -> tuple[tuple[str, ...], np.ndarray]:
    """The vectors of those of `words` that the file knows; the file is read once, in a stream.

    A word is looked for as it is written; one that the file only has in other case (Paris for
    paris) takes the file's first such vector. A word that is not there has no row: `encode` maps
    it to index 0, "<unk>", whose vector is zero. (The mean of the vectors found would depend on
    the words of the test part.)

    Args:
      path: a file of one of the module's formats.
      words: the words of the corpus.

    Returns:
      The vocabulary str[V], "<unk>" first and the rest sorted, and its vectors float32[V, E].

    Raises:
      FileNotFoundError: no such file.
      ValueError: none of the formats, a row of the wrong size, a file that ends early, or not one
        word of the corpus in it.
    """
    path = Path(path)
    if path.is_dir():
        raise FileNotFoundError(f"{path} is a folder; name the file of word vectors in it")
    if not path.is_file():
        raise FileNotFoundError(f"no word vector file {path}")
    wanted = set(words) - {UNKNOWN}
    exact: dict[str, np.ndarray] = {}
    other_case: dict[str, np.ndarray] = {}
    with path.open("rb") as plain:
        zipped = plain.read(2) == b"\x1f\x8b"
    try:
        with gzip.open(path) if zipped else path.open("rb") as file:
            rows, to_vector = _open_rows(path, file)
            for place, written, row in rows:
                word = written.decode(errors="replace")
                found = exact if word in wanted else other_case
                word = word if found is exact else word.lower()
                if word not in wanted or word in found:
                    continue
                vector = to_vector(place, row)
                if vector is not None:
                    found[word] = vector
    except (EOFError, gzip.BadGzipFile) as error:
        raise ValueError(f"{path}: damaged gzip file: {error}") from error
    vectors = other_case | exact
    if not vectors:
        raise ValueError(
            f"{path}: holds vectors, but of not one of the corpus's {len(wanted):,} words; "
            f"is it for another language?"
        )
    known = tuple(sorted(vectors))
    table = np.stack([vectors[word] for word in known])
    return (UNKNOWN, *known), np.concatenate([np.zeros_like(table[:1]), table])


def _open_rows(path: Path, file: BinaryIO):
    """The rows (place, word, rest) of the file, and the function (place, rest) -> float32[E]."""
    first = file.readline(_LONGEST_LINE)
    header = re.fullmatch(rb"(\d+) (\d+)\s*", first)
    if header is None:
        size = _numbers_at_end(first)
        if not size:
            raise ValueError(
                f"{path}: not word vectors. Known are word2vec .bin and .txt, GloVe .txt and "
                f"fastText .vec, each as it is or gzipped (a .zip must be unpacked first)."
            )
        return _text_rows(path, file, first, 1, None, size), _text_vector(path, size)
    count, size = int(header[1]), int(header[2])
    if size == 0:
        raise ValueError(f"{path}, line 1: vectors of 0 numbers")
    second = file.readline(_LONGEST_LINE)
    if _numbers_at_end(second):
        return _text_rows(path, file, second, 2, count, size), _text_vector(path, size)
    return _binary_rows(path, file, second, count, size), _binary_vector(path)


def _numbers_at_end(line: bytes) -> int:
    """How many numbers end the line, its first word left out; 0 for a line that is no row."""
    fields = line.rstrip().split(b" ")[1:]
    for i, field in enumerate(reversed(fields)):
        try:
            float(field)
        except ValueError:
            return i
    return len(fields)


def _text_rows(
    path: Path, file: BinaryIO, line: bytes, number: int, count: int | None, size: int
) -> Iterator[tuple[int, bytes, bytes]]:
    """From `line`, the line `number`, on. A count of None is a file without a header."""
    rows = 0
    while line:
        line = line.rstrip()
        if line.count(b" ") < size:
            raise ValueError(f"{path}, line {number}: {line.count(b' ')} numbers instead of {size}")
        yield number, line[: line.index(b" ")], line
        rows, number, line = rows + 1, number + 1, file.readline(_LONGEST_LINE)
    if count is not None and rows != count:
        raise ValueError(f"{path}: {rows:,} words where line 1 promises {count:,}: half copied?")


def _text_vector(path: Path, size: int):
    def to_vector(number: int, line: bytes) -> np.ndarray | None:
        fields = line.split(b" ")[1:]
        if len(fields) > size and _numbers_at_end(line) < len(fields):
            return None  # GloVe has words with spaces in them, which begin like other words
        try:
            vector = np.array([float(field) for field in fields], np.float32)
        except ValueError as error:
            raise ValueError(f"{path}, line {number}: {error}") from error
        if len(vector) != size:
            raise ValueError(f"{path}, line {number}: {len(vector)} numbers instead of {size}")
        return _finite(vector, f"{path}, line {number}")

    return to_vector


def _binary_rows(
    path: Path, file: BinaryIO, buffer: bytes, count: int, size: int
) -> Iterator[tuple[int, bytes, bytes]]:
    at = 0
    for number in range(1, count + 1):
        if len(buffer) - at < _LONGEST_WORD + 4 * size:
            buffer, at = buffer[at:] + file.read(_READ), 0
        space = buffer.find(b" ", at, at + _LONGEST_WORD)
        end = space + 1 + 4 * size
        if space < 0 or end > len(buffer):
            raise ValueError(
                f"{path}: ends or stops being word2vec's binary format at word {number:,} of the "
                f"{count:,} of {size} numbers that line 1 promises: half copied?"
            )
        # The original word2vec ends a vector with a line feed, other writers do not.
        yield number, buffer[at:space].lstrip(b"\n"), buffer[space + 1 : end]
        at = end


def _binary_vector(path: Path):
    def to_vector(number: int, row: bytes) -> np.ndarray:
        return _finite(np.frombuffer(row, "<f4").astype(np.float32), f"{path}, word {number:,}")

    return to_vector


def _finite(vector: np.ndarray, place: str) -> np.ndarray:
    if not np.isfinite(vector).all():
        raise ValueError(f"{place}: a vector that is not finite")
    return vector
