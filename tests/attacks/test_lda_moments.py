"""The calibration of scores is the minimum of the log-loss under the prior of the training part."""

import numpy as np
import pytest

from privrep.attacks.lda_moments import temperature


def drawn(seed, sizes, apart=1.0):
    """Labels of classes of these sizes and the true log-likelihood ratios against class 0 of what
    is normal about the corners of a simplex."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(len(sizes)), sizes)
    corners = apart * np.eye(len(sizes))
    x = corners[labels] + rng.normal(size=(len(labels), len(sizes)))
    likelihoods = x @ corners.T - (corners**2).sum(1) / 2
    return likelihoods[:, 1:] - likelihoods[:, :1], labels


@pytest.mark.parametrize("sizes", [(4000, 4000), (7600, 400), (6000, 1500, 500)])
def test_true_log_likelihood_ratios_stay_as_they_are(sizes):
    scores, labels = drawn(0, sizes, apart=1.5)
    assert temperature(scores, labels, np.array(sizes, float)) == pytest.approx(1, abs=0.08)
    assert temperature(scores / 5, labels, np.array(sizes, float)) == pytest.approx(5, abs=0.4)


def test_no_other_factor_has_a_lower_log_loss():
    scores, labels = drawn(1, (60, 20, 40), apart=0.7)
    count = np.array([10.0, 70.0, 40.0])
    logits = np.concatenate([np.zeros((120, 1)), scores], 1)

    def loss(factor):
        posterior = np.exp(factor * logits) * count
        return -np.log(posterior[np.arange(120), labels] / posterior.sum(1)).mean()

    best = temperature(scores, labels, count)
    assert loss(best) <= min(map(loss, np.geomspace(0.01, 10, 300))) + 1e-9
