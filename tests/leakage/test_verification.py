"""Speaker verification where the answer is known: voices, rooms, scripts, and the formulas."""

import itertools

import numpy as np
import pytest
import scipy.stats
from sklearn.covariance import oas

from privrep.attacks.speaker_backends import BACKENDS, plda, whitened
from privrep.leakage.attribute_matrix import measure_attributes
from privrep.leakage.pair_kinds import Drawn, Kind, PairPermutation, pair_design, permuted_speakers
from privrep.leakage.pair_ranks import rank_pairs, scores_of, standard_error
from privrep.leakage.subsample import draw_evenly
from privrep.leakage.verification import (
    ANY_SESSION,
    Conditions,
    VerificationTarget,
    closed_set,
    verify,
)
from privrep.leakage.worlds import WORLDS
from privrep.statistics.attack_scores import equal_error_rate
from privrep.statistics.strata import covariate
from privrep.types import InferenceSettings, Sample

FEW = InferenceSettings(permutations=39)


def folds_of(h, speaker):
    return [VerificationTarget(h, speaker % 5 != k, speaker % 5 == k) for k in range(5)]


def test_voices_are_found_and_nothing_where_there_are_none():
    world = WORLDS["speaker_only"].draw(0, 20, 10, 8)
    verdict = verify(folds_of(world.h, world.speaker), world.speaker, FEW).verdict
    assert verdict.verdict == "leaks" and verdict.lower > 0.5 and verdict.uar > 0.65
    # The true labelling counts among the 40: p is never 0.
    assert verdict.p == verdict.smallest_p == pytest.approx(1 / 40 / 0.8)
    world = WORLDS["no_leak"].draw(0, 20, 10, 8)
    verdict = verify(folds_of(world.h, world.speaker), world.speaker, FEW).verdict
    assert verdict.verdict == "no_leak_shown" and abs(verdict.uar - 0.5) < 0.05
    assert verdict.lower < 0.5 < verdict.upper < 0.6


def rooms(seed, speakers=24, utterances=6):
    """Noise in 6 rooms: h tells the room, and nothing of the voice."""
    rng = np.random.default_rng(seed)
    speaker = np.repeat(np.arange(speakers), utterances)
    room = speaker % 6
    return rng.normal(size=(len(speaker), 8)) + 4 * rng.normal(size=(6, 8))[room], speaker, room


def test_a_room_is_no_voice():
    """People in 6 rooms: told apart whatever the room, and not within a room."""
    for seed in range(2):
        h, speaker, room = rooms(seed)
        rows, _ = measure_attributes(Sample.of(h, 0 * speaker, speaker, room), {}, FEW)
        verdict_of = {row.name: row.verdict for row in rows}
        assert verdict_of["speaker, any session"].verdict == "leaks"
        assert verdict_of["speaker"].verdict != "leaks", verdict_of["speaker"]
        assert verdict_of["speaker"] == verdict_of["speaker, within one session"]


def test_a_voice_is_found_within_rooms_and_across_days():
    h, speaker, room = rooms(0)
    voice = np.random.default_rng(1).normal(size=(24, 8))[speaker]
    day = speaker + 24 * (np.arange(len(speaker)) % 2)
    for session, kind in ((room, "within one session"), (day, "across sessions")):
        rows, _ = measure_attributes(Sample.of(h + voice, 0 * speaker, speaker, session), {}, FEW)
        verdict_of = {row.name: row.verdict for row in rows}
        assert verdict_of[f"speaker, {kind}"].verdict == "leaks", kind


