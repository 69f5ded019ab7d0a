"""Membership identification detects how a network treats its training speakers, and no more."""

from types import SimpleNamespace

import numpy as np
import pytest
import scipy.stats

from experiments.simulations.membership_worlds import SIZE, world
from privrep.leakage.membership.games import (
    MEMBER,
    OTHER,
    drawn_utterances,
    games,
    permuted_roles,
)
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


def official(seed, device=0.0, stretch=0.0, inputs=True):
    """One official split of 60 speakers whose test speakers were recorded by another device.

    A device moves the inputs, of which h is a random map, by `device` standard deviations.
    """
    networks = world(seed, 60, stretch=stretch)
    tested = (np.random.default_rng(seed).permutation(60) < 24)[networks.speaker]
    split = Split(~tested[None], np.zeros_like(tested)[None], tested[None])
    rng = np.random.default_rng(100 + seed)
    heard = rng.normal(size=(60, 6))[networks.speaker] + rng.normal(size=(len(tested), 6))
    heard += device * tested[:, None] * rng.normal(size=6)
    h = np.tanh(heard @ rng.normal(size=(6, 8))) * (1 + stretch * ~tested)[:, None]
    return networks._replace(
        h=h[None], split=split, losses=None, kind=None, inputs=heard if inputs else None
    )


def test_another_device_is_no_membership():
    """The network has memorised nothing: what differs is how test speakers were recorded."""
    for seed in range(4):
        networks = official(seed, device=2.0)
        result = identified(seed, networks)["h"]
        assert result.auc > 0.7 and result.p < 0.05 and result.verdict == "cannot_tell"
        assert "recorded differently" in result.reason and result.inputs_auc > 0.7
        unknown = identified(seed, networks._replace(inputs=None))["h"]
        assert unknown.verdict == "cannot_tell" and np.isnan(unknown.inputs_auc)


def test_members_of_an_official_split_are_found_where_the_inputs_are_alike():
    result = identified(0, official(0, stretch=1.5))["h"]
    assert result.verdict == "leaks" and result.reason == "" and result.inputs_p > 0.05


def test_members_are_matched_by_session_where_sessions_have_both_sides():
    """Two devices, each of which recorded some sessions, all with members and non-members."""
    networks = official(0, stretch=1.5, inputs=False)
    session = networks.speaker % 6
    device = 3 * (session % 2)[None, :, None]
    matched = networks._replace(h=networks.h + device, session=session)
    assert identified(0, matched)["h"].verdict == "leaks"
    same = official(0, inputs=False)._replace(session=session)
    assert identified(0, same._replace(h=same.h + device))["h"].verdict != "leaks"


def test_the_jackknife_is_that_of_every_speaker_left_out():
    result = identified(0, world(8, 24))["h"]
    wins, counts = result.wins, result.counts
    without = []
    for s in range(len(counts)):
        kept = np.arange(len(counts)) != s
        without.append(wins[np.ix_(kept, kept)].sum() / counts[np.ix_(kept, kept)].sum())
    num = len(without)
    error = np.sqrt((num - 1) / num * ((without - np.mean(without)) ** 2).sum())
    zero = result._replace(wins=np.zeros_like(wins))
    change = changed([result], [zero])
    half = error * scipy.stats.t.ppf(0.975, num - 1)
    assert change.upper - change.difference == pytest.approx(half)


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


def a_tally(seed, members=9, others=7):
    """wins and counts float[S, S] of random comparisons, of which speakers have unlike numbers; the
    last speaker has none."""
    rng = np.random.default_rng(seed)
    counts = np.zeros((members + others + 1,) * 2)
    counts[:members, members:-1] = rng.integers(0, 12, (members, others))
    return SimpleNamespace(wins=np.round(counts * rng.random(counts.shape)), counts=counts)


def test_the_error_of_a_difference_is_the_jackknifes():
    """By its definition: each speaker in turn is left out with all comparisons, and

    error^2 = (n - 1) / n sum_s (difference without s - mean of these)^2
    """
    protected, unprotected = a_tally(0), a_tally(0)
    unprotected.wins = np.minimum(protected.wins + 2, protected.counts)
    differences = []
    for left_out in range(16):
        kept = np.delete(np.arange(17), left_out)
        auc, other_auc = (
            of.wins[np.ix_(kept, kept)].sum() / of.counts[np.ix_(kept, kept)].sum()
            for of in (protected, unprotected)
        )
        differences.append(auc - other_auc)
    error = np.sqrt(15 / 16 * ((differences - np.mean(differences)) ** 2).sum())
    comparison = changed([protected], [unprotected], level=0.9)
    half = error * scipy.stats.t.ppf(0.95, 15)
    assert comparison.upper - comparison.difference == pytest.approx(half)
    assert comparison.difference - comparison.lower == pytest.approx(half)


def test_the_jackknife_estimates_what_other_speakers_would_vary():
    """Scores of 12 members and 12 others are normal: over draws, the mean of the squared error is
    the variance of the AUC (the jackknife's estimate is a little too large)."""
    rng, aucs, variances = np.random.default_rng(0), [], []
    counts = np.zeros((24, 24))
    counts[:12, 12:] = 1
    nothing = SimpleNamespace(wins=np.zeros((24, 24)), counts=counts)
    for _ in range(200):
        score = rng.normal(size=24) + 0.8 * (np.arange(24) < 12)
        wins = counts * (score[:, None] > score)
        comparison = changed([SimpleNamespace(wins=wins, counts=counts)], [nothing], draws=1)
        aucs.append(comparison.difference)
        half = comparison.upper - comparison.difference
        variances.append((half / scipy.stats.t.ppf(0.975, 23)) ** 2)
    assert 0.8 < np.mean(variances) / np.var(aucs) < 1.4


def test_places_are_permuted_between_speakers_of_one_kind_only():
    """Every row deals out the places of the women to the women, and those of the men to the men."""
    rng = np.random.default_rng(0)
    kind, roles = np.arange(14) % 2, rng.integers(-1, 2, (2, 14))
    rows, _ = permuted_roles(0, roles, kind, None, 40)
    assert len(np.unique(rows, axis=0)) > 20
    for row in rows:
        for value in (0, 1):
            places, true_places = row[:, kind == value].T, roles[:, kind == value].T
            assert sorted(places.tolist()) == sorted(true_places.tolist())


def test_a_network_unlike_on_validation_speakers_is_no_leak():
    """They determined the epoch and are neither members nor others: nobody is compared with them,
    so that only what they add to the columns' mean and scale is to be seen."""
    unlike = world(8, 40)
    h = unlike.h + 3 * unlike.h.std() * unlike.split.val[:, :, None]
    result = identified(0, unlike._replace(h=h, losses=None))["h"]
    assert abs(result.auc - 0.5) < 0.1 and result.verdict != "leaks"
    first = np.unique(unlike.speaker, return_index=True)[1]
    trained, tested = unlike.split.train[:, first], unlike.split.test[:, first]
    opposite = (trained[:, :, None] & tested[:, None]).any(0)
    assert result.counts.any() and not result.counts[~opposite].any()


def test_a_score_that_is_the_same_for_all_wins_half():
    alike = world(9, 16)
    result = identified(0, alike._replace(h=0 * alike.h, losses=0 * alike.losses))
    for knowledge in ("h", "labels"):
        assert set(result[knowledge].aucs.values()) == {0.5}
        assert result[knowledge].accuracy == 0.5 and result[knowledge].p == 1
