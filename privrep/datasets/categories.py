"""Emotion categories, with one name over all corpora, and their levels of activation and valence.

Corpora of acted emotions have categories and no ratings. This table assigns each category a low
(1), mid (2) or high (3) level of activation and valence, by convention and not by measurement, so
that such a corpus serves the two tasks of the paper. The category itself is a task too.
"""

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


def ratings_of(category: str) -> dict[str, float]:
    """{"activation": level, "valence": level} of a category, on SCALE.

    >>> ratings_of("sad")
    {'activation': 1.0, 'valence': 1.0}
    """
    activation, valence = LEVELS[category]
    return {"activation": activation, "valence": valence}
