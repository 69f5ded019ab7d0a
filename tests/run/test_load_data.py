"""Whether the data is still that of a table; hours beside counts; test sets; levels of emotions."""

from dataclasses import replace

import pytest
import soundfile

from experiments.config.settings import Config
from experiments.config.sweep import Pack
from experiments.run.load_data import (
    Job,
    check,
    check_finished,
    load,
    preparable,
    prepare_inputs,
    read,
)
from privrep.datasets import DATASETS
from privrep.inputs import cache as prepared
from tests.support.corpora_on_disk import write_msp_improv, write_msp_podcast
from tests.support.open_corpora_on_disk import write_emodb, write_kaldi
from tests.support.sounds_on_disk import edit


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


def notes_of(config, folder):
    """The notes of the corpus in `folder`, checked and loaded as the main job does."""
    utterances = read(config, folder)
    check(config, utterances)
    usable = preparable(utterances)
    loaded = load(config, prepare_inputs(config, usable, folder / "cache", progress=False))
    return loaded, loaded.notes


def publish(monkeypatch, name, utterances, hours):
    published = DATASETS[name]._replace(utterances=utterances, hours=hours, releases={})
    monkeypatch.setitem(DATASETS, name, published)


def test_hours_stand_beside_counts_against_the_published_ones(tmp_path, monkeypatch):
    write_emodb(tmp_path / "emodb")
    config = Config("emodb", str(tmp_path / "emodb"))
    hours = notes_of(config, tmp_path)[0].utterances
    seconds = sum(soundfile.info(u.wav).duration for u in hours)
    publish(monkeypatch, "emodb", 70, seconds / 3600)
    minutes = f"{seconds / 60:.1f} min"
    _, notes = notes_of(config, tmp_path)
    assert notes[0] == (
        f"emodb: {minutes} of sound in 70 utterances; {minutes} in 70 were published"
    )


def test_a_copy_whose_recordings_are_cut_is_noticed_though_none_is_missing(tmp_path, monkeypatch):
    written = write_emodb(tmp_path / "emodb")
    seconds = sum(soundfile.info(u.wav).duration for u in written)
    for utterance in written:
        sound, rate = soundfile.read(utterance.wav)
        soundfile.write(utterance.wav, sound[: int(0.3 * rate)], rate)
    publish(monkeypatch, "emodb", 70, seconds / 3600)
    _, notes = notes_of(Config("emodb", str(tmp_path / "emodb")), tmp_path)
    assert notes[0].endswith("are expected: is every recording whole?")


def test_of_a_part_of_a_corpus_as_many_hours_are_expected_as_its_utterances_have(
    tmp_path, monkeypatch
):
    written = write_emodb(tmp_path / "emodb")
    seconds = sum(soundfile.info(u.wav).duration for u in written)
    publish(monkeypatch, "emodb", 140, 2 * seconds / 3600)
    _, notes = notes_of(Config("emodb", str(tmp_path / "emodb")), tmp_path)
    assert "in 140 were published" in notes[0] and "expected" not in notes[0]


def test_counts_of_releases_that_are_whole_copies(tmp_path, monkeypatch, capsys):
    write_msp_podcast(tmp_path / "podcast", utterances_per_speaker=1)
    config = Config("msp_podcast", str(tmp_path / "podcast"))
    monkeypatch.setitem(
        DATASETS, "msp_podcast", DATASETS["msp_podcast"]._replace(utterances=12, releases={13: 0.1})
    )
    read(config, tmp_path)
    assert "whole?" not in capsys.readouterr().err
    monkeypatch.setitem(DATASETS, "msp_podcast", DATASETS["msp_podcast"]._replace(releases={}))
    read(config, tmp_path)
    assert "13 utterances, 12 were published: is the copy whole?" in capsys.readouterr().err


def test_the_official_split_of_2_0_is_used_without_who_is_in_two_parts(tmp_path):
    write_msp_podcast(tmp_path / "podcast", speakers=20)
    table = tmp_path / "podcast/Labels/labels_consensus.csv"
    edit(table, ",1,Female,Train", ",1,Female,Test2")
    edit(table, ",7,Female,Development", ",7,Female,Test1")
    config = Config("msp_podcast", str(tmp_path / "podcast"), folds="official")
    loaded, notes = notes_of(config, tmp_path)
    assert not [finding for finding in loaded.findings if finding.severity == "fatal"]
    assert any("1 speakers of the training part are in the" in n and "5 utt" in n for n in notes)
    assert any("1 speakers of the validation part are in the" in n and "(7)" in n for n in notes)
    tested = {loaded.utterances[i].id for i in loaded.split.test[0].nonzero()[0]}
    assert {"MSP-PODCAST_0000_0000", "MSP-PODCAST_0006_0000"} <= tested

    chosen = replace(config, test_set="Test2")
    loaded, notes = notes_of(chosen, tmp_path)
    tested = [loaded.utterances[i] for i in loaded.split.test[0].nonzero()[0]]
    assert {u.test_set for u in tested} == {"Test2"}
    with pytest.raises(ValueError, match=r"no test set 'Test3' with labels.*Test1, Test2"):
        check(replace(config, test_set="Test3"), read(config, tmp_path))


@pytest.mark.filterwarnings("ignore")
def test_levels_of_emotions_on_request_in_a_corpus_without_ratings(tmp_path):
    written = write_kaldi(tmp_path / "data")
    for name in ("utt2arousal", "utt2valence"):
        (tmp_path / "data" / name).unlink()
    config = Config("kaldi", str(tmp_path / "data"), ratings_from="emotion")
    rated = read(config, tmp_path)
    assert [u.ratings["valence"] for u in rated] == [
        {"sad": 1.0, "neutral": 2.0, "happy": 3.0}[u.categories["emotion"]] for u in written
    ]
    check(config, rated)
    with pytest.raises(ValueError, match="no task 'activation'"):
        check(config, read(replace(config, ratings_from=""), tmp_path))
