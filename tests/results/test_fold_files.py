"""The folds of a result directory are written once, found damaged, and summed up by part."""

import numpy as np
import pytest

from experiments.results.fold_files import fold_parts, folds_lost, num_folds_in, write_folds
from privrep.inputs.fold_file import folds_of, read_folds
from privrep.inputs.folds import speaker_folds
from privrep.types import Utterance

UTTERANCES = [Utterance(f"u{i}", f"s{i // 2:02d}", session=f"d{i // 4}") for i in range(24)]


@pytest.fixture
def split():
    return speaker_folds(UTTERANCES, 3, seed=0)


def test_packs_of_the_same_folds_share_a_table(tmp_path, split):
    other = speaker_folds(UTTERANCES, 4, seed=0)
    for pack, of_pack in enumerate((split, split, other, split)):
        write_folds(tmp_path, pack, of_pack, UTTERANCES)
    assert sorted(path.name for path in tmp_path.glob("*.csv")) == ["folds.csv", "folds_002.csv"]
    assert num_folds_in(tmp_path) == 3 and not folds_lost(tmp_path)
    again, _ = folds_of(read_folds(tmp_path / "folds_002.csv"), UTTERANCES)
    np.testing.assert_array_equal(np.stack(again), np.stack(other))


def test_a_table_that_was_changed_is_removed_and_written_anew(tmp_path, split):
    write_folds(tmp_path, 0, split, UTTERANCES)
    path = tmp_path / "folds.csv"
    before = path.read_bytes()
    path.write_bytes(before.replace(b"train", b"test ", 1))
    with pytest.raises(ValueError, match=r"folds.csv is not as it was written: run experiments"):
        num_folds_in(tmp_path)
    assert folds_lost(tmp_path) and not path.exists() and folds_lost(tmp_path)
    write_folds(tmp_path, 0, split, UTTERANCES)
    assert path.read_bytes() == before and not folds_lost(tmp_path)


def test_the_parts_name_their_speakers_and_sessions(tmp_path, split):
    write_folds(tmp_path, 0, split, UTTERANCES)
    for part in fold_parts(tmp_path):
        rows = np.flatnonzero(getattr(split, part.part)[part.fold])
        assert part.utterances == len(rows)
        assert {*part.speakers} == {UTTERANCES[i].speaker for i in rows}
        assert {*part.sessions} == {UTTERANCES[i].session for i in rows}
    assert len(fold_parts(tmp_path)) == 9
