import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax.core import FrozenDict

from privrep.attacks.trained import fresh_attackers as cross_validation
from privrep.attacks.trained.dense import Threat
from privrep.attacks.trained.fresh_attackers import attack_all, run_all, threats_of
from privrep.attacks.trained.pair_verification import Pairs
from privrep.attacks.verification_pairs import verification_pairs
from privrep.inputs.packing import PackingSettings, pack
from privrep.networks.emotion_net import EmotionNet
from privrep.networks.encoders import LexicalEncoder
from privrep.parallel.run_axis import Run, run_key, take
from privrep.training.problem import FitSettings
from privrep.types import Corpus, Split, Utterance, ragged
from privrep.unlearning.objective import Architecture

N, SPEAKERS, WORDS = 96, 12, 8
SETTINGS = FitSettings(batch_size=16, max_epochs=3, patience=3)
SPEAKER = np.arange(N) % SPEAKERS
K = np.arange(3)[:, None]
SPLIT = Split(
    train=SPEAKER[None] % 3 == (K + 2) % 3,
    val=SPEAKER[None] % 3 == (K + 1) % 3,
    test=SPEAKER[None] % 3 == K,
)


def corpus(changed=None):
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
    for i in np.flatnonzero(changed if changed is not None else []):
        words[i] = words[i][::-1] % 3 + 1
        emotion = {"sad": "happy", "happy": "sad"}[utterances[i].categories["emotion"]]
        gender = {"female": "male", "male": "female"}[utterances[i].private["gender"]]
        utterances[i] = dataclasses.replace(
            utterances[i], categories={"emotion": emotion}, private={"gender": gender}
        )
    return utterances, words


def packed(changed=None):
    utterances, words = corpus(changed)
    return pack(
        utterances,
        Corpus(None, ragged(list(words)), None),
        SPLIT,
        PackingSettings("emotion", ("gender", "speaker")),
        vocabulary_size=WORDS,
    )


def architecture(packed):
    encoder = LexicalEncoder(
        table_size=packed.table_size, word_size=4, gru_layers=1, gru_width=4, dense_width=4
    )
    net = EmotionNet(
        encoders=FrozenDict(lexical=encoder),
        num_classes=2,
        private=FrozenDict(packed.num_private),
        adversary_layers=(0,),
    )
    return Architecture(
        net, ("grl",), "constant", "emotion_minus_leak", "float32", packed.longest, 1.0
    )


def runs(*rows):
    """A table of (fold, lambda, seed)."""
    single = [
        Run(
            key=run_key(seed, fold),
            fold=jnp.int32(fold),
            defence=jnp.int32(0),
            lambda_={a: jnp.float32(strength) for a in ("gender", "speaker")},
            release=jnp.int32(0),
            release_lambda={a: jnp.float32(0) for a in ("gender", "speaker")},
            learning_rate=jnp.float32(0.02),
            adversary_learning_rate=jnp.float32(0.02),
            weight_decay=jnp.float32(0),
        )
        for fold, strength, seed in rows
    ]
    return jax.tree.map(lambda *column: jnp.stack(column), *single)


pytestmark = pytest.mark.usefixtures("quickly_compiled")


@pytest.fixture(scope="module")
def scores_of():
    """rows -> scores as lists; of a corpus that is another one where `changed`."""
    pairs = Pairs(*verification_pairs(SPEAKER, SPLIT, 50, seed=0))

    def scores_of(*rows, changed=None):
        data = packed(changed)
        found = run_all(architecture(data), SETTINGS, data.data, runs(*rows), ("linear",), pairs)
        return {name: np.asarray(values).tolist() for name, values in found.items()}

    return scores_of


ROWS = [(0, 0.0, 0), (1, 1.0, 0)]


@pytest.fixture(scope="module")
def scores(scores_of):
    return scores_of(*ROWS)


def test_every_run_has_every_score(scores):
    expected = {"best_epoch", "diverged", "collapsed", "h_rank"}
    expected |= {"gender_attacker", "speaker_attacker"}
    for part in ("train", "val", "test"):
        expected |= {f"{part}_{name}_uar" for name in ("emotion", "gender_adversary")}
        expected |= {f"{part}_speaker_adversary_uar"}
    for part in ("val", "test"):
        expected |= {f"{part}_gender_linear_uar", f"{part}_gender_attacker_uar"}
    expected |= {"test_speaker_attacker_uar", "test_gender_privacy", "test_speaker_privacy"}
    assert {*scores} == expected
    assert all(len(values) == len(ROWS) for values in scores.values())
    # The speakers of validation and test are nobody's class, so there is nothing to score.
    assert np.isnan(scores["val_speaker_adversary_uar"]).all()
    assert not any(scores["diverged"])
    finite = [v for n, v in scores.items() if "speaker_adversary" not in n and "uar" in n]
    assert np.isfinite(finite).all()


