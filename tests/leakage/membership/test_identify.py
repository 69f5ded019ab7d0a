"""Membership identification detects how a network treats its training speakers, and no more."""

import numpy as np
import pytest

from experiments.simulations.membership_worlds import SIZE, world
from privrep.leakage.membership.games import MEMBER, OTHER, drawn_utterances, games
from privrep.leakage.membership.identify import changed, identify
from privrep.types import InferenceSettings, Split

QUICK = 5  # draws


def identified(seed, networks, draws=QUICK):
    settings = InferenceSettings(permutations=39, seed=seed)
    return identify(networks, draws=draws, settings=settings)


def test_a_network_that_shifts_its_members_gives_them_away():
    for kind in ({"shift": 1.5}, {"stretch": 0.6}):
        membership = identified(0, world(0, 40, **kind))
        assert membership["h"].verdict == membership["labels"].verdict == "leaks"
        assert membership["h"].auc > 0.7 and membership["h"].accuracy > 0.6
        assert abs(membership["h"].shuffled - 0.5) < 0.05
        assert membership["h"].lower <= membership["h"].auc <= membership["h"].upper


def test_only_who_has_labels_finds_what_is_in_the_loss_alone():
    membership = identified(0, world(1, 40, loss=0.5))
    assert membership["h"].verdict != "leaks" and membership["labels"].verdict == "leaks"
    aucs = membership["labels"].aucs
    # To know how hard a speaker is for other networks is worth much.
    assert aucs["reference"] > 0.9 > aucs["loss"] > 0.6
    assert membership["labels"].attacker == "reference"


def test_false_alarms_are_rare_and_the_mean_is_chance():
    memberships = [identified(seed, world(100 + seed)) for seed in range(30)]
    for known in ("h", "labels"):
        alarms = sum(membership[known].verdict == "leaks" for membership in memberships)
        assert alarms <= 4  # of 30 at 5 %: 5 or more in 1.6 % of trials
    of_h = [membership["h"].auc for membership in memberships]
    of_loss = [membership["labels"].aucs["loss"] for membership in memberships]
    assert abs(np.mean(of_h) - 0.5) < 0.03 and abs(np.mean(of_loss) - 0.5) < 0.03


def test_ten_speakers_cannot_tell():
    verdicts = [identified(0, world(seed, 10))["h"].verdict for seed in range(5)]
    assert verdicts.count("cannot_tell") >= 4 and "no_leak_shown" not in verdicts


def test_a_room_that_test_speakers_share_is_no_membership():
    shared = world(2, 10, pairs=True)
    membership = identify(shared)["h"]
    assert membership.auc > 0.8 and membership.shuffled > 0.8
    assert membership.verdict == "cannot_tell"
    assert identify(shared._replace(session=None))["h"].verdict == "leaks"


def test_a_test_part_of_other_composition_is_matched():
    """One official split, men trained on and women tested with few exceptions."""
    networks = world(3, 60)
    gender, who = networks.kind, networks.speaker
    rng = np.random.default_rng(0)
    tested = (rng.random(60) < np.where(np.arange(60) % 2, 0.7, 0.3))[who]
    split = Split(train=~tested[None], val=np.zeros((1, len(who)), bool), test=tested[None])
    h = networks.h[:1] + 5 * gender[None, :, None]
    official = networks._replace(split=split, h=h, losses=networks.losses[:1])
    assert identified(0, official)["h"].verdict != "leaks"
    assert identified(0, official._replace(kind=None))["h"].auc > 0.6
    assert "reference" not in identified(0, official)["labels"].aucs  # there is no other fold


