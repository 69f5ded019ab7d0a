"""Emotion categories, with one name over all corpora, and their levels of activation and valence.

Corpora of acted emotions have categories and no ratings. This table assigns each category a low
(1), mid (2) or high (3) level of activation and valence, by convention and not by measurement, so
that such a corpus serves the two tasks of the paper. The category itself is a task too.
"""

import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from privrep.formats.emotions import ABBREVIATIONS, WORDS
from privrep.types import Utterance

SCALE = (1.0, 3.0)

LEVELS = {  # category: (activation, valence)
    "angry": (3.0, 1.0),
    "fearful": (3.0, 1.0),
    "happy": (3.0, 3.0),
    "disgusted": (2.0, 1.0),
    "sad": (1.0, 1.0),
    "bored": (1.0, 1.0),
    "neutral": (2.0, 2.0),
    "calm": (1.0, 2.0),
    "surprised": (3.0, 2.0),
}
# Other names of the categories, in lower case: of the vocabulary, and those that are near to it.
NAMES = {
    **{word: name for word, name in (WORDS | ABBREVIATIONS).items() if name in LEVELS},
    **dict.fromkeys(("hot anger", "rage"), "angry"),
    **dict.fromkeys(("afraid", "anxiety", "anxious"), "fearful"),
    **dict.fromkeys(("joy", "joyful", "exc", "excited"), "happy"),
}


def rated_by_emotion(utterances: Sequence[Utterance]) -> list[Utterance]:
    """The utterances with the levels of activation and valence of their emotion, on SCALE.

    Emotions that LEVELS does not have get no level, and are counted in a warning.

    Raises:
      ValueError: the corpus has ratings, with which levels must not be mixed, or no emotion of
        LEVELS.
    """
    rated = sorted({task for u in utterances for task in u.ratings})
    if rated:
        raise ValueError(
            f"the corpus has ratings of its own ({', '.join(rated)}): the levels of the emotions "
            "are for corpora without any"
        )
    emotions = [u.categories.get("emotion", "") for u in utterances]
    unknown = Counter(e for e in emotions if e and e.lower() not in NAMES)
    if not any(e.lower() in NAMES for e in emotions):
        raise ValueError(
            "no emotion of the corpus has levels of activation and valence: it has "
            f"{', '.join(sorted(unknown)) or 'none'}, and levels are known of {', '.join(LEVELS)}"
        )
    if unknown:
        counts = ", ".join(f"{name} ({count:,})" for name, count in unknown.most_common())
        warnings.warn(f"emotions without levels of activation and valence: {counts}", stacklevel=2)
    return [
        replace(u, ratings=ratings_of(NAMES[e.lower()]), scale=SCALE) if e.lower() in NAMES else u
        for u, e in zip(utterances, emotions)
    ]


def ratings_of(category: str) -> dict[str, float]:
    """{"activation": level, "valence": level} of a category, on SCALE.

    >>> ratings_of("sad")
    {'activation': 1.0, 'valence': 1.0}
    """
    activation, valence = LEVELS[category]
    return {"activation": activation, "valence": valence}
