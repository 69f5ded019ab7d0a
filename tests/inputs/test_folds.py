"""Tests of speaker-independent and official folds."""

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from privrep.inputs.folds import Needed, make_folds, official_folds, speaker_folds
from privrep.types import Split, Utterance


def corpus(speakers):
    """Utterances of `speakers`: (name, gender, session, number of utterances) rows."""
    return [
        Utterance(
            f"{name}-{session}-{i}",
            name,
            private={} if gender is None else {"gender": gender},
            session=session,
        )
        for name, gender, session, count in speakers
        for i in range(count)
    ]


def genders(women, men, count=10):
    women = [(f"f{i:02}", "female", None, count) for i in range(women)]
    return corpus(women + [(f"m{i:02}", "male", None, count) for i in range(men)])


def in_test(utterances, split, what):
    """For each fold, `what` of the test part's utterances, as a list."""
    return [[what(utterances[i]) for i in np.flatnonzero(part)] for part in split.test]


tables = st.lists(
    st.tuples(
        st.sampled_from([f"s{i}" for i in range(12)]),
        st.sampled_from(["female", "male", None]),
        st.sampled_from(["A", "B", "C", "D", "E", "F", "G", None]),
        st.integers(1, 6),
    ),
    min_size=3,
    max_size=25,
    unique_by=lambda row: (row[0], row[2]),
).filter(lambda table: len({row[0] for row in table}) >= 3)


@settings(deadline=None)
@given(tables, st.integers(3, 5), st.integers(0, 9), st.randoms(use_true_random=False))
def test_folds_of_any_speaker_table(table, num_folds, seed, random):
    utterances = corpus(table)
    num_folds = min(num_folds, len({u.speaker for u in utterances}))
    split = speaker_folds(utterances, num_folds, seed)
    speakers = np.array([u.speaker for u in utterances])

    parts = np.stack(split)
    assert (parts.shape, parts.dtype) == ((3, num_folds, len(utterances)), bool)
    np.testing.assert_array_equal(parts.sum(0), 1)  # in exactly one part of every fold
    np.testing.assert_array_equal(split.test.sum(0), 1)  # tested once over the folds
    np.testing.assert_array_equal(split.val.sum(0), 1)
    assert parts.any(-1).all()  # no part of any fold is empty
    for fold in range(num_folds):
        places = [{*speakers[part[fold]]} for part in split]
        assert sum(map(len, places)) == len({*speakers})  # no speaker in two parts

    np.testing.assert_array_equal(parts, np.stack(speaker_folds(utterances, num_folds, seed)))
    order = list(range(len(utterances)))
    random.shuffle(order)
    shuffled = speaker_folds([utterances[i] for i in order], num_folds, seed)
    np.testing.assert_array_equal(parts[..., order], np.stack(shuffled))


sizes = st.lists(st.integers(1, 200), min_size=5, max_size=8)


@settings(deadline=None, max_examples=30)
@given(sizes, sizes, st.integers(0, 1000))
def test_every_fold_has_women_and_men_if_there_are_enough_however_much_they_say(women, men, seed):
    rows = [("f", "female", women), ("m", "male", men)]
    rows = [
        (f"{f}{i}", gender, None, n) for f, gender, counts in rows for i, n in enumerate(counts)
    ]
    utterances = corpus(rows)
    split = speaker_folds(utterances, 5, seed)
    folds = in_test(utterances, split, lambda u: u.private["gender"])
    assert [{*fold} for fold in folds] == [{"female", "male"}] * 5


@pytest.mark.parametrize("seed", range(10))
def test_the_ten_speakers_of_emodb_make_five_even_folds_of_one_woman_and_one_man(seed):
    men, women = (49, 38, 55, 35, 56), (58, 43, 61, 69, 71)
    rows = [(f"m{i}", "male", None, n) for i, n in enumerate(men)]
    utterances = corpus(rows + [(f"f{i}", "female", None, n) for i, n in enumerate(women)])
    split = speaker_folds(utterances, 5, seed)
    for fold in in_test(utterances, split, lambda u: u.speaker):
        assert sorted(speaker[0] for speaker in {*fold}) == ["f", "m"]
    np.testing.assert_allclose(split.test.mean(1), 0.2, rtol=0.1)


