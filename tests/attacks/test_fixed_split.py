"""Attackers of a network's h that are no networks: tuned on one part, scored on two."""

import jax
import numpy as np

from privrep.attacks.fixed_split import CLASSICAL, attack_classically
from privrep.attacks.trained.dense import AttackData
from privrep.attacks.trained.fresh_attackers import attack_with_fresh
from privrep.types import Split

S, EACH, D = 30, 8, 4


def corpus(seed=0, leak=2.0):
    """Two runs of h, the second without a leak, on folds of the same speakers."""
    rng = np.random.default_rng(seed)
    speakers = np.repeat(np.arange(S), EACH)
    gender = (speakers % 2).astype(np.int32)
    turn = speakers // 2 % 5
    part = np.stack([turn == 0, turn == 1, turn > 1])
    split = Split(*(np.stack([part[i]] * 2) for i in (2, 1, 0)))
    h = rng.normal(size=(2, S, D))[:, speakers] + rng.normal(size=(2, len(speakers), D))
    h[0, :, 0] += leak * (2 * gender - 1)
    return h.astype(np.float32), np.stack([gender] * 2), split, speakers


def test_each_finds_a_leak_on_both_parts_and_none_where_none_is():
    h, labels, split, speakers = corpus()
    uars = attack_classically(tuple(CLASSICAL), h, labels, split, speakers, 2)
    for part in ("val", "test"):
        assert uars[part].shape == (4, 2) and (uars[part][:, 0] > 0.75).all()
        assert (np.abs(uars[part][:, 1] - 0.5) < 0.35).all()


def test_what_is_said_of_a_part_depends_on_no_label_of_it_nor_of_what_comes_after():
    h, labels, split, speakers = corpus()
    names = ("lda", "knn")
    uars = attack_classically(names, h, labels, split, speakers, 2)
    turned = np.where(split.test, 1 - labels, labels)
    again = attack_classically(names, h, turned, split, speakers, 2)
    np.testing.assert_array_equal(again["val"], uars["val"])
    np.testing.assert_allclose(again["test"], 1 - uars["test"], atol=1e-6)
    elsewhere = np.where(split.test[..., None], 99, h)
    elsewhere = attack_classically(("knn",), elsewhere, labels, split, speakers, 2)
    np.testing.assert_array_equal(elsewhere["val"][0], uars["val"][1])


def test_no_score_of_an_h_that_diverged_or_of_too_few_speakers():
    h, labels, split, speakers = corpus()
    h[0, 3, 1] = np.nan
    taught = np.unique(speakers[split.train[1]])[:2]
    labels[1] = np.where(split.train[1] & ~np.isin(speakers, taught), -1, labels[1])
    uars = attack_classically(("lda",), h, labels, split, speakers, 2)
    assert np.isnan(uars["val"]).all() and np.isnan(uars["test"]).all()


def test_the_headline_is_the_strongest_of_both_kinds_on_validation():
    h, labels, split, speakers = corpus(leak=0)
    circle = np.random.default_rng(0).uniform(0, 2 * np.pi, h.shape[1])
    h[0, :, :2] = (1 + 2 * labels[0])[:, None] * np.stack([np.cos(circle), np.sin(circle)], 1)
    attack_data = AttackData(
        key=jax.random.split(jax.random.key(0), 2),
        h=h,
        labels=labels,
        weights=np.ones((2, 2), np.float32),
        split=split,
    )
    names = ("knn", "linear", "lda")
    scores = attack_with_fresh("gender", attack_data, 2, names, speakers=speakers)
    assert scores["gender_attacker"][0] == "knn" and scores["test_gender_attacker_uar"][0] > 0.95
    for name in names:
        assert scores[f"val_gender_{name}_uar"].shape == (2,)
    best = max(scores[f"val_gender_{name}_uar"][1] for name in names)
    assert scores["val_gender_attacker_uar"][1] == best
