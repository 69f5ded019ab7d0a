"""The choice of enrolled utterances, for a release with a state per person (host).

Only the others are scored: a state that was made of scored utterances knows what it is tried on.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

LEAST = 5  # utterances of an enrolment, and of a person that are left to be scored


class Enrolment(NamedTuple):
    """The utterances that are enrolled.

    Attributes:
      is_enrolled: bool[N].
      num_short: persons who enrol fewer than were asked for, since they have too few.
    """

    is_enrolled: np.ndarray
    num_short: int


def draw_enrolment(
    seed: int, speaker: np.ndarray, task: np.ndarray, k: int, uneven: bool = False
) -> Enrolment:
    """Draws k utterances of every person; half of them of a person with fewer than k + 5.

    Evenly, every utterance of a person is as likely as any other. Unevenly, each is of an emotion
    that is drawn from a mixture of the person's own, which is drawn from Dirichlet(1) over the
    emotions that the person has: some enrol in one mood. An emotion that is used up is left out.

    A draw depends on the seed, the number of the person and the person's rows in their order, not
    on other persons; the draw of fewer utterances with the same seed is a part of it.

    Args:
      seed: at least 0.
      speaker: int[N]; -1 unknown, never enrolled.
      task: int[N], the emotion; unknown ones (-1) are together one more emotion.
      k: at least 1.

    >>> speaker, emotion = np.repeat([0, 1], [20, 6]), np.arange(26) % 4
    >>> drawn = draw_enrolment(0, speaker, emotion, k=5)
    >>> np.bincount(speaker[drawn.is_enrolled]).tolist(), drawn.num_short
    ([5, 3], 1)
    """
    is_enrolled, num_short = np.zeros(len(speaker), bool), 0
    order = np.argsort(speaker, kind="stable")
    numbers, starts = np.unique(speaker[order], return_index=True)
    for number, rows in zip(numbers, np.split(order, starts[1:])):
        if number < 0:
            continue
        count = num_enrolled(len(rows), k)
        num_short += count < k
        rng = np.random.default_rng([seed, int(number)])
        turn = rng.permutation(len(rows))
        if uneven:
            turn = turn[_in_moods(rng, task[rows[turn]], count)]
        is_enrolled[rows[turn[:count]]] = True
    return Enrolment(is_enrolled, num_short)


def num_enrolled(num_utterances: int, k: int) -> int:
    """How many of a person's utterances are enrolled: k, or half where fewer than k + 5 are there.

    >>> [num_enrolled(n, k=20) for n in (100, 25, 24, 9)]
    [20, 20, 12, 4]
    """
    return k if num_utterances >= k + LEAST else min(k, num_utterances // 2)


def _in_moods(rng: np.random.Generator, task: np.ndarray, count: int) -> list[int]:
    """Places [count] in `task` int[n], which is in random order, drawn from a random mixture."""
    emotions = np.unique(task)
    shares = rng.dirichlet(np.ones(len(emotions)))
    left = [list(np.flatnonzero(task == emotion)) for emotion in emotions]
    drawn: list[int] = []
    while len(drawn) < count:
        odds = np.where([bool(of_emotion) for of_emotion in left], np.maximum(shares, 1e-12), 0)
        drawn.append(int(left[rng.choice(len(odds), p=odds / odds.sum())].pop()))
    return drawn


def why_not_enrolled(
    count: int, recognised: np.ndarray | None = None, classes: Sequence[str] | None = None
) -> str | None:
    """Why a person's state should not be used, in a sentence; None if there is no objection.

    A mean of a few utterances is a guess, and what is said relative to a mean of one emotion has
    lost that emotion: an enrolment is of several utterances and several emotions.

    Args:
      count: n, of the utterances that are enrolled.
      recognised: int[n], the class that the network's own emotion head recognises in each of them;
        None of a regression.
      classes: names of the classes.

    >>> why_not_enrolled(5, np.array([2, 0, 2, 2, 1]))
    >>> why_not_enrolled(3, np.array([2, 0, 2]))
    '3 utterances are enrolled: at least 5 are needed to know how a person speaks'
    """
    if count < LEAST:
        verb = "utterance is" if count == 1 else "utterances are"
        return f"{count} {verb} enrolled: at least {LEAST} are needed to know how a person speaks"
    if recognised is not None and len(emotions := np.unique(recognised)) == 1:
        emotion = str(emotions[0]) if classes is None else classes[emotions[0]]
        return (
            f"the network recognises the same emotion in all {count} utterances that are enrolled "
            f"({emotion}): enrol utterances of several emotions, or what is sent has lost it"
        )
    return None
