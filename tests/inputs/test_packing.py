"""Tests of packing: nothing of a training part depends on test utterances."""

import dataclasses

import numpy as np
import pytest

from privrep.inputs.packing import PackingSettings, pack
from privrep.types import Corpus, Split, Utterance, ragged

N, SPEAKERS, VOCABULARY = 60, 12, 20


def corpus(seed=0):
    """60 utterances of 12 speakers, one after another; frames [T, 3], words below 20."""
    rng = np.random.default_rng(seed)
    utterances = [
        Utterance(
            id=f"u{i}",
            speaker=f"s{i % SPEAKERS:02d}",
            ratings={"activation": float(rng.uniform(1, 5))},
            scale=(1.0, 5.0),
            categories={"emotion": ("sad", "happy")[i // SPEAKERS % 2]},
            private={"gender": ("female", "male")[i % 2]},
        )
        for i in range(N)
    ]
    frames = [rng.normal(i % 5, 1 + i % 3, (5 + i % 40, 3)).astype(np.float16) for i in range(N)]
    words = [rng.integers(0, VOCABULARY, 1 + i % 7).astype(np.int32) for i in range(N)]
    return utterances, frames, words


def folds(num_folds=3):
    share = np.arange(N) % SPEAKERS % num_folds
    k = np.arange(num_folds)[:, None]
    test, val = share == k, share == (k + 1) % num_folds
    return Split(~(test | val), val, test)


def packed(data, split, **settings):
    utterances, frames, words = data
    settings = {"task": "activation", "private": ("gender", "speaker")} | settings
    vectors = settings.pop("word_vectors", None)
    corpus = Corpus(ragged(frames), ragged(words), vectors)
    return pack(utterances, corpus, split, PackingSettings(**settings), VOCABULARY)


def changed(data, where):
    """The same corpus, with other ratings, genders, frames and words in the utterances `where`."""
    others, other_frames, other_words = corpus(seed=1)
    utterances = [
        dataclasses.replace(u, ratings=o.ratings, private={"gender": "female"}) if w else u
        for u, o, w in zip(data[0], others, where)
    ]
    frames = [o.astype(np.float16) if w else f for f, o, w in zip(data[1], other_frames, where)]
    words = [o % 3 if w else old for old, o, w in zip(data[2], other_words, where)]
    return utterances, frames, words


@pytest.mark.parametrize("normalise", ["speaker", "train", "none"])
@pytest.mark.parametrize("bins", ["midpoint", "tertiles", "continuous"])
def test_nothing_of_the_training_side_depends_on_test_utterances(normalise, bins):
    data, split = corpus(), folds()
    settings = {"normalise": normalise, "bins": bins}
    before = packed(data, split, **settings)
    for k in range(3):
        after = packed(changed(data, split.test[k]), split, **settings)
        original, other = before.data.folds, after.data.folds
        seen = split.train[k] | split.val[k]
        np.testing.assert_array_equal(original.task[k][seen], other.task[k][seen])
        np.testing.assert_array_equal(original.task_weights[k], other.task_weights[k])
        if bins == "continuous":
            np.testing.assert_array_equal(original.target[k][seen], other.target[k][seen])
        for a in ("gender", "speaker"):
            np.testing.assert_array_equal(original.private[a][k][seen], other.private[a][k][seen])
            np.testing.assert_array_equal(
                original.private_weights[a][k], other.private_weights[a][k]
            )
        np.testing.assert_array_equal(original.val_blocks[k], other.val_blocks[k])
        for name, array in original.inputs._asdict().items():
            if array is not None:
                np.testing.assert_array_equal(array[k], getattr(other.inputs, name)[k], name)
        frames, others = before.data.corpus.frames, after.data.corpus.frames
        for i in np.flatnonzero(seen):
            rows = slice(frames.start[i], frames.start[i] + frames.length[i])
            np.testing.assert_array_equal(frames.values[rows], others.values[rows])
        tested = slice(*(frames.start[np.flatnonzero(split.test[k])[0]] + [0, 5]))
        assert (frames.values[tested] != others.values[tested]).any()  # something was changed


def test_training_frames_have_mean_0_and_deviation_1():
    data, split = corpus(), folds()
    result = packed(data, split, normalise="train").data
    for k in range(3):
        rows = np.concatenate([data[1][i] for i in np.flatnonzero(split.train[k])])
        inputs = result.folds.inputs
        z = (rows.astype(np.float64) - inputs.frame_mean[k]) * inputs.frame_scale[k]
        np.testing.assert_allclose(z.mean(0), 0, atol=1e-4)
        np.testing.assert_allclose(z.std(0), 1, atol=1e-4)
    assert packed(data, split, normalise="none").data.folds.inputs.frame_mean is None
    per_speaker = packed(data, split, normalise="speaker").data
    assert per_speaker.folds.inputs.frame_mean is None
    frames = per_speaker.corpus.frames
    rows = [
        frames.values[s : s + n]
        for s, n, u in zip(frames.start, frames.length, data[0])
        if u.speaker == "s03"
    ]
    np.testing.assert_allclose(np.concatenate(rows).astype(float).mean(0), 0, atol=1e-3)


def test_words_are_numbered_by_the_training_part():
    utterances, frames, words = corpus()
    words = [w % 10 + (10 if i % SPEAKERS == 4 else 0) for i, w in enumerate(words)]
    split = folds()
    result = packed((utterances, frames, words), split)
    index = result.data.folds.inputs.word_index
    for k in range(3):
        trained = {0} | {int(w) for i in np.flatnonzero(split.train[k]) for w in words[i]}
        assert index[k].dtype == np.int32 and index[k][0] == 0
        for word in range(VOCABULARY):
            assert (index[k][word] > 0) == (word in trained and word > 0)
        assert sorted(index[k][sorted(trained)]) == list(range(len(trained)))
    assert result.table_size == index.max() + 1
    ready = packed((utterances, frames, words), split, word_vectors=np.ones((VOCABULARY, 4)))
    assert ready.data.folds.inputs.word_index is None and ready.table_size == 0


def test_labels_of_attributes_and_of_the_task():
    data, split = corpus(), folds()
    result = packed(data, split, task="emotion")
    assert result.task_names == ("happy", "sad")
    assert result.private_names["gender"] == ("female", "male")
    speakers = np.arange(N) % SPEAKERS
    for k in range(3):
        codes = result.data.folds.private["speaker"][k]
        assert (codes[~split.train[k]] == -1).all()  # who does not train is nobody's class
        assert sorted(np.unique(codes[split.train[k]])) == list(range(4))
        np.testing.assert_array_equal(
            codes[split.train[k]] == codes[split.train[k]][0],
            (speakers == speakers[split.train[k]][0])[split.train[k]],
        )
    assert result.num_private == {"gender": 2, "speaker": 4}
    assert result.data.folds.private_weights["speaker"].shape == (3, 4)


def test_class_weights_even_the_training_part_or_are_1():
    data, split = corpus(), folds()
    folded = packed(data, split).data.folds
    for k in range(3):
        counts = np.bincount(folded.task[k][split.train[k]], minlength=3)
        np.testing.assert_allclose(counts * folded.task_weights[k], counts.sum() / 3, rtol=1e-5)
    plain = packed(data, split, class_weights="none").data.folds
    assert (plain.task_weights == 1).all() and (plain.private_weights["speaker"] == 1).all()


def test_a_regression_has_one_output_and_targets_in_units_of_its_training_part():
    data, split = corpus(), folds()
    data[0][7] = dataclasses.replace(data[0][7], ratings={"valence": 2.0})
    result = packed(data, split, bins="continuous")
    assert result.num_outputs == 1 and result.task_names == ("low", "mid", "high")
    target, ratings = result.data.folds.target, result.ratings
    assert target.dtype == np.float32 and np.isnan(target[:, 7]).all()
    for k in range(3):
        train = split.train[k] & ~np.isnan(target[k])
        np.testing.assert_allclose(
            [target[k][train].mean(), target[k][train].std()], [0, 1], atol=1e-5
        )
        rating = target[k] * ratings.deviation[k] + ratings.mean[k]
        expected = [u.ratings.get("activation", np.nan) for u in data[0]]
        np.testing.assert_allclose(rating, expected, rtol=1e-5)
    classes = packed(data, split)
    assert (
        classes.num_outputs == 3 and classes.ratings is None and classes.data.folds.target is None
    )


@pytest.mark.parametrize("modalities", ["acoustic", "lexical", "multimodal"])
def test_blocks_hold_every_row_once_and_there_is_room_for_the_longest(modalities):
    utterances, frames, words = corpus()
    split = folds()
    result = pack(
        utterances,
        Corpus(
            ragged(frames) if modalities != "lexical" else None,
            ragged(words) if modalities != "acoustic" else None,
            None,
        ),
        split,
        PackingSettings("activation", ("gender",), block_size=8),
        vocabulary_size=VOCABULARY,
    )
    blocks = result.data.blocks
    assert blocks.dtype == np.int32 and blocks.shape[1] == 8
    np.testing.assert_array_equal(np.sort(blocks[blocks >= 0]), np.arange(N))
    for k in range(3):
        rows = result.data.folds.val_blocks[k]
        np.testing.assert_array_equal(np.sort(rows[rows >= 0]), np.flatnonzero(split.val[k]))
    leading = result.data.corpus.words if modalities == "lexical" else result.data.corpus.frames
    in_order = leading.length[blocks[blocks >= 0]]
    assert (np.diff(in_order) >= 0).all()  # a block is of like length
    for room, multiple, part in zip(result.longest, (16, 4), result.data.corpus[:2]):
        longest = 0 if part is None else part.length.max()
        assert longest <= room < longest + multiple and room % multiple == 0


@pytest.mark.parametrize("length, fill", [([9], 1), ([1, 2, 2, 9], 0.5), ([1, 1, 1, 17], 0.375)])
def test_fill_is_the_mean_length_over_the_longest(length, fill):
    utterances, _, words = corpus()
    words = [np.ones(length[i % len(length)], np.int32) for i in range(N)]
    settings = PackingSettings("activation", ("gender",))
    corpora = Corpus(None, ragged(words), None)
    assert pack(utterances, corpora, folds(), settings, VOCABULARY).fill == fill


def test_unknown_names_list_the_valid_ones():
    data, split = corpus(), folds()
    for settings, message in [
        ({"normalise": "spkr"}, "unknown normalise 'spkr': choose one of speaker, train, none"),
        ({"class_weights": "even"}, "unknown class_weights 'even': choose one of balanced, none"),
        ({"task": "arousal"}, "no task 'arousal'.*activation"),
        ({"private": ("age",)}, "no private attribute 'age'.*gender"),
    ]:
        with pytest.raises(ValueError, match=message):
            packed(data, split, **settings)
