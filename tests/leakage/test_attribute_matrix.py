"""The attribute matrix: columns that can be judged, and verification of unseen speakers."""

import numpy as np

from privrep.leakage.attribute_matrix import measure_attributes
from privrep.leakage.worlds import WORLDS
from privrep.types import InferenceSettings, Sample


def test_every_column_is_measured_or_its_absence_explained():
    sample = WORLDS["linear"].draw(0, 40, 8, 8)
    accent = np.where(sample.speaker % 3 == 0, "north", "south")
    columns = {
        "gender": ["female" if g else "male" for g in sample.gender],
        "accent": [None if s == 7 else a for s, a in zip(sample.speaker, accent)],
        "wave": [f"{i}.wav" for i in range(len(sample.speaker))],
        "corpus": ["one"] * len(sample.speaker),
        "illness": ["yes" if s == 3 else "no" for s in sample.speaker],
        "note": [None] * len(sample.speaker),
    }
    settings = InferenceSettings(permutations=59)
    attributes, left_out = measure_attributes(sample.sample(), columns, settings)
    assert {attribute.name for attribute in attributes} == {"gender", "accent", "speaker"}
    by_name = {attribute.name: attribute for attribute in attributes}
    assert by_name["gender"].verdict.verdict == by_name["speaker"].verdict.verdict == "leaks"
    assert by_name["accent"].verdict.verdict != "leaks" and by_name["accent"].chance == 0.5
    above_chance = [attribute.verdict.uar - attribute.chance for attribute in attributes]
    assert above_chance == sorted(above_chance, reverse=True)
    assert left_out == {
        "wave": "has 320 values, and at most 20 are tried",
        "corpus": "has one value only",
        "illness": "has the value yes for one speaker, and 2 speakers of each value are needed",
        "note": "has no value",
    }


def test_the_session_itself_can_be_learned_although_sessions_are_kept_together():
    rng = np.random.default_rng(0)
    speaker = np.repeat(np.arange(32), 6)
    h, room = rng.normal(size=(192, 6)), speaker // 4
    heard = h + 2 * rng.normal(size=(8, 6))[room]
    columns = {"session": [f"r{i}" for i in room]}
    settings = InferenceSettings(permutations=59)
    for x, verdict in ((heard, "leaks"), (h, "cannot_tell")):
        sample = Sample.of(x, np.zeros(192, int), speaker, room)
        attributes, _ = measure_attributes(sample, columns, settings)
        (of_session,) = (
            attribute.verdict for attribute in attributes if attribute.name == "session"
        )
        assert of_session.verdict == verdict and of_session.uar > 0.05, of_session
