"""Whether the data is still that of a table."""

import shutil
from dataclasses import replace

import pytest

from experiments.config.settings import Config
from experiments.config.sweep import Pack
from experiments.results.corpus_record import write_record
from experiments.run.load_data import (
    Job,
    check_begun,
    describe_inputs,
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
    usable = preparable(utterances)
    made = prepare_inputs(config, usable, tmp_path, progress=False).hash
    monkeypatch.setattr(prepared.cache_store, "read", None)
    found, records = describe_inputs(config, usable, tmp_path)
    assert found == made
    write_record(tmp_path, made, [*records])
    job = Job(0, Pack(config, (config,)), tmp_path / "000", "")

    def check(utterances):
        check_begun({0: {made}}, [job], utterances, tmp_path, tmp_path)

    check(utterances)
    first, *fewer = utterances
    was = f"valence {first.ratings['valence']}, now 1.25"
    relabelled = [replace(first, ratings={**first.ratings, "valence": 1.25}), *fewer]
    longer = [replace(first, end=0.125), *fewer]
    for changed, named in (
        (fewer, f"1 are gone: {first.id}"),
        (relabelled, rf"the ratings of 1 changed: {first.id} \({was}\)"),
        (longer, rf"cuts of 1 changed: {first.id} \(none, now 0\.125\)"),
        ([*fewer, first], "another order"),
    ):
        with pytest.raises(ValueError, match=f"000: this pack was begun on other data.*{named}"):
            check(changed)
    shutil.copytree(tmp_path / "corpus", tmp_path / "elsewhere")
    check(read(replace(config, data_dir=str(tmp_path / "elsewhere")), tmp_path))
    if modality == "lexical":
        return
    sound = first.wav.read_bytes()
    size = f"{len(sound):,}"
    for content, named in (
        (sound + b"x", f"{size} bytes long, now {len(sound) + 1:,}"),
        (sound[:-1] + bytes([sound[-1] ^ 1]), f"other content, {size} bytes as before"),
    ):
        first.wav.write_bytes(content)
        with pytest.raises(ValueError, match=f"files of 1 changed: {first.id} \\(.*{named}"):
            check(utterances)

    (record,) = (tmp_path / "data").glob("*.gz")
    record.write_bytes(b"")
    with pytest.raises(ValueError, match=rf"cannot be said: {record} is not as it was written"):
        check(utterances)
