"""Scores against scikit-learn, the device's own, or a definition written out."""

import math

import audmetric
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize
from sklearn import metrics as sklearn

from privrep.statistics import attack_scores as scores
from privrep.statistics.uar import confusion_counts, uar
from privrep.training.metrics import equal_error_rate as device_equal_error_rate

RNG = np.random.default_rng(0)
POSITIVE = RNG.random(500) < 0.3
# Rounded: many scores are equal.
SCORES = np.round(RNG.normal(size=500) + POSITIVE, 1)


@pytest.mark.parametrize("sign", [1, -1])
def test_ranks_are_scikit_learns(sign):
    scored = sign * SCORES
    fpr, tpr, _ = sklearn.roc_curve(POSITIVE, scored, drop_intermediate=False)
    np.testing.assert_allclose(scores.roc(scored, POSITIVE), (fpr, tpr), atol=1e-12)
    np.testing.assert_allclose(
        scores.auc(scored, POSITIVE), sklearn.roc_auc_score(POSITIVE, scored), atol=1e-12
    )
    crossing = scipy.optimize.brentq(lambda x: 1 - x - np.interp(x, fpr, tpr), 0, 1)
    eer = scores.equal_error_rate(scored, POSITIVE)
    np.testing.assert_allclose(eer, crossing, atol=1e-9)
    on_device = device_equal_error_rate(jnp.array(scored, jnp.float32), jnp.array(POSITIVE))
    np.testing.assert_allclose(eer, on_device, atol=1e-6)
    for limit in (0, 0.01, 0.2, 1):
        assert scores.tpr_at_fpr(scored, POSITIVE, limit) == tpr[fpr <= limit].max()


def test_perfect_and_useless_scores():
    for scored, expected in (
        (POSITIVE, (1, 0, 1)),
        (~POSITIVE, (0, 1, 0)),
        (0 * SCORES, (0.5, 0.5, 0)),
    ):
        actual = [
            f(scored, POSITIVE) for f in (scores.auc, scores.equal_error_rate, scores.tpr_at_fpr)
        ]
        np.testing.assert_allclose(actual, expected, atol=1e-12)


def test_one_kind_or_nan_is_refused():
    with pytest.raises(ValueError, match="both kinds"):
        scores.auc(SCORES, POSITIVE | True)
    with pytest.raises(ValueError, match="500 scores are not finite"):
        scores.auc(SCORES * np.nan, POSITIVE)


LABELS = RNG.integers(0, 3, 200)
LIKELIHOODS = 2 * np.eye(3)[LABELS] + RNG.normal(size=(200, 3))
PRIOR = np.bincount(LABELS) / 200


def test_bits_are_the_entropy_less_scikit_learns_log_loss():
    posterior = scores.log_posteriors(LIKELIHOODS, PRIOR)
    by_hand = np.exp(LIKELIHOODS) * PRIOR
    np.testing.assert_allclose(np.exp(posterior), by_hand / by_hand.sum(1, keepdims=True))
    loss = sklearn.log_loss(LABELS, np.exp(posterior)) / math.log(2)
    np.testing.assert_allclose(scores.log2_loss(posterior, LABELS), loss, atol=1e-9)
    entropy = -sum(p * math.log2(p) for p in PRIOR)
    np.testing.assert_allclose(scores.usable_bits(posterior, LABELS), entropy - loss, atol=1e-9)


def test_an_attacker_that_knows_nothing_gets_no_bits_and_one_that_knows_all_gets_the_entropy():
    nothing = scores.log_posteriors(np.zeros((200, 3)), PRIOR)
    np.testing.assert_allclose(scores.usable_bits(nothing, LABELS), 0, atol=1e-12)
    certain = scores.log_posteriors(1e3 * np.eye(3)[LABELS], PRIOR)
    np.testing.assert_allclose(scores.usable_bits(certain, LABELS), scores.entropy(LABELS))


def test_online_code_length_of_a_worked_example():
    """10 labels of 4 classes at 2 bits, then 20 at 1.5 and 40 at 0.5."""
    assert scores.online_code_length([1.5, 0.5], [10, 20, 40], 4) == 20 + 30 + 20
    with pytest.raises(ValueError, match="3 portions and 1 losses"):
        scores.online_code_length([1.5], [10, 20, 40], 4)


def test_scores_are_audmetrics():
    """audmetric interpolates no error rate, so that here the two rates meet at a threshold."""
    mated = RNG.normal(1, 1, 400)
    truth, scored = np.repeat([1, 0], 400), np.concatenate([mated, 1 - mated])
    eer = scores.equal_error_rate(scored, truth == 1)
    np.testing.assert_allclose(eer, audmetric.equal_error_rate(truth, scored)[0], atol=1e-6)
    assert 0.2 < eer < 0.4
    guesses = np.where(RNG.random(200) < 0.5, LABELS, 0)
    counts = confusion_counts(guesses, LABELS, np.zeros(200, int), 3)[0]
    expected = audmetric.unweighted_average_recall(LABELS, guesses)
    np.testing.assert_allclose(uar(counts), expected, atol=1e-6)


def test_groups_of_a_victims_utterances_add_up_once_each():
    speakers, labels = np.repeat([0, 1, 2], [7, 2, 6]), np.repeat([0, 1, 1], [7, 2, 6])
    likelihoods = np.stack([2.0 ** np.arange(15), np.ones(15)], 1)  # sums name their utterances
    combined, owner, truth = scores.combine(likelihoods, speakers, labels, 3, seed=0)
    assert owner.tolist() == [0, 0, 1, 2, 2] and truth.tolist() == [0, 0, 1, 1, 1]
    assert combined[:, 1].tolist() == [3, 3, 2, 3, 3]
    used = combined[:, 0].astype(int)
    assert used[2] == 2**7 + 2**8 and used[3] | used[4] == sum(2**i for i in range(9, 15))
    assert used[0] & used[1] == 0 and (used[0] | used[1]) < 2**7
    single, owner, _ = scores.combine(likelihoods, speakers, labels, 1, seed=0)
    assert sorted(single[:, 0]) == sorted(likelihoods[:, 0]) and owner.tolist() == speakers.tolist()
