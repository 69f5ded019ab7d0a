"""Representations whose leak is known, to test a measurement on.

A world draws speakers, then their utterances; whatever is not named below is noise. In all worlds
but `no_leak` a speaker has a place of his own in h, as in any real representation: that is what
makes a gender appear to leak where there is none.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

EMOTIONS = 4


class Sample(NamedTuple):
    """Utterances of a world.

    Attributes:
      h: float32[N, D]; the first half of the columns is of one modality, the second of another.
      speaker: int32[N] from 0 to S - 1.
      gender: int32[N], 0 or 1, the same for all utterances of a speaker.
      emotion: int32[N] from 0 to 3, drawn without regard to the speaker but in `emotion_tied`.
      session: int32[N]; speakers 2s and 2s + 1, of either gender, are session s.
      num_frames: int32[N].
    """

    h: np.ndarray
    speaker: np.ndarray
    gender: np.ndarray
    emotion: np.ndarray
    session: np.ndarray
    num_frames: np.ndarray


class World(NamedTuple):
    """A world and what a measurement of `gender` must find in it.

    Attributes:
      draw: (seed, num_speakers, utterances, size) -> Sample: S, utterances per speaker, and D.
      leaks: whether h tells the gender of a speaker never seen before.
      linear: whether a linear attacker can find it.
      modalities: whether one half of the columns suffices to find it.
      truth: in a sentence.
    """

    draw: Callable[..., Sample]
    leaks: bool
    linear: bool
    modalities: bool
    truth: str


def _start(
    seed: int, num_speakers: int, utterances: int, size: int, spread: float, tied: float = 0
):
    """A Sample of speakers and emotions only, the sign of each utterance's gender, and the rng.

    Speakers lie `spread` apart, emotions 1, utterances of both 1 (standard deviations). A share
    `tied` of the utterances has one of two emotions that the gender decides.
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
    sample = Sample(h, speaker, gender, emotion, speaker // 2, num_frames)
    return sample, 2.0 * gender - 1, rng


def _with(sample: Sample, h: np.ndarray) -> Sample:
    return sample._replace(h=h.astype(np.float32))


def no_leak(seed: int, num_speakers: int, utterances: int, size: int) -> Sample:
    """h holds the emotion and nothing of the speaker."""
    sample, _, _ = _start(seed, num_speakers, utterances, size, spread=0)
    return _with(sample, sample.h)


def speaker_only(seed: int, num_speakers: int, utterances: int, size: int) -> Sample:
    """h identifies the speaker, and says nothing of the gender of one not known before."""
    sample, _, _ = _start(seed, num_speakers, utterances, size, spread=1)
    return _with(sample, sample.h)


def linear(
    seed: int, num_speakers: int, utterances: int, size: int, strength: float = 1.5
) -> Sample:
    """The genders lie 2 * strength apart along one direction, in deviations of the speakers."""
    sample, sign, rng = _start(seed, num_speakers, utterances, size, spread=1)
    direction = rng.normal(size=size)
    return _with(
        sample, sample.h + strength * sign[:, None] * direction / np.linalg.norm(direction)
    )


def nonlinear(seed: int, num_speakers: int, utterances: int, size: int) -> Sample:
    """Columns 0 and 1 lie on a circle around 0, a wide one or a narrow one: equal means."""
    sample, sign, rng = _start(seed, num_speakers, utterances, size, spread=0.3)
    angle = rng.uniform(0, 2 * np.pi, len(sign))
    radius = 3.5 + 2.5 * sign
    h = sample.h.copy()
    h[:, :2] = radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], 1)
    return _with(sample, h + 0.3 * rng.normal(size=h.shape))


def length_only(seed: int, num_speakers: int, utterances: int, size: int) -> Sample:
    """One gender speaks longer, and column 0 follows the number of frames, not the gender."""
    sample, sign, _ = _start(seed, num_speakers, utterances, size, spread=0.5)
    num_frames = (sample.num_frames * np.exp(0.5 * sign)).astype(np.int32)
    h = sample.h.copy()
    h[:, 0] = 4 * (np.log(num_frames) - 5.5) + 0.1 * h[:, 0]
    return _with(sample._replace(num_frames=num_frames), h)


def one_emotion(seed: int, num_speakers: int, utterances: int, size: int) -> Sample:
    """As `linear`, in the utterances of emotion 0 only."""
    sample, sign, rng = _start(seed, num_speakers, utterances, size, spread=0.5)
    direction = rng.normal(size=size)
    step = 4 * sign * (sample.emotion == 0)
    return _with(sample, sample.h + step[:, None] * direction / np.linalg.norm(direction))


def emotion_tied(
    seed: int, num_speakers: int, utterances: int, size: int, tied: float = 0.6
) -> Sample:
    """h holds emotion and speaker, the genders differ in their emotions, and that is all."""
    sample, _, rng = _start(seed, num_speakers, utterances, size, 0.5, tied)
    return _with(sample, sample.h + 2 * rng.normal(size=(EMOTIONS, size))[sample.emotion])


def interaction(seed: int, num_speakers: int, utterances: int, size: int) -> Sample:
    """The signs of a column of each modality agree for one gender and differ for the other."""
    sample, sign, rng = _start(seed, num_speakers, utterances, size, spread=0.3)
    other = rng.choice([-1.0, 1.0], len(sign))
    h = sample.h.copy()
    h[:, 0] = 4 * other + 0.5 * h[:, 0]
    h[:, size // 2] = 4 * other * sign + 0.5 * h[:, size // 2]
    return _with(sample, h)


WORLDS: dict[str, World] = {
    "no_leak": World(no_leak, False, False, False, "nothing of the speaker is in h"),
    "speaker_only": World(
        speaker_only, False, False, False, "who speaks is in h, the gender of a stranger is not"
    ),
    "linear": World(linear, True, True, True, "every attacker finds it"),
    "nonlinear": World(
        nonlinear, True, False, True, "only an attacker that is not linear finds it"
    ),
    "length_only": World(
        length_only, True, True, True, "it is gone among utterances of one length"
    ),
    "one_emotion": World(one_emotion, True, True, True, "it is in the utterances of emotion 0"),
    "emotion_tied": World(
        emotion_tied, True, True, True, "it is gone among utterances of one emotion"
    ),
    "interaction": World(
        interaction, True, False, False, "it is in both modalities together and in neither alone"
    ),
}
