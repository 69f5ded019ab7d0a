"""Tokenisation of transcripts, and the encoding of words as indices (host)."""

import re
import unicodedata
from collections.abc import Iterable, Sequence

import numpy as np

from privrep.types import Ragged, ragged

UNKNOWN = "<unk>"

_EVENT = re.compile(r"\[[^\]]*\]|<[^>]*>|\([^)]*\)|\{[^}]*\}")
_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)*")


def tokenise(transcript: str) -> tuple[str, ...]:
    """The words and numbers of `transcript` in lower case, in order.

    Letters of any alphabet count; apostrophes inside a word belong to it (don't). Text in brackets
    is an event and not words: [LAUGHTER], <noise>, (inaudible), {breath}.

    >>> tokenise("[LAUGHTER] I don't know, Zoë!")
    ('i', "don't", 'know', 'zoë')
    """
    text = unicodedata.normalize("NFC", transcript).replace("’", "'").lower()
    return tuple(_WORD.findall(_EVENT.sub(" ", text)))


def vocabulary(transcripts: Iterable[Sequence[str]]) -> tuple[str, ...]:
    """str[V]: "<unk>" at index 0, then all words of tokenised `transcripts`, sorted."""
    return (UNKNOWN, *sorted({word for words in transcripts for word in words} - {UNKNOWN}))


def encode_all(transcripts: Sequence[Sequence[str]], vocabulary: Sequence[str]) -> Ragged:
    """int32[M] ragged: the indices of the words of N tokenised transcripts.

    A word that `vocabulary` lacks becomes index 0. An utterance without words becomes the single
    index 0, so that no sequence is empty.
    """
    index = {word: i for i, word in enumerate(vocabulary)}
    return ragged(
        [np.array([index.get(w, 0) for w in words] or [0], np.int32) for words in transcripts]
    )


def coverage(transcripts: Iterable[Sequence[str]], vocabulary: Sequence[str]) -> float:
    """The fraction of the running words of tokenised `transcripts` that are in `vocabulary`.

    1.0 when there are no words at all.
    """
    known = set(vocabulary) - {UNKNOWN}
    hits = [word in known for words in transcripts for word in words]
    return sum(hits) / len(hits) if hits else 1.0


def known_in_part(words: Ragged, part: np.ndarray, vocabulary_size: int) -> np.ndarray:
    """bool[V]: whether each word of the vocabulary occurs in the utterances of `part`.

    This serves vectors that the network learns: it never learns the vector of a word that the
    training part lacks, so that such a word is treated as index 0, which always counts as known.

    Args:
      words: int32[M] ragged, indices below `vocabulary_size`, of N utterances.
      part: bool[N], such as the training part.
      vocabulary_size: V.
    """
    known = np.zeros(vocabulary_size, bool)
    known[0] = True
    for i in np.flatnonzero(part):
        known[words.values[words.start[i] : words.start[i] + words.length[i]]] = True
    return known
