"""Freshly trained attackers: the choice on validation, the scores, the data of each run."""

import jax
import jax.numpy as jnp
import numpy as np

from privrep.attacks.trained import fresh_attackers
from privrep.attacks.trained.dense import AttackData
from privrep.attacks.trained.fresh_attackers import attack_data_of, attack_with_fresh
from privrep.attacks.trained.pair_verification import Pairs
from privrep.parallel.run_axis import Run, run_key, take
from privrep.types import Fold, Split

N = 12
SPLIT = Split(*(np.arange(N)[None] % 3 == (np.arange(3)[:, None] + k) % 3 for k in range(3)))


def folds():
    """Three folds of 12 utterances, of which each has gender labels of its own."""
    return Fold(
        split=SPLIT,
        task=np.zeros((3, N), np.int32),
        task_weights=np.ones((3, 2), np.float32),
        private={"gender": np.arange(3 * N, dtype=np.int32).reshape(3, N)},
        private_weights={"gender": np.arange(6, dtype=np.float32).reshape(3, 2)},
        inputs=None,
        val_blocks=None,
    )


def runs(*rows):
    """A table of (fold, lambda, seed)."""
    single = [
        Run(
            key=run_key(seed, fold),
            fold=jnp.int32(fold),
            defence=jnp.int32(0),
            lambda_={"gender": jnp.float32(strength)},
            release=jnp.int32(0),
            release_lambda={"gender": jnp.float32(0)},
            learning_rate=jnp.float32(0.02),
            adversary_learning_rate=jnp.float32(0.02),
            weight_decay=jnp.float32(0),
            relative=jnp.bool_(False),
        )
        for fold, strength, seed in rows
    ]
    return jax.tree.map(lambda *column: jnp.stack(column), *single)


def attack_data(count):
    return AttackData(
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
        fresh_attackers, "attack", lambda *_: {"train": val, "val": val, "test": test}
    )
    names = ("linear", "mlp_2x32", "mlp_4x64")
    scores = attack_with_fresh("gender", attack_data(4), 2, names)
    # Of equals the first; one that has no score is never chosen while another has.
    assert scores["gender_attacker"] == ["linear", "mlp_2x32", "mlp_4x64", "linear"]
    chosen = [0.1, 0.5, 0.9, nan]
    np.testing.assert_allclose(scores["test_gender_attacker_uar"], chosen)
    np.testing.assert_allclose(scores["test_gender_privacy"], 1 - np.array(chosen), rtol=1e-6)
    np.testing.assert_allclose(scores["val_gender_attacker_uar"], [0.6, 0.9, 0.9, nan])
    for name, row in zip(names, test):
        np.testing.assert_array_equal(scores[f"test_gender_{name}_uar"], row)


def test_speakers_are_attacked_by_verification(monkeypatch):
    monkeypatch.setattr(fresh_attackers, "verification_eer", lambda *_: jnp.array([0.0, 0.5]))
    scores = attack_with_fresh("speaker", attack_data(2), 2, pairs=Pairs(None, None))
    np.testing.assert_array_equal(scores["test_speaker_attacker_uar"], [1.0, 0.5])
    np.testing.assert_array_equal(scores["test_speaker_privacy"], [0.0, 0.5])
    assert scores["speaker_attacker"] == ["verification"] * 2


def test_every_run_is_attacked_with_the_data_of_its_own_fold():
    table = runs((2, 0.0, 0), (0, 1.0, 0), (0, 1.0, 5))
    h = jnp.arange(3.0 * N).reshape(3, N, 1)
    actual = attack_data_of(folds(), table, h, "gender")
    for i, fold in enumerate([2, 0, 0]):
        for part, where in zip(actual.split, SPLIT):
            np.testing.assert_array_equal(part[i], where[fold])
        np.testing.assert_array_equal(actual.labels[i], folds().private["gender"][fold])
        np.testing.assert_array_equal(actual.h[i], h[i])
        assert actual.key[i] != take(table.key, i)
    keys = jax.random.key_data(actual.key)
    assert len(np.unique(keys, axis=0)) == 3
