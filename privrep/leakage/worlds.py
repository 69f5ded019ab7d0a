"""Simulated representations ("worlds") whose leak is known, to test a measurement on (host).

A world draws speakers, then their utterances; whatever is not described is noise. In all worlds
but `no_leak` each speaker has a mean of his own in h, as in any real representation: with few
speakers this makes a gender appear to leak where there is no leak.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from privrep.types import Sample

EMOTIONS = 4


class WorldDraw(NamedTuple):
    """Utterances drawn from a world.

    Attributes:
      h: float32[N, D]; the first half of the columns is of one modality, the second of another.
      speaker: int32[N] from 0 to S - 1.
      gender: int32[N], 0 or 1, the same for all utterances of a speaker.
      emotion: int32[N] from 0 to 3, independent of the speaker except in `emotion_tied`.
      session: int32[N]; speakers 2s and 2s + 1, of either gender, are session s.
      num_frames: int32[N].
    """

    h: np.ndarray
    speaker: np.ndarray
    gender: np.ndarray
    emotion: np.ndarray
    session: np.ndarray
    num_frames: np.ndarray

    def sample(self, *, with_session: bool = False) -> Sample:
        """h with the gender as label, for a measurement."""
        session = self.session if with_session else None
        return Sample.of(self.h, self.gender, self.speaker, session)


class World(NamedTuple):
    """A world and the result that a measurement of `gender` must give on it.

    Attributes:
      draw: (seed, num_speakers, utterances, size) -> WorldDraw: S, utterances per speaker, and D.
      leaks: whether h reveals the gender of a held-out speaker.
      linear: whether a linear attacker can predict it.
      modalities: whether one half of the columns suffices to predict it.
      truth: in a sentence.
    """

    draw: Callable[..., WorldDraw]
    leaks: bool
    linear: bool
    modalities: bool
    truth: str


def _start(
    seed: int, num_speakers: int, utterances: int, size: int, spread: float, tied: float = 0
) -> tuple[WorldDraw, np.ndarray, np.random.Generator]:
    """A draw of speakers and emotions only, the sign of each utterance's gender, and the generator.

    The standard deviation is `spread` between speakers, 1 between emotions, and 1 between
    utterances of one speaker and emotion. In a share `tied` of the utterances the emotion is one of
    two that belong to the gender.
    """
    if num_speakers % 2 or size < 4:
        raise ValueError(
            f"num_speakers={num_speakers}, size={size}: a world needs an even number of speakers, "
            "one of either gender per session, and at least 4 columns"
        )
    rng = np.random.default_rng(seed)
    speaker = np.repeat(np.arange(num_speakers, dtype=np.int32), utterances)
    first = rng.integers(0, 2, num_speakers // 2)
    gender = np.stack([first, 1 - first], 1).reshape(-1)[speaker].astype(np.int32)
    emotion = rng.integers(0, EMOTIONS, len(speaker)).astype(np.int32)
    if tied:
        of_gender = 2 * gender + emotion % 2
        emotion = np.where(rng.random(len(speaker)) < tied, of_gender, emotion).astype(np.int32)
    h = rng.normal(size=(len(speaker), size))
    h += spread * rng.normal(size=(num_speakers, size))[speaker]
    h += rng.normal(size=(EMOTIONS, size))[emotion]
    num_frames = np.exp(rng.normal(5.5, 0.4, len(speaker))).astype(np.int32) + 20
    drawn = WorldDraw(h, speaker, gender, emotion, speaker // 2, num_frames)
    return drawn, 2.0 * gender - 1, rng


def _with(drawn: WorldDraw, h: np.ndarray) -> WorldDraw:
    return drawn._replace(h=h.astype(np.float32))


def no_leak(seed: int, num_speakers: int, utterances: int, size: int) -> WorldDraw:
    """h depends on the emotion and not on the speaker."""
    drawn, _, _ = _start(seed, num_speakers, utterances, size, spread=0)
    return _with(drawn, drawn.h)


def speaker_only(seed: int, num_speakers: int, utterances: int, size: int) -> WorldDraw:
    """h identifies the speaker, and does not reveal the gender of a held-out speaker."""
    drawn, _, _ = _start(seed, num_speakers, utterances, size, spread=1)
    return _with(drawn, drawn.h)


def linear(
    seed: int, num_speakers: int, utterances: int, size: int, strength: float = 1.5
) -> WorldDraw:
    """The genders lie 2 * strength apart in one direction, in standard deviations of speakers."""
    drawn, sign, rng = _start(seed, num_speakers, utterances, size, spread=1)
    direction = rng.normal(size=size)
    return _with(drawn, drawn.h + strength * sign[:, None] * direction / np.linalg.norm(direction))


def nonlinear(seed: int, num_speakers: int, utterances: int, size: int) -> WorldDraw:
    """Columns 0 and 1 lie on a circle around 0 whose radius depends on the gender: equal means."""
    drawn, sign, rng = _start(seed, num_speakers, utterances, size, spread=0.3)
    angle = rng.uniform(0, 2 * np.pi, len(sign))
    radius = 3.5 + 2.5 * sign
    h = drawn.h.copy()
    h[:, :2] = radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], 1)
    return _with(drawn, h + 0.3 * rng.normal(size=h.shape))


def length_only(seed: int, num_speakers: int, utterances: int, size: int) -> WorldDraw:
    """One gender speaks longer; column 0 depends on the number of frames, not on the gender."""
    drawn, sign, _ = _start(seed, num_speakers, utterances, size, spread=0.5)
    num_frames = (drawn.num_frames * np.exp(0.5 * sign)).astype(np.int32)
    h = drawn.h.copy()
    h[:, 0] = 4 * (np.log(num_frames) - 5.5) + 0.1 * h[:, 0]
    return _with(drawn._replace(num_frames=num_frames), h)


def one_emotion(seed: int, num_speakers: int, utterances: int, size: int) -> WorldDraw:
    """As `linear`, in the utterances of emotion 0 only."""
    drawn, sign, rng = _start(seed, num_speakers, utterances, size, spread=0.5)
    direction = rng.normal(size=size)
    step = 4 * sign * (drawn.emotion == 0)
    return _with(drawn, drawn.h + step[:, None] * direction / np.linalg.norm(direction))


def emotion_tied(
    seed: int, num_speakers: int, utterances: int, size: int, tied: float = 0.6
) -> WorldDraw:
    """h depends on emotion and speaker only, and the emotion on the gender."""
    drawn, _, rng = _start(seed, num_speakers, utterances, size, 0.5, tied)
    return _with(drawn, drawn.h + 2 * rng.normal(size=(EMOTIONS, size))[drawn.emotion])


def interaction(seed: int, num_speakers: int, utterances: int, size: int) -> WorldDraw:
    """The signs of a column of each modality agree for one gender and differ for the other."""
    drawn, sign, rng = _start(seed, num_speakers, utterances, size, spread=0.3)
    other = rng.choice([-1.0, 1.0], len(sign))
    h = drawn.h.copy()
    h[:, 0] = 4 * other + 0.5 * h[:, 0]
    h[:, size // 2] = 4 * other * sign + 0.5 * h[:, size // 2]
    return _with(drawn, h)


def tiny_direction(seed: int, num_speakers: int, utterances: int, size: int) -> WorldDraw:
    """As `linear`, wide, with the direction of the gender turned down to a thousandth, rotated."""
    drawn, sign, rng = _start(seed, num_speakers, utterances, size, spread=1)
    h = drawn.h.copy()
    h[:, 0] = 1e-3 * (h[:, 0] + 4 * sign)
    return _with(drawn, h @ np.linalg.qr(rng.normal(size=(size, size)))[0])


def offset(seed: int, num_speakers: int, utterances: int, size: int) -> WorldDraw:
    """Column 0 is a million, and 4 more or less by the gender."""
    drawn, sign, _ = _start(seed, num_speakers, utterances, size, spread=1)
    h = drawn.h.copy()
    h[:, 0] += 1e6 + 4 * sign
    return _with(drawn, h)


def heavy_tails(seed: int, num_speakers: int, utterances: int, size: int) -> WorldDraw:
    """Columns with the tails of a Cauchy distribution; the genders lie apart in column 0."""
    drawn, sign, rng = _start(seed, num_speakers, utterances, size, spread=0.5)
    h = drawn.h + rng.standard_cauchy(drawn.h.shape)
    h[:, 0] += 2 * sign
    return _with(drawn, h)


def sentinels(seed: int, num_speakers: int, utterances: int, size: int) -> WorldDraw:
    """As `linear`, with every value of one in twenty utterances a number that stands for none."""
    drawn = linear(seed, num_speakers, utterances, size)
    missing = np.random.default_rng((seed, 1)).random(len(drawn.h)) < 0.05
    return _with(drawn, np.where(missing[:, None], -1e9, drawn.h))


def repeated_value(seed: int, num_speakers: int, utterances: int, size: int) -> WorldDraw:
    """Column 0 is exactly 0, amid its other values, in half of the utterances of one gender and in
    one of twenty of the other."""
    drawn, sign, rng = _start(seed, num_speakers, utterances, size, spread=0.5)
    h = drawn.h.copy()
    h[rng.random(len(h)) < np.where(sign > 0, 0.5, 0.05), 0] = 0
    return _with(drawn, h)


def shape_only(seed: int, num_speakers: int, utterances: int, size: int) -> WorldDraw:
    """The spread of column 0 depends on the gender, and no mean does."""
    drawn, sign, rng = _start(seed, num_speakers, utterances, size, spread=0.5)
    h = drawn.h.copy()
    h[:, 0] = np.exp(0.8 * sign) * rng.normal(size=len(h))
    return _with(drawn, h)


def comb(seed: int, num_speakers: int, utterances: int, size: int) -> WorldDraw:
    """The values of column 0 are even for one gender and odd for the other, of sixteen."""
    drawn, sign, rng = _start(seed, num_speakers, utterances, size, spread=0.5)
    h = drawn.h.copy()
    h[:, 0] = 2 * rng.integers(0, 8, len(h)) + (sign > 0) + 0.1 * rng.normal(size=len(h))
    return _with(drawn, h)


WORLDS: dict[str, World] = {
    "no_leak": World(no_leak, False, False, False, "h does not depend on the speaker"),
    "speaker_only": World(
        speaker_only,
        False,
        False,
        False,
        "h identifies the speaker, but not the gender of a held-out one",
    ),
    "linear": World(linear, True, True, True, "every attacker predicts the gender"),
    "nonlinear": World(
        nonlinear, True, False, True, "only a nonlinear attacker predicts the gender"
    ),
    "length_only": World(
        length_only, True, True, True, "the leak vanishes among utterances of one length"
    ),
    "one_emotion": World(
        one_emotion, True, True, True, "the leak is in the utterances of emotion 0"
    ),
    "emotion_tied": World(
        emotion_tied, True, True, True, "the leak vanishes among utterances of one emotion"
    ),
    "interaction": World(
        interaction,
        True,
        False,
        False,
        "the leak is in both modalities together and in neither alone",
    ),
    "tiny_direction": World(
        tiny_direction, True, True, False, "the leak is in a direction of a thousandth of the size"
    ),
    "offset": World(offset, True, True, True, "the leak is small beside the offset of its column"),
    "heavy_tails": World(heavy_tails, True, True, True, "outliers hide the leak"),
    "sentinels": World(sentinels, True, True, True, "one in twenty rows holds -1e9"),
    "repeated_value": World(
        repeated_value, True, False, True, "one value among the others is frequent in one gender"
    ),
    "shape_only": World(shape_only, True, False, True, "one column differs in shape, not in mean"),
    "comb": World(comb, True, False, True, "only trees predict the gender"),
}
