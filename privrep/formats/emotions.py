"""The vocabulary of emotions: which words and abbreviations name the same class (host).

Only what surely is the same is here: joy is not said to be happiness, nor fury anger. A corpus
whose codes are letters of its own (N, X and U of MSP-Podcast, W and L of EmoDB) keeps them: a
letter is an abbreviation only in a column that has whole words as well, if one alone begins so.
"""

from collections import Counter
from collections.abc import Collection

_WORDS = {  # the words of each class, then its abbreviations
    "angry": ("angry anger angriness", "ang angr an"),
    "happy": ("happy happiness", "hap hpy happ ha"),
    "sad": ("sad sadness", "sa"),
    "neutral": ("neutral neutrality", "neu neut ntr ne"),
    "fearful": ("fearful fear fearfulness", "fea fe"),
    "disgusted": ("disgusted disgust", "dis disg di"),
    "surprised": ("surprised surprise", "sur surp su ps"),
    "excited": ("excited excitement excitation", "exc exci ex"),
    "frustrated": ("frustrated frustration", "fru frus frust fr"),
    "calm": ("calm calmness", "cal ca"),
    "bored": ("bored boredom", "bor bo"),
    "contemptuous": ("contemptuous contempt", "con cont co"),
    "other": ("other others", "oth"),
}
_PHRASES = {
    "pleasant surprise": "surprised",
    "pleasant surprised": "surprised",
    "pleasantly surprised": "surprised",
    "neutral state": "neutral",
}
WORDS: dict[str, str] = {
    word: name for name, (words, _) in _WORDS.items() for word in words.split()
} | _PHRASES
ABBREVIATIONS: dict[str, str] = {
    word: name for name, (_, words) in _WORDS.items() for word in words.split()
}
_FOREIGN = frozenset("jlrtw")  # joie, Langeweile, rabbia, Trauer, Wut: then A may be Angst


def emotion_of(word: str) -> str:
    """The class that a word of two letters or more names; "" where it is not known.

    Args:
      word: in lower case, with single blanks; _ and - count as blanks, a point behind it for none.

    >>> emotion_of("anger"), emotion_of("pleasant_surprise"), emotion_of("joy")
    ('angry', 'surprised', '')
    """
    plain = _plain(word)
    return WORDS.get(plain) or ABBREVIATIONS.get(plain, "")


def same_emotions(words: Collection[str]) -> dict[str, str]:
    """{word: class} of those of a column's words that name one class with another of them.

    An abbreviation is left alone where it may as well stand for another word of the column.

    Args:
      words: the distinct values of the column.

    >>> same_emotions(["ang", "anger", "sad", "A", "X"])
    {'ang': 'angry', 'anger': 'angry', 'A': 'angry'}
    >>> same_emotions(["dis", "disgust", "disappointed"])
    {}
    """
    classes = {word: name for word in words if (name := emotion_of(word.casefold()))}
    others = {word.casefold() for word in words if word not in classes and len(word) > 1}
    letters = {word: word.casefold() for word in words if len(word) == 1}
    begun = {name[0] for name in {*classes.values()} | others}
    if not (_FOREIGN & {*letters.values()}) - begun:
        for word, letter in letters.items():
            meant = {name for name in classes.values() if name.startswith(letter)}
            if len(meant) == 1:
                classes[word] = meant.pop()
    for word in list(classes):
        if not is_whole(word) and any(other.startswith(_plain(word)) for other in others):
            del classes[word]
    counts = Counter(classes.values())
    return {word: name for word, name in classes.items() if counts[name] > 1}


def doubtful_letters(words: Collection[str], merged: Collection[str]) -> list[str]:
    """The letters of a column of emotions that may abbreviate a word of it and were not merged.

    >>> doubtful_letters(["S", "sad", "surprise"], [])
    ['S']
    """
    letters = [word for word in words if len(word) == 1 and word not in merged]
    spelt = [word.casefold() for word in words if len(word) > 1]
    return [letter for letter in letters if any(w.startswith(letter.casefold()) for w in spelt)]


def is_whole(word: str) -> bool:
    """Whether a word that `emotion_of` knows is no abbreviation."""
    return _plain(word) in WORDS


def _plain(word: str) -> str:
    return word.casefold().replace("_", " ").replace("-", " ").rstrip(".")
