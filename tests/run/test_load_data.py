"""Whether the data is still that of a table."""

from dataclasses import replace

import pytest

from experiments.config.settings import Config
from experiments.config.sweep import Pack
from experiments.run.load_data import (
    Job,
    check_finished,
    preparable,
    prepare_inputs,
    read,
)
from privrep.inputs import cache as prepared
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


def test_the_flags_of_a_manifest_reach_its_reader(tmp_path):
    (tmp_path / "m.csv").write_text("wav,mood,Sex\ns1/a.wav,sad,0\ns2/a.wav,glad,1\n")
    (tmp_path / "who.csv").write_text("speaker,accent\ns1,north\ns2,south\n")
    config = Config(
        dataset="manifest",
        data_dir=str(tmp_path / "m.csv"),
        columns="emotion=mood",
        id="wav",
        speaker_from="^[^/]+",
        speakers=str(tmp_path / "who.csv"),
        values="gender:0=male,gender:1=female",
    )
    with pytest.warns(UserWarning, match="accent of 2 speakers were joined"):
        a, b = read(config, tmp_path)
    assert (a.id, a.speaker, b.speaker) == ("s1/a.wav", "s1", "s2")
    assert a.private == {"emotion": "sad", "gender": "male", "accent": "north"}
    assert b.categories == {"emotion": "glad", "gender": "female", "accent": "south"}
    assert a.wav == tmp_path / "s1/a.wav"
