"""Plan of the demo corpus: speakers, sentences, ratings, and the settings of every voice.

The plan is drawn before any sound is synthesised, so that the distribution of its labels can be
inspected at no cost. Activation a and valence v of an utterance are standard normal. Ratings are
noisy measurements of them; delivery (rate, level, pitch, pitch range, brightness) and words are
noisy expressions of them, in a style that differs between speakers.
"""

from typing import NamedTuple

import numpy as np

from privrep.datasets.demo.sentences import draw_habits, sentence

GENDERS = ("female", "male")
ACCENTS = {"american": "en-us", "british": "en"}
# Voice variants of espeak-ng, without those that whisper, croak or clip.
VARIANTS = {
    "female": "f1 f2 f3 f4 f5 Annie aunty belinda linda steph Andrea grandma",
    "male": "m1 m2 m3 m4 m6 m7 Alex Andy Mike Lee boris Michael",
}

# The constants below and those of `sentences` were set once, so that an ordinary classifier
# (balanced logistic regression, 5 folds by speaker, low/mid/high at 2.75 and 3.25) is neither at
# chance nor perfect. UAR from mean and standard deviation of 40 log-Mel bands, normalised per
# speaker | from the bag of words: activation 0.61 | 0.34, valence 0.47 | 0.59, gender 0.61 (0.96
# without normalisation, and 0.97 with the correlations of bands added, which normalisation keeps)
# | 0.60.

# Effect of one standard deviation of activation, at strength 1, on log rate, level in dB, pitch and
# pitch range in espeak-ng units, and vocal effort as spectral tilt in dB per octave.
RATE, LEVEL, PITCH, RANGE, EFFORT = 0.14, 3.0, 7.0, 10.0, 0.8
# Effect of one standard deviation of valence on pitch, pitch range and tilt: smaller, since words
# carry valence.
SMILE_PITCH, SMILE_RANGE, SMILE_BRIGHTNESS = 2.0, 4.0, 0.4
# Spread of the cues around their means given a and v, in standard deviations of a and v.
CUE_NOISE, SMILE_NOISE = 0.6, 0.9
# Spread of the log strength of each cue over speakers: some shout, others speak faster.
STYLE = 0.4
# Correlation of activation and valence, weak as in real corpora; gender is independent of both.
CORRELATION = 0.25
# Spread of the utterances, and of the raters' opinions of one utterance. The first makes `mid` a
# fifth of all; the second, with the rounding, keeps even a perfect listener from a perfect score.
RATING_SD, RATER_SD = 0.8, 0.5


class Speaker(NamedTuple):
    """One voice, one style and one room.

    Attributes:
      name, gender, accent: as in the labels.
      voice: espeak-ng voice with its variant.
      tract: factor on all resonances and the pitch; above 1 is a shorter vocal tract.
      rate: words per minute.  pitch, pitch_range: espeak-ng units, 0-99.
      strength: float[5], how much activation moves rate, level, pitch, range, effort.
      level: speech level in dB of full scale.  noise: noise level in dB below the speech.
      tilt: of the microphone, dB per octave.  noise_tilt: of the noise, dB per octave.
      reverberation: seconds until the room's echo is down by 60 dB.  wet: its level in dB.
      seed: of the room's echo and noise.
      habits: preferences for words, see `sentences.draw_habits`.
    """

    name: str
    gender: str
    accent: str
    voice: str
    tract: float
    rate: float
    pitch: float
    pitch_range: float
    strength: np.ndarray
    level: float
    noise: float
    tilt: float
    noise_tilt: float
    reverberation: float
    wet: float
    seed: int
    habits: dict[str, np.ndarray]


class Line(NamedTuple):
    """One utterance to synthesise: labels, and settings in the units of `Speaker`."""

    id: str
    transcript: str
    activation: float
    valence: float
    rate: int
    pitch: int
    pitch_range: int
    level: float
    tilt: float


def draw_speaker(rng: np.random.Generator, index: int) -> Speaker:
    """Draws speaker `index`; gender alternates, and accent alternates within each gender."""
    gender = GENDERS[index % 2]
    accent = sorted(ACCENTS)[index // 2 % 2]
    variants = VARIANTS[gender].split()
    return Speaker(
        name=f"s{index + 1:02d}",
        gender=gender,
        accent=accent,
        voice=f"{ACCENTS[accent]}+{variants[index // 2 % len(variants)]}",
        tract=rng.uniform(*((0.96, 1.08) if gender == "female" else (0.94, 1.06))),
        rate=rng.uniform(155, 190),
        pitch=rng.uniform(38, 58),
        pitch_range=rng.uniform(35, 60),
        strength=np.exp(rng.normal(0, STYLE, 5) - STYLE**2 / 2),
        level=rng.uniform(-30, -24),
        noise=rng.uniform(18, 38),
        tilt=rng.uniform(-2, 1),
        noise_tilt=rng.uniform(-6, 0),
        reverberation=rng.uniform(0.1, 0.5),
        wet=rng.uniform(-24, -8),
        seed=int(rng.integers(2**31)),
        habits=draw_habits(rng),
    )


def rate_like_humans(rng: np.random.Generator, value: float) -> float:
    """Draws a mean rating: 3 to 6 raters give a standard normal `value` integers from 1 to 5."""
    opinions = 3 + RATING_SD * value + rng.normal(0, RATER_SD, rng.integers(3, 7))
    return float(np.clip(np.round(opinions), 1, 5).mean())


def draw_line(rng: np.random.Generator, speaker: Speaker, index: int) -> Line:
    """Draws utterance `index` of `speaker`."""
    a, independent = rng.normal(size=2)
    v = CORRELATION * a + np.sqrt(1 - CORRELATION**2) * independent
    cues = speaker.strength * (a + CUE_NOISE * rng.normal(size=5))
    smile = v + SMILE_NOISE * rng.normal()
    return Line(
        id=f"{speaker.name}_{index + 1:03d}",
        transcript=sentence(rng, speaker.habits, speaker.gender, v),
        activation=rate_like_humans(rng, a),
        valence=rate_like_humans(rng, v),
        rate=round(np.clip(speaker.rate * np.exp(RATE * cues[0]), 100, 320)),
        level=speaker.level + LEVEL * cues[1],
        pitch=round(np.clip(speaker.pitch + PITCH * cues[2] + SMILE_PITCH * smile, 0, 99)),
        pitch_range=round(
            np.clip(speaker.pitch_range + RANGE * cues[3] + SMILE_RANGE * smile, 0, 99)
        ),
        tilt=speaker.tilt + EFFORT * cues[4] + SMILE_BRIGHTNESS * smile,
    )


def draw_plan(seed: int, speakers: int, utterances: int) -> list[tuple[Speaker, list[Line]]]:
    """Draws `speakers` speakers with `utterances` lines each.

    The same arguments give the same plan.

    >>> [(speaker.name, len(lines)) for speaker, lines in draw_plan(0, speakers=2, utterances=3)]
    [('s01', 3), ('s02', 3)]
    """
    plan = []
    for i in range(speakers):
        rng = np.random.default_rng([seed, i])
        speaker = draw_speaker(rng, i)
        plan.append((speaker, [draw_line(rng, speaker, j) for j in range(utterances)]))
    return plan