@pytest.mark.parametrize("seed", range(10))
def test_speakers_are_dealt_evenly_and_not_their_utterances_alone(seed):
    utterances = corpus([(f"s{i:02}", None, None, 60 if i < 6 else 20) for i in range(24)])
    split = speaker_folds(utterances, 3, seed)
    for fold in in_test(utterances, split, lambda u: u.speaker):
        assert len({*fold}) in (7, 8, 9)
        assert 216 <= len(fold) <= 264


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    ("women", "men", "folds", "women_each", "men_each"),
    [
        (12, 12, 4, {3}, {3}),
        (12, 12, 5, {2, 3}, {2, 3}),
        (6, 6, 3, {2}, {2}),
        (10, 20, 5, {2}, {4}),
        (9, 19, 5, {1, 2}, {3, 4}),
        (43, 48, 5, {8, 9}, {9, 10}),
        (3, 17, 3, {1}, {5, 6}),
    ],
)
def test_every_fold_has_its_share_of_women_and_men(seed, women, men, folds, women_each, men_each):
    utterances = genders(women, men)
    split = speaker_folds(utterances, folds, seed)
    for fold in in_test(utterances, split, lambda u: u.speaker):
        assert len({s for s in fold if s[0] == "f"}) in women_each
        assert len({s for s in fold if s[0] == "m"}) in men_each


@pytest.mark.parametrize(("num_speakers", "seed"), [(300, 4), (600, 4), (600, 7)])
def test_folds_of_very_unequal_speakers_are_alike(num_speakers, seed):
    random = np.random.default_rng(0)
    counts = 5 + (random.pareto(1.2, num_speakers) * 20).astype(int).clip(0, 500)
    rows = [(f"{i:03}", ("female", "male")[i % 3 == 0], None, n) for i, n in enumerate(counts)]
    utterances = corpus(rows)
    split = speaker_folds(utterances, 5, seed)
    np.testing.assert_allclose(split.test.mean(1), 0.2, rtol=0.1)
    for gender in ("female", "male"):
        has_gender = np.array([u.private["gender"] == gender for u in utterances])
        share = (split.test & has_gender).sum(1) / has_gender.sum()
        np.testing.assert_allclose(share, 0.2, rtol=0.1)


