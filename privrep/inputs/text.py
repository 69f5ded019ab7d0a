"""From a transcript to words, from words to indices and vectors (host)."""

import re
import unicodedata
from collections.abc import Iterable, Sequence

import numpy as np

from privrep.types import Ragged, ragged

UNKNOWN = "<unk>"

_EVENT = re.compile(r"\[[^\]]*\]|<[^>]*>|\([^)]*\)|\{[^}]*\}")
_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)*")


def tokenise(transcript: str) -> tuple[str, ...]:
    """The words and numbers of `transcript`, lower-case, in order.

    Letters of any alphabet count, apostrophes inside a word belong to it (don't). What stands in
    brackets is an event, no words: [LAUGHTER], <noise>, (inaudible), {breath}.
    """
    text = unicodedata.normalize("NFC", transcript).replace("’", "'").lower()
    return tuple(_WORD.findall(_EVENT.sub(" ", text)))


def vocabulary(transcripts: Iterable[Sequence[str]]) -> tuple[str, ...]:
    """All words of tokenised `transcripts`, sorted, after "<unk>" at index 0. str[V]."""
    return (UNKNOWN, *sorted({word for words in transcripts for word in words} - {UNKNOWN}))


def encode_all(transcripts: Sequence[Sequence[str]], vocabulary: Sequence[str]) -> Ragged:
    """Indices of the words of N tokenised transcripts, int32[M] ragged.

    A word that `vocabulary` lacks is index 0, and so is an utterance without words, as one token:
    no sequence is empty.
    """
    index = {word: i for i, word in enumerate(vocabulary)}
    return ragged(
        [np.array([index.get(w, 0) for w in words] or [0], np.int32) for words in transcripts]
    )


def coverage(transcripts: Iterable[Sequence[str]], vocabulary: Sequence[str]) -> float:
    """The share of the running words of tokenised `transcripts` that `vocabulary` knows.

    1.0 when there are no words at all.
    """
    known = set(vocabulary) - {UNKNOWN}
    hits = [word in known for words in transcripts for word in words]
    return sum(hits) / len(hits) if hits else 1.0


def known_in_part(words: Ragged, where: np.ndarray, vocabulary_size: int) -> np.ndarray:
    """Which words of the vocabulary the utterances `where` hold, bool[V].

    For vectors learned in the network: a word that the training part lacks was never learned and
    is to be treated as index 0, which always counts as known.

    Args:
      words: int32[M] ragged, indices below `vocabulary_size`, of N utterances.
      where: bool[N], such as the training part.
    """
    known = np.zeros(vocabulary_size, bool)
    known[0] = True
    for i in np.flatnonzero(where):
        known[words.values[words.start[i] : words.start[i] + words.length[i]]] = True
    return known
