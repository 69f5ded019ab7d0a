"""Whether the data is still that of a table, and what is chosen of a corpus."""

from dataclasses import replace
from pathlib import Path

import pytest

from experiments.config.settings import Config
from experiments.config.sweep import Pack
from experiments.run.load_data import (
    Job,
    check,
    check_finished,
    choose,
    preparable,
    prepare_inputs,
    read,
)
from privrep.inputs import cache as prepared
from privrep.types import Utterance
from tests.support.corpora_on_disk import write_msp_improv


@pytest.mark.parametrize("modality", ["acoustic", "lexical", "multimodal"])
def test_a_table_of_other_data_is_told_without_preparing_any(tmp_path, monkeypatch, modality):
    write_msp_improv(tmp_path / "corpus", utterances_per_speaker=2)
    config = Config("msp_improv", str(tmp_path / "corpus"), modality)
    utterances = read(config, tmp_path)
    made = prepare_inputs(config, preparable(utterances), tmp_path, progress=False).hash
    monkeypatch.setattr(prepared.cache_store, "read", None)
    job = Job(0, Pack(config, (config,)), tmp_path / "000", "")
    rows = [{"pack": 0, "prepared_hash": made}]
    check_finished(rows, [job], utterances)
    fewer = utterances[1:]
    first = utterances[0]
    relabelled = [replace(first, ratings={**first.ratings, "valence": 1.25}), *fewer]
    for changed in (fewer, relabelled):
        with pytest.raises(ValueError, match="000: this pack was begun on other data"):
            check_finished(rows, [job], changed)


IEMOCAP = {"angry": 1103, "happy": 595, "sad": 1084, "neutral": 1708, "frustrated": 1849}
IEMOCAP |= {"excited": 1041, "fearful": 40, "surprised": 107, "disgusted": 2, "other": 3}


def iemocap():
    """Utterances with the published counts of emotions, over five sessions of two speakers."""
    emotions = [name for name, count in IEMOCAP.items() for _ in range(count)] + [None] * 2507
    return [
        Utterance(
            f"u{i:05}",
            f"Ses0{i % 5}{'FM'[i // 5 % 2]}",
            Path("a.wav"),
            categories={"scenario": ("improvised", "scripted")[i % 2]}
            | ({} if emotion is None else {"emotion": emotion}),
            private={"gender": ("female", "male")[i // 5 % 2]},
            session=f"Session{i % 5}",
        )
        for i, emotion in enumerate(emotions)
    ]


def test_rare_emotions_of_iemocap_are_refused_with_classes_that_work():
    with pytest.raises(ValueError) as error:
        check(Config("iemocap", task="emotion"), iemocap())
    message = str(error.value)
    assert "emotion disgusted has 2 speakers" in message and "other has 3 speakers" in message
    advised = message.split("--classes=")[1].rstrip(".")
    assert advised == "angry,excited,fearful,frustrated,happy,neutral,sad,surprised"
    (line,) = check(Config("iemocap", task="emotion", classes=advised), iemocap())
    assert line.startswith("emotion: 7,527 of 10,039 utterances")


def test_the_usual_four_emotions_of_iemocap():
    config = Config("iemocap", task="emotion", classes="angry,happy+excited,neutral,sad")
    (line,) = check(config, iemocap())
    assert line.startswith(
        "emotion: 5,531 of 10,039 utterances, neutral (1,708), happy+excited (1,636), angry (1,103)"
    )
    chosen, lines = choose([replace(config, only="scenario=improvised")], iemocap())
    assert len(chosen) == 5020 and lines == ["only scenario=improvised: 5,020 of 10,039 utterances"]
