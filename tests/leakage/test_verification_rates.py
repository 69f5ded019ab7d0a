"""False alarms of verification over many draws of worlds without voices; by hand, some minutes."""

import numpy as np
import pytest

from privrep.leakage.attribute_matrix import measure_attributes
from privrep.statistics.strata import covariate
from privrep.types import InferenceSettings, Sample, renumber

UTTERANCES, SIZE, DRAWS = 6, 6, 100


def plain(rng, h, speaker):
    return h, None, {}


def emotions(rng, h, speaker):
    """Each speaker mostly has one emotion, and h tells the emotion."""
    main = rng.integers(0, 3, speaker.max() + 1)[speaker]
    emotion = np.where(rng.random(len(h)) < 0.6, main, rng.integers(0, 3, len(h)))
    return h + 3 * rng.normal(size=(3, SIZE))[emotion], None, {"emotion": emotion}


def rooms(rng, h, speaker):
    room = rng.integers(0, 6, speaker.max() + 1)[speaker]
    return h + 3 * rng.normal(size=(6, SIZE))[room], room, {}


def days(rng, h, speaker):
    """Groups of four speakers on two days, each with a state of the day."""
    day = np.arange(len(h)) % 2
    session = renumber(speaker // 4 * 2 + day)
    state = 1.5 * rng.normal(size=(speaker.max() + 1, 2, SIZE))[speaker, day]
    return h + state + 2 * rng.normal(size=(session.max() + 1, SIZE))[session], session, {}


def scripts(rng, h, speaker):
    script, emotion = np.arange(len(h)) % 3, rng.integers(0, 2, len(h))
    h = h + 3 * rng.normal(size=(3, 2, SIZE))[script, emotion]
    return h, None, {"script": script, "emotion": emotion}


@pytest.mark.by_hand
@pytest.mark.parametrize("world", [plain, emotions, rooms, days, scripts])
def test_false_alarms(world):
    """Of 100 draws at 5 %, 11 alarms or more have a probability of 1 %."""
    alarms = 0
    for seed in range(DRAWS):
        rng = np.random.default_rng(seed)
        speaker = np.repeat(np.arange(rng.choice([12, 20, 30])), UTTERANCES)
        h, session, columns = world(rng, rng.normal(size=(len(speaker), SIZE)), speaker)
        contents = [covariate(name, codes.astype(str).tolist()) for name, codes in columns.items()]
        sample = Sample.of(h, 0 * speaker, speaker, session)
        settings = InferenceSettings(permutations=39, seed=seed)
        rows, _ = measure_attributes(sample, {}, settings, contents)
        alarms += next(row.verdict.verdict for row in rows if row.name == "speaker") == "leaks"
    assert alarms <= 10