def test_the_order_of_utterances_names_and_units_change_nothing():
    networks = world(4, stretch=0.3)
    membership = identified(0, networks)
    order = np.random.default_rng(0).permutation(len(networks.speaker))
    networks = networks._replace(
        h=(7 * networks.h + 3)[:, order],
        speaker=np.array([f"person {s:02d}" for s in networks.speaker[order]]),
        split=Split(*(part[:, order] for part in networks.split)),
        losses=networks.losses[:, order],
        emotion=networks.emotion[order],
        kind=networks.kind[order],
    )
    again = identified(0, networks)
    for known in membership:
        assert again[known].auc == pytest.approx(membership[known].auc, abs=2e-3)
        assert again[known].p == pytest.approx(membership[known].p, abs=0.06)
    # Other names deal other draws: the same up to the draws' own noise.
    names = np.random.default_rng(1).permutation(24)
    networks = networks._replace(speaker=names[np.unique(networks.speaker, return_inverse=True)[1]])
    other = identified(0, networks, draws=40)["h"].auc
    before = identified(0, world(4, stretch=0.3), draws=40)["h"].auc
    assert other == pytest.approx(before, abs=0.05)


def test_nobody_is_tried_who_was_learned_from():
    """Each speaker is told from all others by more columns than there are speakers."""
    membership = identified(0, world(5, 24, size=60))
    assert abs(membership["h"].auc - 0.5) < 0.15 and membership["h"].verdict != "leaks"
    rng = np.random.default_rng(0)
    roles, kind = rng.integers(-1, 2, (3, 30)), rng.integers(0, 2, 30)
    order = np.argsort(rng.random((7, 30)), 1)
    played = list(games(order, roles, kind))
    assert {game.k for game in played} == {0, 1, 2}
    for k, *sides in played:
        everyone = np.concatenate(sides, 1)
        assert all(len({*row}) == len(row) for row in everyone.tolist())
        for members, others in (sides[:2], sides[2:]):
            assert (roles[k][members] == MEMBER).all() and (roles[k][others] == OTHER).all()
            np.testing.assert_array_equal(kind[members], kind[others])
        assert abs(sides[0].shape[1] - sides[2].shape[1]) <= 1


def test_speakers_show_equally_many_utterances_of_emotions_as_even_as_they_can():
    speakers = np.repeat(np.arange(20), [3, *[9] * 19])
    emotion = np.where(np.arange(len(speakers)) % 9 < 6, 0, 1)
    rows, each = drawn_utterances(np.random.default_rng(0), speakers, emotion)
    assert each == 9 and rows.shape == (19, 9)
    rows, each = drawn_utterances(
        np.random.default_rng(0), np.repeat(np.arange(4), 60), np.arange(240) % 60
    )
    assert each == 20 and all(len({*row}) == 20 for row in rows.tolist())
    emotion = np.repeat(np.tile([0, 1], 4), np.tile([50, 10], 4))
    rows, _ = drawn_utterances(np.random.default_rng(0), np.repeat(np.arange(4), 60), emotion)
    assert (emotion[rows].sum(1) == 10).all()


def test_two_systems_are_compared_over_the_same_pairs():
    bare, leaking = (identified(0, world(6, 40, stretch=s))["h"] for s in (0.0, 0.6))
    np.testing.assert_array_equal(bare.counts, leaking.counts)
    same = changed([bare], [bare])
    assert same.difference == same.lower == same.upper == 0 and same.p == 1
    more = changed([leaking, leaking], [bare, bare])
    assert more.difference == pytest.approx(leaking.auc - bare.auc)
    assert more.lower > 0 and more.p < 0.05
    less = changed([bare], [leaking])
    assert less.difference == pytest.approx(-more.difference) and less.p == more.p


def test_what_cannot_be_asked_is_an_error():
    networks = world(7)
    with pytest.raises(ValueError, match="diverged"):
        identify(networks._replace(h=np.where(np.arange(SIZE) == 1, np.nan, networks.h)))
    split = Split(*(part[:1] for part in networks.split))
    single_fold = networks._replace(h=networks.h[:1], split=split, losses=None)
    assert identified(0, single_fold).keys() == {"h"}
    for tested in ((1,), (1, 3)):  # one alone; two of whom nobody of their kind was trained on
        parts = ((0, 2, 4), (), tested)
        alone = Split(*(np.isin(networks.speaker, of)[None] for of in parts))
        with pytest.raises(ValueError, match="no fold tests two speakers"):
            identify(single_fold._replace(split=alone))
