"""Which packs are laid out alike, and whether the data is still that of a table."""

from dataclasses import replace

import pytest

from experiments.config.settings import FIELDS, Config
from experiments.run.load_data import (
    check_finished,
    load,
    preparable,
    prepare_inputs,
    read,
    same_data,
)
from privrep.inputs import cache as prepared
from tests.support.corpora_on_disk import write_msp_improv


class Watched:
    """A config that remembers which of its fields were read."""

    def __init__(self, config):
        self.config, self.names = config, {"private"}  # as a list of attributes

    def __getattr__(self, name):
        self.names.add(name)
        return getattr(self.config, name)


def test_it_depends_on_all_that_is_read_for_it_and_on_nothing_else(tmp_path):
    write_msp_improv(tmp_path / "corpus", utterances_per_speaker=2)
    given = {"data_dir": str(tmp_path / "corpus"), "max_seconds": 0.3, "mel_high_hz": 4000.0}
    config = Config(dataset="msp_improv", modality="multimodal", **given)
    watched = Watched(config)
    utterances = preparable(read(watched, tmp_path))
    load(watched, prepare_inputs(watched, utterances, tmp_path, progress=False))
    read_for_it = watched.names & {*FIELDS}
    assert {"dataset", "task", "bins", "num_mel_bands", "word_vectors"} <= read_for_it
    for name in FIELDS:
        value = getattr(config, name)
        other = value + 1 if isinstance(value, int | float) else f"another {name}"
        changed = replace(config, **{name: "acoustic" if name == "modality" else other})
        assert same_data(config, changed) == (name not in read_for_it), name


@pytest.mark.parametrize("modality", ["acoustic", "lexical", "multimodal"])
def test_a_table_of_other_data_is_told_without_preparing_any(tmp_path, monkeypatch, modality):
    write_msp_improv(tmp_path / "corpus", utterances_per_speaker=2)
    config = Config("msp_improv", str(tmp_path / "corpus"), modality)
    utterances = read(config, tmp_path)
    made = prepare_inputs(config, preparable(utterances), tmp_path, progress=False).hash
    monkeypatch.setattr(prepared.cache_store, "read", None)
    rows = [{"pack": 0, "prepared_hash": made}]
    check_finished(rows, [config], [tmp_path / "000"], utterances)
    fewer = utterances[1:]
    first = utterances[0]
    relabelled = [replace(first, ratings={**first.ratings, "valence": 1.25}), *fewer]
    for changed in (fewer, relabelled):
        with pytest.raises(ValueError, match="000: this pack was begun on other data"):
            check_finished(rows, [config], [tmp_path / "000"], changed)
