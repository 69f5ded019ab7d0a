"""Columns about all folds together: right for representations whose content is known."""

import dataclasses
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest

from experiments.results.columns import column_of
from experiments.run.controls import principal, raw_features
from experiments.run.pooled_scores import _Shown, others, pooled
from experiments.run.target_groups import groups_of
from privrep.leakage.subsample import draw_evenly
from privrep.statistics.confidence import interval
from privrep.statistics.paired_comparison import compare
from privrep.statistics.uar import confusion_counts
from privrep.types import Corpus, Split, Utterance, ragged
from tests.support.attack_targets import columns_of, logits_of, target_of

FOLDS, SPEAKERS, EACH = 4, 32, 8


@pytest.fixture(scope="module")
def loaded():
    """Half of the women's emotions are of a kind that men do not show; accents go by threes."""
    rng = np.random.default_rng(0)
    speaker = np.repeat(np.arange(SPEAKERS), EACH)
    gender = speaker % 2
    emotion = np.where(rng.random(len(speaker)) < 0.6, gender, rng.integers(0, 2, len(speaker)))
    utterances = [
        Utterance(
            id=f"u{i}",
            speaker=f"s{s:02d}",
            private={"gender": "fm"[s % 2], "accent": "abc"[s // 2 % 3], "wave": f"{i}"},
        )
        for i, s in enumerate(speaker)
    ]
    fold = speaker // 2 % FOLDS
    rotation = np.stack([(fold - k) % FOLDS for k in range(FOLDS)])
    split = Split(train=rotation >= 2, val=rotation == 1, test=rotation == 0)
    folds = SimpleNamespace(
        split=split,
        task=np.tile(emotion, (FOLDS, 1)).astype(np.int32),
        private={"gender": np.tile(gender, (FOLDS, 1)).astype(np.int32)},
    )
    packed = SimpleNamespace(data=SimpleNamespace(folds=folds))
    return SimpleNamespace(utterances=utterances, packed=packed, emotion=emotion, gender=gender)


def settings_of(lambdas, seeds=(0,)):
    return [
        {"task": "t", "lambda": lambda_, "seed": seed, "fold": fold}
        for lambda_ in lambdas
        for seed in seeds
        for fold in range(FOLDS)
    ]


@pytest.fixture(scope="module")
def columns(loaded):
    """lambda 0: h tells gender itself; lambda 1: emotion only, which is guessed by chance."""
    rng = np.random.default_rng(1)
    targets, emotions = [], []
    for row in settings_of((0.0, 1.0)):
        h = rng.normal(size=(len(loaded.gender), 5)).astype(np.float32)
        h[:, 0] += 4 * loaded.emotion
        if row["lambda"] == 0:
            h[:, 1] += 4 * loaded.gender
        noise = rng.integers(0, 2, len(loaded.gender))
        emotions.append(loaded.emotion if row["lambda"] == 0 else noise)
        targets.append(target_of(row, h, logits_of(emotions[-1], 2)))
    return columns_of(pooled(targets, loaded, ["gender"])), emotions


def test_what_only_emotion_tells_is_told_from_what_is_gender_itself(columns):
    values, _ = columns
    assert values["gender_pooled_verdict"] == ["leaks"] * 2 * FOLDS
    given = values["gender_given_emotion_verdict"]
    assert given[:FOLDS] == ["leaks"] * FOLDS and "leaks" not in given[FOLDS:]
    assert len({*values["gender_from_emotion_uar"]}) == 1
    assert values["gender_from_emotion_uar"][0] > 0.7


def test_the_strongest_attacker_is_named_and_what_it_knows(columns):
    cells, _ = columns
    for row in range(2 * FOLDS):
        uars = {kind: cells[f"gender_pooled_{kind}_uar"][row] for kind in ("seen", "own")}
        strongest = cells["gender_pooled_attacker"][row]
        assert strongest in ("seen linear", "seen kernel", "own linear", "own kernel")
        assert uars[strongest.split()[0]] == cells["gender_pooled_uar"][row] == max(uars.values())
        assert cells["gender_pooled_upper"][row] >= max(uars.values())
    assert {*cells["accent_pooled_attacker"]} <= {"seen linear", "own linear"}
    assert "gender_pooled_beyond_sessions_uar" not in cells


def test_sessions_of_the_corpus_bring_columns_of_their_own_unless_one_is_unknown(
    loaded, monkeypatch
):
    """Rooms of two women or two men each, and h tells the room."""
    monkeypatch.setattr("experiments.run.pooled_scores.others", lambda *_: {})
    rng = np.random.default_rng(3)
    speaker = np.repeat(np.arange(SPEAKERS), EACH)
    room = speaker // 4 * 2 + speaker % 2
    named = [dataclasses.replace(u, session=f"r{r}") for u, r in zip(loaded.utterances, room)]
    targets = [
        target_of(
            settings, (rng.normal(size=(len(room), 4)) + 9 * rng.normal(size=(16, 4))[room]), None
        )
        for settings in settings_of((0.0,))
    ]
    in_rooms = SimpleNamespace(**vars(loaded) | {"utterances": named})
    in_rooms.packed = _whole_rooms(loaded.packed, room)
    cells = pooled(targets, in_rooms, ["gender"])[0]
    assert cells["gender_pooled_verdict"] == "leaks"
    assert cells["gender_pooled_attacker"].startswith("own ")
    assert cells["gender_pooled_beyond_sessions_verdict"] != "leaks"
    in_rooms.utterances = [*named[:-1], dataclasses.replace(named[-1], session=None)]
    assert not any("beyond_sessions" in name for name in pooled(targets, in_rooms, ["gender"])[0])


def _whole_rooms(packed, room):
    """The packed corpus with folds that divide no room."""
    share = room // 2 % FOLDS
    rotation = np.stack([(share - k) % FOLDS for k in range(FOLDS)])
    split = Split(train=rotation >= 2, val=rotation == 1, test=rotation == 0)
    folds = SimpleNamespace(**vars(packed.data.folds) | {"split": split})
    return SimpleNamespace(data=SimpleNamespace(folds=folds))


def test_a_number_that_was_put_in_bins_is_correlated_beside_them(loaded):
    """h holds the age of every speaker at lambda 0 and nothing at lambda 1."""
    rng = np.random.default_rng(3)
    who = np.repeat(np.arange(SPEAKERS), EACH)
    age = rng.permutation(np.linspace(20, 70, SPEAKERS))[who]
    with_age = [
        dataclasses.replace(u, private={"age": str(int(a > 45))}, numbers={"age": a})
        for u, a in zip(loaded.utterances, age)
    ]
    folds = SimpleNamespace(
        split=loaded.packed.data.folds.split,
        task=loaded.packed.data.folds.task,
        private={"age": np.tile(age > 45, (FOLDS, 1)).astype(np.int32)},
    )
    packed = SimpleNamespace(data=SimpleNamespace(folds=folds))
    aged = SimpleNamespace(utterances=with_age, packed=packed)
    targets = []
    for row in settings_of((0.0, 1.0)):
        h = rng.normal(size=(len(age), 3)).astype(np.float32)
        h[:, 0] += (row["lambda"] == 0) * (age - 45) / 5
        targets.append(target_of(row, h, logits_of(loaded.emotion, 2)))
    values = columns_of(pooled(targets, aged, ["age"]))
    assert values["age_number_verdict"][:FOLDS] == ["leaks"] * FOLDS
    assert values["age_number_correlation"][0] > 0.9
    assert values["age_number_verdict"][FOLDS] != "leaks"
    for lower, r, upper in zip(
        *(values[f"age_number_{n}"] for n in ("lower", "correlation", "upper"))
    ):
        assert lower <= r <= abs(r) <= upper
    assert all(column_of(name) for name in values if name.startswith("age_number"))


def test_settings_are_compared_over_speakers(columns, loaded):
    values, emotions = columns
    change = values["gender_change_difference"]
    assert change[:FOLDS] == [None] * FOLDS
    uar_at_zero, uar_at_one = (values["gender_pooled_uar"][i] for i in (0, FOLDS))
    assert change[FOLDS] == pytest.approx(uar_at_one - uar_at_zero)
    assert values["gender_change_p"][FOLDS] < 0.01 and values["gender_change_upper"][FOLDS] < 0
    who, test = np.repeat(np.arange(SPEAKERS), EACH), loaded.packed.data.folds.split.test
    guessed = np.select(list(test), emotions[FOLDS:])
    counts = confusion_counts(guessed, loaded.emotion, who, 2)
    expected = interval(counts)
    for name in ("lower", "upper"):
        column = values[f"emotion_pooled_{name}"]
        assert column[FOLDS] == pytest.approx(getattr(expected, name))
        assert column[:FOLDS] == [1.0] * FOLDS
    right = confusion_counts(loaded.emotion, loaded.emotion, who, 2)
    assert values["emotion_change_p"][-1] == compare(counts, right).p


def test_emotion_of_women_and_of_men_is_told_apart(columns, loaded):
    values, emotions = columns
    who = np.repeat(np.arange(SPEAKERS), EACH)
    guessed = np.select(list(loaded.packed.data.folds.split.test), emotions[FOLDS:])
    for code, value in enumerate("fm"):
        of = loaded.gender == code
        people = np.unique(who[of], return_inverse=True)[1]
        expected = interval(confusion_counts(guessed[of], loaded.emotion[of], people, 2))
        for name, number in zip(("uar", "lower", "upper"), expected):
            column = values[f"emotion_among_gender={value}_{name}"]
            assert column[FOLDS] == pytest.approx(number)
    assert values["emotion_among_gender=f_uar"][:FOLDS] == [1.0] * FOLDS


def test_other_attributes_are_measured_too(columns, loaded):
    values, _ = columns
    assert {*others(loaded, ["gender"])} == {"accent", "speaker"}  # of "wave" each has his own
    assert "leaks" not in values["accent_pooled_verdict"]
    assert values["speaker_pooled_verdict"][0] in ("leaks", "cannot_tell", "no_leak_shown")
    assert "accent_given_emotion_verdict" not in values


def test_of_a_large_corpus_as_many_utterances_of_each_speaker_are_met(loaded, monkeypatch):
    """What is not drawn is never looked at; of whom there is little, all is."""
    monkeypatch.setattr("experiments.run.pooled_scores.MAX_UTTERANCES", SPEAKERS * EACH // 2)
    monkeypatch.setattr("experiments.run.pooled_scores.draw_evenly", partial(draw_evenly, least=1))
    rng = np.random.default_rng(2)
    speakers = np.array([u.speaker for u in loaded.utterances])
    shown = _Shown(loaded).index
    assert (np.unique(speakers[shown], return_counts=True)[1] == EACH // 2).all()
    settings = settings_of((0.0,))
    h = [rng.normal(size=(len(loaded.gender), 3)).astype(np.float32) for _ in settings]
    for h_of_fold in h:
        h_of_fold[shown, 1] += 4 * loaded.gender[shown]
        h_of_fold[:, 2] += rng.normal(size=SPEAKERS)[np.repeat(np.arange(SPEAKERS), EACH)]
    logits = logits_of(loaded.emotion, 2)
    targets = [target_of(row, h_of_fold, logits) for row, h_of_fold in zip(settings, h)]
    first = pooled(targets, loaded, ["gender"])
    assert first[0]["gender_pooled_verdict"] == "leaks"
    passed = np.setdiff1d(np.arange(len(loaded.gender)), shown)
    for h_of_fold in h:
        h_of_fold[passed] = rng.normal(size=(len(passed), 3))
    assert pooled(targets, loaded, ["gender"]) == first


def test_a_setting_that_lacks_a_fold_or_diverged_says_nothing(loaded):
    settings = settings_of((0.0, 1.0, 2.0))
    h = [np.zeros((len(loaded.gender), 2))] * len(settings)
    h[2] = h[2] * np.nan
    h[5] = None
    targets = [target_of(row, h_of_fold) for row, h_of_fold in zip(settings, h)]
    targets += [target_of(row, h[0], control="raw") for row in settings_of((None,))]
    numbers = [group.numbers for group in groups_of(targets, FOLDS)]
    assert numbers == [(8, 9, 10, 11), (12, 13, 14, 15)]
    assert groups_of(targets[:3], FOLDS) == []


def test_raw_features_are_means_and_deviations_over_time():
    rng = np.random.default_rng(0)
    frames = [rng.normal(size=(n, 3)).astype(np.float32) for n in (4, 1, 9)]
    vectors = rng.normal(size=(5, 2)).astype(np.float32)
    words = [np.array(w, np.int32) for w in ([0, 3], [], [4, 4, 1])]
    features = raw_features(Corpus(ragged(frames), ragged(words), vectors))
    assert features.shape == (3, 8) and features.dtype == np.float32
    np.testing.assert_allclose(features[2, :3], frames[2].mean(0), rtol=1e-5)
    np.testing.assert_allclose(features[2, 3:6], frames[2].std(0), rtol=1e-5)
    np.testing.assert_allclose(features[0, 6:], vectors[[0, 3]].mean(0), rtol=1e-5)
    assert (features[1, 3:] == 0).all()  # one frame has no deviation, no word no mean
    assert raw_features(Corpus(None, ragged(words), None)) is None
    ready = raw_features(Corpus(None, ragged(frames), None))
    np.testing.assert_allclose(ready[0], frames[0].mean(0), rtol=1e-5)


def test_raw_features_are_brought_to_the_width_of_h():
    rng = np.random.default_rng(0)
    x = (rng.normal(size=(50, 2)) @ rng.normal(size=(2, 6))).astype(np.float32)
    np.testing.assert_array_equal(principal(x, 8), np.pad(x, ((0, 0), (0, 2))))
    two = principal(x, 2)
    scaled = (x - x.mean(0)) / x.std(0)
    np.testing.assert_allclose(two @ two.T, scaled @ scaled.T, atol=1e-3)  # x has rank 2