@pytest.mark.parametrize("seed", range(5))
def test_every_fold_has_every_value_of_every_balanced_attribute(seed):
    corpus = [
        Utterance(
            id=f"{s}_{i}",
            speaker=f"s{s:02d}",
            private={"gender": ("f", "m")[s % 2], "accent": ("north", "south")[s // 2 % 2]},
        )
        for s in range(20)
        for i in range(5)
    ]
    split = make_folds(corpus, "5", seed, balance=("gender", "accent"))
    for test in split.test:
        held = [u.private for u, inside in zip(corpus, test) if inside]
        assert {p["gender"] for p in held} == {"f", "m"}
        assert {p["accent"] for p in held} == {"north", "south"}


def test_unknown_gender_is_no_obstacle():
    utterances = corpus([(f"s{i}", None, None, 4) for i in range(15)])
    np.testing.assert_array_equal(speaker_folds(utterances, 5, 0).test.sum(1), 12)


@pytest.mark.parametrize("seed", range(3))
def test_five_sessions_are_five_folds(seed):
    rows = [(f"{s}{g}", g, s, 20 + int(s)) for s in "12345" for g in ("female", "male")]
    utterances = corpus(rows)
    split = speaker_folds(utterances, 5, seed)
    assert sorted({*fold}.pop() for fold in in_test(utterances, split, lambda u: u.session)) == [
        *"12345"
    ]
    assert all(len({*fold}) == 1 for fold in in_test(utterances, split, lambda u: u.session))


def test_twelve_speakers_of_six_sessions_make_five_folds_that_keep_the_dyads():
    rows = [(f"{g}{s}", g, s, 30) for s in "123456" for g in ("female", "male")]
    utterances = corpus(rows)
    split = speaker_folds(utterances, 5, 0)
    sessions = [{*fold} for fold in in_test(utterances, split, lambda u: u.session)]
    assert sorted(map(len, sessions)) == [1, 1, 1, 1, 2]


@pytest.mark.parametrize("seed", range(3))
def test_no_fold_is_without_a_man_for_the_sake_of_evenness(seed):
    counts = {"A": (150, 0), "B": (174, 176), "C": (53, 4), "D": (44, 285), "E": (56, 13)}
    speakers = {"A": (2, 0), "B": (2, 2), "C": (1, 2), "D": (1, 3), "E": (1, 1)}
    rows = [
        (f"{gender}{session}{i}", gender, session, -(-counts[session][g] // speakers[session][g]))
        for session in counts
        for g, gender in enumerate(("female", "male"))
        for i in range(speakers[session][g])
    ]
    utterances = corpus(rows)
    split = speaker_folds(utterances, 4, seed)
    for fold in in_test(utterances, split, lambda u: u.private["gender"]):
        assert {*fold} == {"female", "male"}


def test_sessions_with_a_common_speaker_stay_together():
    rows = [(f"{g}{s}", g, s, 10) for s in "12345" for g in ("female", "male")]
    utterances = corpus([*rows, ("female1", "female", "6", 10), ("male6", "male", "6", 10)])
    split = speaker_folds(utterances, 3, 0)
    sessions = [{*fold} for fold in in_test(utterances, split, lambda u: u.session)]
    assert sum(map(len, sessions)) == 6  # no session is divided
    assert any({"1", "6"} <= together for together in sessions)


def test_sessions_that_cannot_be_folds_give_way_to_speakers():
    few = corpus([(f"s{i}", None, "AB"[i % 2], 10) for i in range(6)])
    np.testing.assert_array_equal(speaker_folds(few, 3, 0).test.sum(1), 20)
    # Guest to guest, one host ties 90 % of the episodes together.
    tied = corpus(
        [("host", None, f"e{i}", 1) for i in range(9)]
        + [(f"guest{i}", None, f"e{i}", 10) for i in range(9)]
        + [(f"other{i}", None, f"o{i}", 3) for i in range(4)]
    )
    split = speaker_folds(tied, 3, 0)
    np.testing.assert_allclose(split.test.mean(1), 1 / 3, atol=0.06)


def test_another_seed_deals_out_differently():
    utterances = genders(6, 6)
    dealt = set()
    for seed in range(5):
        shares = in_test(utterances, speaker_folds(utterances, 3, seed), lambda u: u.speaker)
        dealt.add(frozenset(map(frozenset, shares)))
    assert len(dealt) > 1


def test_official_folds_are_the_corpus_own():
    utterances = [Utterance(p, f"s{i}", split=p) for i, p in enumerate(["test", "train", "val"])]
    expected = Split([[False, True, False]], [[False, False, True]], [[True, False, False]])
    for split in (official_folds(utterances), make_folds(utterances, "official", 0)):
        np.testing.assert_array_equal(np.stack(split), np.stack(expected))


def test_a_number_makes_speaker_folds():
    utterances = genders(4, 4)
    expected = speaker_folds(utterances, 4, 7)
    np.testing.assert_array_equal(np.stack(make_folds(utterances, "4", 7)), np.stack(expected))


@pytest.mark.parametrize("folds", ["session", "", "-5", "5.0"])
def test_unknown_folds_name_the_forms(folds):
    with pytest.raises(ValueError, match=r"choose official .* or the number of"):
        make_folds(genders(4, 4), folds, 0)


@pytest.mark.parametrize(
    ("utterances", "folds", "message"),
    [
        (genders(4, 4), "2", "at least 3"),
        (genders(2, 2), "5", "4 speakers cannot make 5"),
        ([], "5", "0 speakers cannot make 5"),
        (
            [*genders(4, 4), Utterance("x", None), Utterance("y", None)],
            "5",
            "2 of 82 utterances have no known speaker, the first is x",
        ),
        (
            [Utterance("a", "s", split="train"), Utterance("b", "s")],
            "official",
            r"1 of 2 utterances are in none of .* train, val, test .* b \(no split\)",
        ),
        (
            [Utterance("a", "s", split="Development")],
            "official",
            r"the first is a \(Development\)",
        ),
    ],
)
def test_folds_that_cannot_be(utterances, folds, message):
    with pytest.raises(ValueError, match=message):
        make_folds(utterances, folds, 0)


def needed(utterances, task="emotion", speakers=1):
    classes = sorted({u.categories[task] for u in utterances})
    codes = np.array([classes.index(u.categories[task]) for u in utterances])
    return Needed(task, classes, codes, speakers, "take others: --classes={enough}")


def of_one_emotion(*counts):
    """Speakers of one emotion each: as many as `counts` of each, every second a woman."""
    emotions = [name for name, count in zip("abcdefgh", counts) for _ in range(count)]
    return [
        Utterance(
            f"{s}-{i}",
            f"s{s:02}",
            private={"gender": ("female", "male")[s % 2]},
            categories={"emotion": emotion},
        )
        for s, emotion in enumerate(emotions)
        for i in range(6)
    ]


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize(
    ("counts", "folds"), [((3, 3, 3, 3), 3), ((4, 5, 30), 4), ((5, 5, 5, 5, 5, 6, 7), 5)]
)
def test_every_part_has_every_class_of_the_task_and_both_genders(counts, folds, seed):
    utterances = of_one_emotion(*counts)
    genders = np.array([u.private["gender"] == "male" for u in utterances]).astype(int)
    wanted = [needed(utterances), Needed("gender", ["female", "male"], genders, 2)]
    split = speaker_folds(utterances, folds, seed, needed=wanted)
    for part in np.concatenate(split):
        held = [u for u, inside in zip(utterances, part) if inside]
        assert {u.categories["emotion"] for u in held} == set("abcdefgh"[: len(counts)])
        assert {u.private["gender"] for u in held} == {"female", "male"}
    for train in split.train:
        women = {
            u.speaker
            for u, inside in zip(utterances, train)
            if inside and not int(u.speaker[1:]) % 2
        }
        assert len(women) > 1


@pytest.mark.parametrize("seed", range(5))
def test_folds_that_have_every_class_are_those_without_the_need(seed):
    utterances = [
        Utterance(f"{u.id}", u.speaker, private=u.private, categories={"emotion": "ab"[i % 2]})
        for i, u in enumerate(genders(8, 12))
    ]
    split = speaker_folds(utterances, 4, seed, needed=[needed(utterances)])
    np.testing.assert_array_equal(np.stack(split), np.stack(speaker_folds(utterances, 4, seed)))


def test_classes_of_too_few_speakers_are_named_with_the_most_folds_that_work():
    utterances = of_one_emotion(4, 12, 3, 9)
    with pytest.raises(ValueError) as error:
        speaker_folds(utterances, 5, 0, needed=[needed(utterances)])
    message = str(error.value)
    assert "emotion a has 4 speakers, emotion c has 3 speakers" in message
    assert "--folds=3, the most that work" in message and "--classes=b,d" in message
    utterances = of_one_emotion(12, 2, 9)
    with pytest.raises(ValueError, match=r"b has 2 speakers.*No number of folds works: take.*=a,c"):
        speaker_folds(utterances, 3, 0, needed=[needed(utterances)])


def test_classes_that_are_too_rare_together_are_named():
    """Three speakers of two classes each, so that no share of three can have all three classes."""
    both = {"x": "ab", "y": "bc", "z": "ac"}
    utterances = [
        Utterance(f"{s}{i}", s, categories={"emotion": c})
        for s in both
        for i, c in enumerate(both[s] * 3)
    ] + [Utterance(f"w{i}", "w", categories={"emotion": c}) for i, c in enumerate("abcc")]
    with pytest.raises(ValueError, match=r"no division of the speakers.*a has 3 speakers"):
        speaker_folds(utterances, 3, 0, needed=[needed(utterances)])


def test_an_exact_division_is_found_where_one_exists():
    """16 speakers of two classes in four: the shares are pairs, of which few deals are complete."""
    rng = np.random.default_rng(3)
    pairs = [("ab", "cd"), ("ac", "bd"), ("ad", "bc")] * 4
    speakers = [half for pair in pairs for half in pair]
    rng.shuffle(speakers)
    utterances = [
        Utterance(f"{s}{c}", f"s{s:02}", categories={"emotion": c})
        for s, pair in enumerate(speakers)
        for c in pair
    ]
    split = speaker_folds(utterances, 12, 0, needed=[needed(utterances)])
    for test in in_test(utterances, split, lambda u: u.categories["emotion"]):
        assert {*test} == {*"abcd"}
