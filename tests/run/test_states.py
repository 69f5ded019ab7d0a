"""Enrolment and speakers' means: who has enough utterances, what is left to be scored."""

from types import SimpleNamespace

import numpy as np
import pytest

from experiments.config.sweep import expand
from experiments.run.load_data import (
    Loaded,
    _with_enrolment,
    check_relative,
    too_few_for_states,
)
from privrep.types import Split, Utterance

EACH = np.array([40, 30, 30, 12, 9, 3])
SPEAKER = np.repeat(np.arange(len(EACH)), EACH)
SPLIT = Split(*(np.stack([np.isin(SPEAKER, of)]) for of in ([0, 3, 5], [1], [2, 4])))


def packed(speaker):
    folds = SimpleNamespace(split=SPLIT, task=np.arange(len(speaker))[None] % 4)
    folds._replace = lambda split: SimpleNamespace(split=split)
    data = SimpleNamespace(speaker=speaker, folds=folds, enrolled=None)
    data._replace = lambda **changes: SimpleNamespace(**(vars(data) | changes))
    result = SimpleNamespace(data=data)
    result._replace = lambda **changes: SimpleNamespace(**(vars(result) | changes))
    return result


def loaded(speaker=SPEAKER, **changes):
    made = packed(speaker)
    made.data = made.data._replace(**changes)
    return Loaded([], SPLIT, made, "hash", "content", [], [], {})


def config(**flags):
    (pack,) = expand({"recipe": "keep", "lambda_": "1"} | flags)
    return pack.config


def test_what_is_enrolled_is_counted_and_scored_in_no_part():
    made, notes = _with_enrolment(packed(SPEAKER), SPLIT, config(enrolment="20"))
    counts = np.bincount(SPEAKER[made.data.enrolled], minlength=len(EACH))
    np.testing.assert_array_equal(counts, [20, 20, 20, 6, 4, 1])  # half where there are too few
    assert notes[0].startswith("enrolment: 20 utterances of each speaker, drawn unevenly")
    assert "3 of 6 speakers have fewer than 25 utterances" in notes[1]
    assert notes[1].endswith("2 enrol fewer than 5")
    _, notes = _with_enrolment(packed(SPEAKER), SPLIT, config(enrolment="20", state="running"))
    assert "updated after every utterance that is scored" in notes[1]
    scored = loaded(enrolled=made.data.enrolled).scored
    for part, whole in zip(scored.split, SPLIT):
        np.testing.assert_array_equal(part[0], whole[0] & ~made.data.enrolled)
    assert loaded().scored.split is SPLIT


def test_a_corpus_of_few_utterances_of_each_speaker_is_refused():
    few = SPEAKER.copy()
    few[:100] = np.arange(100) // 4 + 10
    with pytest.raises(ValueError, match=r"27 of 28 speakers have too few .*--recipe=posterior,"):
        _with_enrolment(packed(few), SPLIT, config(enrolment="20"))
    with pytest.raises(ValueError, match=r"--enrolment=20: .*--recipe=strong,paper"):
        _with_enrolment(packed(few), SPLIT, config(enrolment="20", bins="continuous"))


def spoken(*counts):
    """Utterances of speakers with so many each, of which one has no gender."""
    return [
        Utterance(
            f"{speaker}_{i}",
            str(speaker),
            ratings={"activation": 1.0 + i % 5},
            scale=(1.0, 5.0),
            private={"gender": "fm"[speaker % 2]} if i else {},
        )
        for speaker, count in enumerate(counts)
        for i in range(count)
    ]


def test_a_default_with_a_state_needs_speakers_with_enough_utterances():
    keeps, other = config(enrolment="20"), config(recipe="posterior")
    few = spoken(11, 10, 10, 10)  # of usable ones 10 and 9: five of 10 are enrolled, and 4 of 9
    assert too_few_for_states([other, keeps], few) == (3, 4)
    assert too_few_for_states([keeps], spoken(11, 11, 10, 10)) is None
    assert too_few_for_states([other], few) is None
    assert too_few_for_states([config(enrolment="0")], few) is None


def test_relative_h_needs_speakers_with_enough_utterances():
    runs = [config()]
    (note,) = check_relative(loaded(), runs)
    assert note.startswith("relative h, fold 0: 5% of the training utterances are of speakers with")
    single = np.arange(len(SPEAKER))
    with pytest.raises(ValueError, match=r"in fold 0 only 0% of the training utterances are of"):
        check_relative(loaded(single), runs)
    assert check_relative(loaded(single), [config(recipe="paper")]) == []