def test_a_day_is_no_voice():
    """Each speaker on three days: h tells the day, and what a speaker was like on that day."""
    for seed in range(2):
        rng = np.random.default_rng(seed)
        speaker, day = np.repeat(np.arange(20), 9), np.tile(np.arange(3), 60)
        h = rng.normal(size=(180, 6)) + 2 * rng.normal(size=(20, 3, 6))[speaker, day]
        conditions = Conditions(3 * (speaker // 4) + day)
        result = verify(folds_of(h, speaker), speaker, FEW, conditions)
        assert result.kinds[ANY_SESSION].verdict == "leaks"
        assert result.verdict.verdict != "leaks" and "across sessions" in result.strongest


def test_who_was_recorded_alone_cannot_be_told_from_the_recording():
    h, speaker, _ = rooms(0)
    verification = verify(folds_of(h, speaker), speaker, FEW, Conditions(speaker))
    assert verification.verdict.verdict == "cannot_tell" and not verification.strongest
    assert "recorded alone" in verification.verdict.reason
    assert verification.kinds.keys() == {ANY_SESSION}


def test_a_voice_that_the_script_hides_is_found_within_the_script():
    """Every speaker says every sentence in a manner of his own, and sentences differ much more."""
    rng = np.random.default_rng(0)
    speaker, script = np.repeat(np.arange(20), 12), np.tile(np.arange(4), 60)
    h = rng.normal(size=(240, 8)) + 4 * rng.normal(size=(4, 8))[script]
    h += rng.normal(size=(20, 4, 8))[speaker, script]
    contents = [covariate("script", [f"s{i}" for i in script])]
    alone = verify(folds_of(h, speaker), speaker, FEW).verdict
    result = verify(folds_of(h, speaker), speaker, FEW, Conditions(contents=contents))
    assert result.verdict.verdict == "leaks" and "within one script" in result.strongest
    assert result.kinds["within one script"].uar > alone.uar + 0.1
    # Texts that nobody repeats make no kind of pairs.
    contents = [covariate("transcript", [f"t{i}" for i in range(240)])]
    result = verify(folds_of(h, speaker), speaker, FEW, Conditions(contents=contents))
    assert result.kinds.keys() == {"all pairs"}
    assert result.left_out.keys() == {"within one transcript"}
    assert result.verdict == alone


def drawn_pairs(seed):
    """Similarities of two targets, of 12 and 9 utterances, with ties; every kind of pairs."""
    rng = np.random.default_rng(seed)
    target = np.repeat([0, 1], [12, 9])
    speaker = (10 * target + rng.integers(0, 3, 21)).astype(np.int32)
    similar = [np.round(m + m.T, 1) for m in (rng.normal(size=(12, 12)), rng.normal(size=(9, 9)))]
    content, recording = rng.integers(0, 2, (2, 21))
    kinds = (
        Kind("all pairs", None, None),
        Kind("within", content, None),
        Kind("across", None, recording),
        Kind("both", content, recording),
    )
    return Drawn(np.arange(21), target, speaker), similar, kinds


def listed(drawn, similar, kind, kept):
    """Scores and whether one speaker, of every pair in a loop; of utterances `kept` bool[n]."""
    scores, same = [], []
    for t, matrix in enumerate(similar):
        rows = np.flatnonzero(drawn.target == t)
        pairs = [
            (a, b)
            for a in range(len(rows))
            for b in range(a + 1, len(rows))
            if kind.content is None or kind.content[rows[a]] == kind.content[rows[b]]
            if kind.recording is None or kind.recording[rows[a]] != kind.recording[rows[b]]
        ]
        values = np.array([matrix[pair] for pair in pairs])
        if not len(values):
            continue
        values = (values - values.mean()) / values.std()
        for value, (a, b) in zip(values, pairs):
            if kept[rows[a]] and kept[rows[b]]:
                scores.append(round(value, 9))
                same.append(drawn.speaker[rows[a]] == drawn.speaker[rows[b]])
    return np.array(scores), np.array(same)


@pytest.mark.parametrize("seed", range(4))
def test_scores_and_errors_are_those_of_every_pair_listed(seed):
    drawn, similar, kinds = drawn_pairs(seed)
    everyone = np.ones(21, bool)
    for kind in kinds:
        ranks = rank_pairs(similar, kind, drawn)
        uar = scores_of([ranks], kind, drawn, drawn.speaker[None])[0, 0]
        assert uar == pytest.approx(1 - equal_error_rate(*listed(drawn, similar, kind, everyone)))
        without = []
        for speaker in np.unique(drawn.speaker):
            scores, same = listed(drawn, similar, kind, drawn.speaker != speaker)
            if same.any() and not same.all():
                without.append(equal_error_rate(scores, same))
        # The jackknife: (S - 1) / S times the sum of squares.
        num = len(without)
        squares = ((np.array(without) - np.mean(without)) ** 2).sum()
        error = standard_error(ranks, drawn.speaker)
        assert error == pytest.approx(np.sqrt((num - 1) / num * squares))


def test_plda_is_the_likelihood_ratio_of_two_gaussian_vectors():
    rng = np.random.default_rng(0)
    speaker = np.repeat(np.arange(10), 5)
    x = rng.normal(size=(50, 3)) + rng.normal(size=(10, 3))[speaker] * [2, 1, 0.1]
    training = speaker < 8
    scores = plda(x, training, speaker)
    means = np.stack([x[speaker == s].mean(0) for s in range(8)])
    values, vectors = np.linalg.eigh(oas(means)[0])
    between = vectors * np.maximum(values - 1 / 5, 1e-3) @ vectors.T
    same = np.block([[between + np.eye(3), between], [between, between + np.eye(3)]])
    two = np.kron(np.eye(2), between + np.eye(3))
    pairs = np.array([[*a, *b] for a in x[~training] for b in x[~training]])
    pairs -= np.tile(means.mean(0), 2)
    ratio = np.subtract(
        *(scipy.stats.multivariate_normal(np.zeros(6), c).logpdf(pairs) for c in (same, two))
    )
    np.testing.assert_allclose(np.diff(scores.reshape(-1)), np.diff(ratio), atol=1e-9)


def test_cosines_are_whitened_within_the_training_speakers():
    rng = np.random.default_rng(0)
    speaker = np.repeat(np.arange(12), 6)
    h = rng.normal(size=(72, 10)) * [0.1, 0.1, *[30.0] * 8]
    h[:, :2] += rng.normal(size=(12, 2))[speaker]
    training, tested = speaker < 6, speaker >= 6
    white = whitened(h, training, speaker, np.arange(72))
    x = (h - h[training].mean(0)) / h[training].std(0)
    within = sum(np.cov(x[speaker == s].T, bias=True) for s in range(6)) / 6
    shrunk = 0.9 * within + 0.1 * np.diag(np.diag(within) + 1e-4)
    expected = np.linalg.solve(np.linalg.cholesky(shrunk), x.T).T
    np.testing.assert_allclose(white, expected, rtol=1e-6)
    verdict = verify([VerificationTarget(h, training, tested)], speaker, FEW).verdict
    assert verdict.uar > 0.8


def test_whitening_learns_nothing_of_the_speakers_who_are_verified():
    """30 columns of noise and 48 utterances to learn from: what varies within the tested speakers
    would pull each of them together if it were learned, and permuted ones not."""
    uars, speaker = [], np.repeat(np.arange(22), 4)
    for seed in range(6):
        h = np.random.default_rng(seed).normal(size=(88, 30))
        target = VerificationTarget(h, speaker < 12, speaker >= 12)
        uars.append(verify([target], speaker, InferenceSettings(permutations=1)).verdict.uar)
    assert 0.42 < np.mean(uars) < 0.58


@pytest.mark.parametrize("backend", BACKENDS)
def test_nothing_is_learned_from_the_speakers_who_are_verified(backend):
    """What two utterances score does not depend on the other test speakers."""
    rng = np.random.default_rng(0)
    speaker = np.repeat(np.arange(12), 6)
    h, training = rng.normal(size=(72, 5)), speaker < 8

    def scores(h):
        x = whitened(h, training, speaker, np.arange(72))
        return BACKENDS[backend](x, training, speaker)[:6, :6]

    other = h + 100 * (speaker > 8)[:, None] * rng.normal(size=(72, 5))
    np.testing.assert_allclose(scores(other), scores(h))


@pytest.mark.parametrize("backend", BACKENDS)
def test_an_offset_hides_no_voice_and_a_column_of_one_value_adds_none(backend):
    """A million beside a voice of 1 is nothing to float64, nor is a hundred to float32."""
    rng = np.random.default_rng(0)
    speaker = np.repeat(np.arange(24), 6)
    h, training = rng.normal(size=(144, 5)) + rng.normal(size=(24, 5))[speaker], speaker < 16

    def scores(h):
        x = whitened(h, training, speaker, np.arange(144))
        return BACKENDS[backend](x, training, speaker)

    for moved, precision in ((h + 1e6, 1e-6), ((h + 1e6).astype(np.float32), 0.2)):
        np.testing.assert_allclose(scores(moved), scores(h), atol=precision)
    with_constant = np.append(h, np.full((144, 1), 0.1), 1)
    if backend == "cosine":  # PLDA shrinks towards the mean variance of all columns
        np.testing.assert_allclose(scores(with_constant), scores(h), atol=1e-9)


def test_blocks_move_as_a_whole_within_their_cell():
    rng = np.random.default_rng(0)
    target = np.repeat([0, 1], 30)
    speaker = (10 * target + rng.integers(0, 4, 60)).astype(np.int32)
    session = 2 * target + rng.integers(0, 2, 60)
    block = 100 * speaker + session
    permutations = permuted_speakers(target, speaker, PairPermutation(block, session), 50, 0)
    assert (permutations.labels[0] == speaker).all()
    assert (permutations.labels[1:] != speaker).any(1).mean() > 0.8
    for labels in permutations.labels:
        for b in np.unique(block):
            assert len({*labels[block == b]}) == 1
        for s in np.unique(session):
            assert {*labels[session == s]} == {*speaker[session == s]}
    assert permutations.distinct == np.prod(
        [float(np.prod(np.arange(1, 1 + len({*speaker[session == s]})))) for s in range(4)]
    )


def test_speakers_of_several_sessions_are_permuted_by_recording():
    speaker = np.repeat(np.arange(6), 8)
    session = np.tile([0, 0, 0, 0, 1, 1, 1, 1], 6)
    design = pair_design(np.zeros(48, int), speaker, session)
    assert [kind.name for kind in design.kinds] == ["across sessions"]
    blocks = np.unique(np.stack([design.permutation.block, speaker, session]), axis=1)
    assert blocks.shape[1] == 12 and len({*blocks[0]}) == 12


def test_permuted_speakers_say_of_every_content_as_often_what_it_holds():
    """Of all contents that make a kind: else a script that few speak would tell who it was."""
    rng = np.random.default_rng(0)
    speaker, script, emotion = rng.integers(0, 6, 300), *rng.integers(0, 3, (2, 300))
    manner = 3 * script + emotion
    contents = [
        covariate(name, [str(value) for value in values])
        for name, values in (("script", script), ("script and emotion", manner))
    ]
    design = pair_design(np.zeros(300, int), speaker, None, contents)
    assert len(design.kinds) == 3
    labels = permuted_speakers(np.zeros(300, int), speaker, design.permutation, 20, 0).labels
    assert (labels[1:] != speaker).any(1).all()
    for row in labels:
        for value in range(9):
            assert sorted(row[manner == value]) == sorted(speaker[manner == value])


def test_labellings_that_make_the_same_pairs_are_counted():
    """Of the 90 ways of giving 6 utterances to 3 speakers 3! pair the same utterances."""
    speaker, whole = np.repeat(np.arange(3), 2), PairPermutation(np.arange(6), np.zeros(6, int))
    ways = {*itertools.permutations(speaker.tolist())}
    same = [way for way in ways if way[0] == way[1] and way[2] == way[3] and way[4] == way[5]]
    permutations = permuted_speakers(np.zeros(6, int), speaker, whole, 99, 0)
    assert permutations.distinct == len(ways)
    assert permutations.smallest_share == pytest.approx(len(same) / len(ways))


def test_false_alarms_of_verification_are_rare():
    """20 corpora with nothing of the speaker: as many alarms as one in twenty makes likely."""
    alarms = 0
    for seed in range(20):
        world = WORLDS["no_leak"].draw(seed, 10, 6, 4)
        settings = InferenceSettings(permutations=39, seed=seed)
        contents = [covariate("emotion", [str(e) for e in world.emotion])]
        targets = folds_of(world.h, world.speaker)
        result = verify(targets, world.speaker, settings, Conditions(contents=contents))
        alarms += result.verdict.verdict == "leaks"
    assert alarms <= 4


def test_one_utterance_each_cannot_be_verified():
    world = WORLDS["no_leak"].draw(0, 10, 1, 4)
    with pytest.raises(ValueError, match="two utterances of one"):
        verify(folds_of(world.h, world.speaker), world.speaker)


def test_of_many_speakers_some_are_drawn_with_all_they_said():
    speaker = np.repeat(np.arange(20_000), 10)
    labels = np.where(speaker < 3, 1, 0)
    rows = draw_evenly(speaker, 10_000, 0, labels)
    assert (np.unique(speaker[rows], return_counts=True)[1] == 10).all() and len(rows) == 10_000
    assert {0, 1, 2} <= {*speaker[rows]}  # a rare class is not lost
    few = np.repeat(np.arange(100), 300)
    counts = np.unique(few[draw_evenly(few, 10_000, 0)], return_counts=True)[1]
    assert (counts == 100).all() and len(counts) == 100


def test_a_closed_set_of_voices_is_recognised_and_noise_is_not():
    known = np.ones(200, bool)
    voices = WORLDS["speaker_only"].draw(0, 20, 10, 8)
    accuracy, chance = closed_set(0, 5 * voices.h, known, voices.speaker)
    assert accuracy > 0.25 and chance == 1 / 20
    noise = WORLDS["no_leak"].draw(0, 20, 10, 8)
    accuracy, _ = closed_set(0, noise.h, known, noise.speaker)
    assert accuracy < 0.15
    one_hot = np.eye(20)[voices.speaker] + 1e-3 * noise.h[:, :1]
    assert closed_set(0, one_hot, known, voices.speaker)[0] == 1
    assert np.isnan(closed_set(0, one_hot, voices.speaker == 3, voices.speaker)).all()
