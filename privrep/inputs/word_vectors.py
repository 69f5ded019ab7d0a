"""Reader of word vectors in the formats of word2vec, GloVe and fastText (host).

The three formats are distinguished by content; each may be gzipped:
  word2vec .bin:                  "V E\\n", then V times: word, space, E little-endian float32
  word2vec .txt, fastText .vec:   "V E\\n", then a line per word: word and E numbers
  GloVe .txt:                     the same lines without the header

gensim is not used: its reader holds the whole file in memory (3.6 GB for 3 million words of 300
numbers) although a corpus needs a few thousand of its words, it cannot find a word that the file
has only capitalised, and it is a large dependency for sixty lines.
"""

import gzip
import io
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np

from privrep.inputs.text import UNKNOWN

_MAX_LINE = 1 << 20  # bytes
_MAX_WORD = 1 << 12  # bytes
_CHUNK = 1 << 22  # bytes

_Rows = Iterator[tuple[int, bytes, bytes]]  # (place, word, the line or the bytes of the vector)
_ToVector = Callable[[int, bytes], np.ndarray | None]  # of (place, line or bytes)


def read_word_vectors(path: Path, words: Iterable[str]) -> tuple[tuple[str, ...], np.ndarray]:
    """Reads the vectors of those of `words` that the file has; the file is read once, as a stream.

    A word that the file has only in another case (Paris for paris) gets the file's first such
    vector. A word that the file lacks has no row: `encode_all` maps it to index 0, "<unk>", whose
    vector is zero. (The mean of the vectors in use would depend on the words of the test part.)

    Args:
      path: a file of one of the module's formats.
      words: the words of the corpus.

    Returns:
      The vocabulary str[V], "<unk>" first and the rest sorted, and its vectors float32[V, E].

    Raises:
      FileNotFoundError: no such file.
      ValueError: none of the formats, a row of the wrong size, a file that ends early, or no word
        of the corpus in it.
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
        is_gzipped = plain.read(2) == b"\x1f\x8b"
    try:
        with gzip.open(path) if is_gzipped else path.open("rb") as file:
            rows, to_vector = _open_rows(path, file)
            for place, raw_word, row in rows:
                word, vectors = raw_word.decode(errors="replace"), exact
                if word not in wanted:
                    word, vectors = word.lower(), other_case
                if word not in wanted or word in vectors:
                    continue
                vector = to_vector(place, row)
                if vector is not None:
                    vectors[word] = vector
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


def _open_rows(path: Path, file: io.BufferedIOBase) -> tuple[_Rows, _ToVector]:
    """The rows of the file, and the function that makes a vector float32[E] of a row."""
    first = file.readline(_MAX_LINE)
    header = re.fullmatch(rb"(\d+) (\d+)\s*", first)
    if header is None:
        size = _numbers_at_end(first)
        if not size:
            raise ValueError(
                f"{path}: not word vectors. The formats are word2vec .bin and .txt, GloVe .txt and "
                "fastText .vec, each plain or gzipped (a .zip must be unpacked first)."
            )
        return _text_rows(path, file, first, 1, None, size), _text_vector(path, size)
    count, size = int(header[1]), int(header[2])
    if size == 0:
        raise ValueError(f"{path}, line 1: vectors of 0 numbers")
    second = file.readline(_MAX_LINE)
    if _numbers_at_end(second):
        return _text_rows(path, file, second, 2, count, size), _text_vector(path, size)
    return _binary_rows(path, file, second, count, size), _binary_vector(path)


def _numbers_at_end(line: bytes) -> int:
    """How many numbers the line ends with, not counting its first word; 0 if it is not a row."""
    fields = line.rstrip().split(b" ")[1:]
    for i, field in enumerate(reversed(fields)):
        try:
            float(field)
        except ValueError:
            return i
    return len(fields)


def _text_rows(
    path: Path, file: io.BufferedIOBase, line: bytes, number: int, count: int | None, size: int
) -> _Rows:
    """Rows of `size` numbers from `line`, the line `number`, on; count: None without a header."""
    rows = 0
    while line:
        line = line.rstrip()
        if line.count(b" ") < size:
            raise ValueError(f"{path}, line {number}: {line.count(b' ')} numbers instead of {size}")
        yield number, line[: line.index(b" ")], line
        rows, number, line = rows + 1, number + 1, file.readline(_MAX_LINE)
    if count is not None and rows != count:
        raise ValueError(f"{path}: {rows:,} words where line 1 promises {count:,}: half copied?")


def _text_vector(path: Path, size: int) -> _ToVector:
    def to_vector(number: int, line: bytes) -> np.ndarray | None:
        fields = line.split(b" ")[1:]
        if len(fields) > size and _numbers_at_end(line) < len(fields):
            return None  # GloVe has words with spaces in them, which begin as other words do
        try:
            vector = np.array([float(field) for field in fields], np.float32)
        except ValueError as error:
            raise ValueError(f"{path}, line {number}: {error}") from error
        if len(vector) != size:
            raise ValueError(f"{path}, line {number}: {len(vector)} numbers instead of {size}")
        return _finite(vector, f"{path}, line {number}")

    return to_vector


def _binary_rows(
    path: Path, file: io.BufferedIOBase, buffer: bytes, count: int, size: int
) -> _Rows:
    position = 0
    for number in range(1, count + 1):
        if len(buffer) - position < _MAX_WORD + 4 * size:
            buffer, position = buffer[position:] + file.read(_CHUNK), 0
        space = buffer.find(b" ", position, position + _MAX_WORD)
        end = space + 1 + 4 * size
        if space < 0 or end > len(buffer):
            raise ValueError(
                f"{path}: ends or stops being word2vec's binary format at word {number:,} of the "
                f"{count:,} of {size} numbers that line 1 promises: half copied?"
            )
        # The original word2vec ends a vector with a line feed, other writers do not.
        yield number, buffer[position:space].lstrip(b"\n"), buffer[space + 1 : end]
        position = end


def _binary_vector(path: Path) -> _ToVector:
    def to_vector(number: int, row: bytes) -> np.ndarray:
        return _finite(np.frombuffer(row, "<f4").astype(np.float32), f"{path}, word {number:,}")

    return to_vector


def _finite(vector: np.ndarray, place: str) -> np.ndarray:
    if not np.isfinite(vector).all():
        raise ValueError(f"{place}: the vector is not finite")
    return vector
