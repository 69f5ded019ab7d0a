"""Simulated representations whose leak of a number, such as an age in years, is known (host).

As in `worlds`, each speaker has a mean in h, so that with few speakers a number appears to leak
where there is no leak.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from privrep.types import NumberSample


class NumberWorld(NamedTuple):
    """A world and the result that a measurement of its number must give.

    Attributes:
      draw: (seed, num_speakers, utterances, size, strength) -> NumberSample; at strength 0 nothing
        leaks.
      linear: whether a linear attacker can predict the number.
      truth: in a sentence.
    """

    draw: Callable[..., NumberSample]
    linear: bool
    truth: str


def _start(
    seed: int, num_speakers: int, utterances: int, size: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.random.Generator]:
    """Numbers float[S] of mean 0 and variance 1, speaker int[N], h float[N, D] without the number.

    The standard deviation of h is 1 between speakers, and 1 between utterances of one.
    """
    rng = np.random.default_rng(seed)
    number = rng.normal(size=num_speakers)
    speaker = np.repeat(np.arange(num_speakers, dtype=np.int32), utterances)
    h = rng.normal(size=(num_speakers, size))[speaker] + rng.normal(size=(len(speaker), size))
    return number, speaker, h, rng


def linear(
    seed: int, num_speakers: int, utterances: int, size: int, strength: float = 1.0
) -> NumberSample:
    """h moves in one direction, by `strength` per standard deviation of the number."""
    number, speaker, h, rng = _start(seed, num_speakers, utterances, size)
    direction = rng.normal(size=size)
    h += strength * np.outer(number[speaker], direction / np.linalg.norm(direction))
    return NumberSample.of(h, 45 + 15 * number[speaker], speaker)


def radius(
    seed: int, num_speakers: int, utterances: int, size: int, strength: float = 1.0
) -> NumberSample:
    """Columns 0 and 1 lie on a circle around 0 whose radius depends on the number: equal means."""
    number, speaker, h, rng = _start(seed, num_speakers, utterances, size)
    angle = rng.uniform(0, 2 * np.pi, len(speaker))
    distance = 4 * np.exp(0.5 * strength * number[speaker])
    h[:, :2] *= 0.3
    h[:, :2] += distance[:, None] * np.stack([np.cos(angle), np.sin(angle)], 1)
    return NumberSample.of(h, 45 + 15 * number[speaker], speaker)


NUMBER_WORLDS: dict[str, NumberWorld] = {
    "linear": NumberWorld(linear, True, "every attacker predicts the number"),
    "radius": NumberWorld(radius, False, "only a nonlinear attacker predicts the number"),
}