def test_a_run_is_the_same_in_any_company_and_place(scores, scores_of):
    for rows in (ROWS[::-1], [ROWS[0], (2, 0.5, 1)], [(0, 1.0, 3), ROWS[1]], [ROWS[1]] * 2):
        found = scores_of(*rows)
        for name, values in found.items():
            for row, value in zip(rows, values):
                if row in ROWS:
                    np.testing.assert_equal(value, scores[name][ROWS.index(row)], name)


def test_no_test_utterance_has_a_say_before_the_test(scores, scores_of):
    """Other words, emotions and genders in the test part of fold 0: its runs learn the same."""
    changed = scores_of(*ROWS, changed=SPLIT.test[0])
    for name, (of_fold_0, _) in changed.items():
        if name.startswith(("train_", "val_", "best_epoch")):
            np.testing.assert_equal(of_fold_0, scores[name][0], name)
    on_test = [name for name in scores if name.startswith("test_")]
    assert any(changed[name] != scores[name] for name in on_test)


def threats(count):
    return Threat(
        key=jnp.stack([jax.random.key(0)] * count),
        h=jnp.zeros((count, 4, 2)),
        labels=jnp.zeros((count, 4), jnp.int32),
        weights=jnp.ones((count, 2)),
        split=Split(*[jnp.ones((count, 4), bool)] * 3),
    )


def test_validation_chooses_the_attacker_and_the_test_part_scores_it(monkeypatch):
    nan = float("nan")
    val = jnp.array([[0.6, 0.7, nan, nan], [0.6, 0.9, 0.5, nan], [0.5, 0.8, 0.9, nan]])
    test = jnp.array([[0.1, 0.2, 0.3, nan], [0.4, 0.5, 0.6, 0.7], [0.7, 0.8, 0.9, 1.0]])
    monkeypatch.setattr(
        cross_validation, "attack", lambda *_: {"train": val, "val": val, "test": test}
    )
    names = ("linear", "mlp_2x32", "mlp_4x64")
    scores = attack_all("gender", threats(4), 2, names)
    # Of equals the first; one that has no score is never chosen while another has.
    assert scores["gender_attacker"] == ["linear", "mlp_2x32", "mlp_4x64", "linear"]
    chosen = [0.1, 0.5, 0.9, nan]
    np.testing.assert_allclose(scores["test_gender_attacker_uar"], chosen)
    np.testing.assert_allclose(scores["test_gender_privacy"], 1 - np.array(chosen), rtol=1e-6)
    np.testing.assert_allclose(scores["val_gender_attacker_uar"], [0.6, 0.9, 0.9, nan])
    for name, row in zip(names, test):
        np.testing.assert_array_equal(scores[f"test_gender_{name}_uar"], row)


def test_speakers_are_attacked_by_verification(monkeypatch):
    monkeypatch.setattr(cross_validation, "verify", lambda *_: jnp.array([0.0, 0.5]))
    scores = attack_all("speaker", threats(2), 2, pairs=Pairs(None, None))
    np.testing.assert_array_equal(scores["test_speaker_attacker_uar"], [1.0, 0.5])
    np.testing.assert_array_equal(scores["test_speaker_privacy"], [0.0, 0.5])
    assert scores["speaker_attacker"] == ["verification"] * 2


def test_a_threat_is_to_its_own_run():
    data, table = packed().data, runs((2, 0.0, 0), (0, 1.0, 0), (0, 1.0, 5))
    h = jnp.arange(3.0 * N).reshape(3, N, 1)
    found = threats_of(data.folds, table, h, "gender")
    for i, fold in enumerate([2, 0, 0]):
        for part, where in zip(found.split, SPLIT):
            np.testing.assert_array_equal(part[i], where[fold])
        np.testing.assert_array_equal(found.labels[i], data.folds.private["gender"][fold])
        np.testing.assert_array_equal(found.h[i], h[i])
        assert found.key[i] != take(table.key, i)
    keys = jax.random.key_data(found.key)
    assert len(np.unique(keys, axis=0)) == 3
