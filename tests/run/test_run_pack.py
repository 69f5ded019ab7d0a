"""Packs of runs on a corpus of words: what the test part may decide, and what company changes."""

import dataclasses

import numpy as np
import pytest

from experiments.config.sweep import expand
from experiments.run.load_data import Job, Loaded
from experiments.run.run_pack import run_pack
from experiments.run.train_pack import train_pack
from privrep.inputs.packing import PackingSettings, pack
from privrep.types import Corpus, Split, Utterance, ragged

pytestmark = pytest.mark.usefixtures("quickly_compiled", "few_permutations")

N, SPEAKERS, WORDS = 96, 12, 8
SPEAKER = np.arange(N) % SPEAKERS
K = np.arange(3)[:, None]
SPLIT = Split(
    train=SPEAKER[None] % 3 == (K + 2) % 3,
    val=SPEAKER[None] % 3 == (K + 1) % 3,
    test=SPEAKER[None] % 3 == K,
)
FLAGS = {
    **{"modality": "lexical", "task": "emotion", "private": "gender+speaker", "recipe": "paper"},
    **{"lambda_": "0,1,0.5", "word_size": "4", "gru_layers": "1", "gru_width": "4"},
    **{"dense_width": "4", "adversary_layers": "0", "batch_size": "16", "max_epochs": "3"},
    **{"patience": "3", "attackers": "linear", "membership": "off", "learning_rate": "0.02"},
}


def corpus(changed):
    """96 utterances of three words, with other labels and words where `changed`."""
    rng = np.random.default_rng(0)
    words = rng.integers(1, WORDS, (N, 3)).astype(np.int32)
    utterances = [
        Utterance(
            id=str(i),
            speaker=f"s{SPEAKER[i]:02d}",
            categories={"emotion": ("sad", "happy")[int(words[i].sum() % 2)]},
            private={"gender": ("female", "male")[SPEAKER[i] // 3 % 2]},
        )
        for i in range(N)
    ]
    for i in np.flatnonzero(changed):
        words[i] = words[i][::-1] % 3 + 1
        emotion = {"sad": "happy", "happy": "sad"}[utterances[i].categories["emotion"]]
        gender = {"female": "male", "male": "female"}[utterances[i].private["gender"]]
        utterances[i] = dataclasses.replace(
            utterances[i], categories={"emotion": emotion}, private={"gender": gender}
        )
    return utterances, words


def loaded_of(changed=()):
    """The corpus and its folds, as a pack gets them."""
    utterances, words = corpus(changed)
    packed = pack(
        utterances,
        Corpus(None, ragged(list(words)), None),
        SPLIT,
        PackingSettings(task="emotion", private=("gender", "speaker")),
        vocabulary_size=WORDS,
    )
    return Loaded(utterances, SPLIT, packed, "hash", "content", [], [], {})


def rows_of(runs, folder, changed=()):
    """{(lambda, fold): row of runs.csv} of the pack's runs, the controls left out."""
    (swept,) = expand(FLAGS)
    some = swept._replace(runs=tuple(swept.runs[i] for i in runs))
    rows = run_pack(Job(0, some, folder, ""), loaded_of(changed))
    return {(row["lambda"], row["fold"]): row for row in rows if not row["control"]}


def scores(row, *kinds):
    return {name: value for name, value in row.items() if name.startswith(kinds)}


def test_runs_depend_on_neither_the_test_part_nor_the_other_runs(tmp_path):
    rows = rows_of((0, 1), tmp_path / "plain")
    assert {*rows} == {(lambda_, fold) for lambda_ in (0, 1) for fold in range(3)}

    # Other words, emotions and genders in the test part of fold 0: its runs learn the same.
    changed = rows_of((0, 1), tmp_path / "changed", SPLIT.test[0])
    before_test = ("train_", "val_", "best_epoch")
    for lambda_ in (0, 1):
        plain, relabelled = rows[lambda_, 0], changed[lambda_, 0]
        assert {"val_gender_linear_uar", "train_emotion_uar"} <= {*scores(plain, *before_test)}
        np.testing.assert_equal(scores(plain, *before_test), scores(relabelled, *before_test))
        # Validation and test speakers are no classes of the speaker adversary: nothing to score.
        assert np.isnan(plain["val_speaker_adversary_uar"])
    assert any(scores(row, "test_") != scores(changed[key], "test_") for key, row in rows.items())

    # Other runs beside it, and another place among them.
    others = rows_of((2, 1), tmp_path / "others")
    for fold in range(3):
        np.testing.assert_equal(
            scores(rows[1, fold], *before_test, "test_", "h_rank"),
            scores(others[1, fold], *before_test, "test_", "h_rank"),
        )


def test_steps_decide_the_length_whatever_epochs_there_are(tmp_path, monkeypatch):
    """32 training rows are two steps an epoch, so that ten steps are five epochs and not three."""
    monkeypatch.setattr("experiments.run.train_pack._SECONDS_OF_PACE", 0.0)
    (swept,) = expand(FLAGS | {"lambda_": "0", "max_steps": "10", "patience": "9"})
    epochs, said = [], []
    job = Job(0, swept, tmp_path, "", lambda described: lambda epoch, scalars: epochs.append(epoch))
    job = job._replace(say=said.extend)
    trained = train_pack(job, loaded_of())
    assert set(trained.fits.epoch) == {5} and epochs == [1, 2, 3, 4, 5]
    memory, time = said  # each once, memory before the first epoch
    assert memory.startswith("3 networks of ") and "GB of memory" in memory
    assert "more to train 3 networks for up to 5 epochs, at the speed of the first" in time
    again = train_pack(job, loaded_of())  # it goes on from the end
    np.testing.assert_equal(again.history, trained.history)
    assert epochs[5:] == [1, 2, 3, 4, 5]
