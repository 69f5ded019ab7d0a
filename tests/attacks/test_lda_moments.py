"""The calibration of scores is the minimum of the log-loss under the prior of the training part."""

import numpy as np
import pytest

from privrep.attacks.lda_moments import (
    class_of_units,
    count_hits,
    decide,
    discriminant_scores,
    discriminants,
    sum_moments,
    temperature,
    unit_sums,
    units_of,
)


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


@pytest.mark.parametrize("num_classes", [2, 3])
def test_speakers_as_a_basis_give_the_discriminants_of_their_utterances(num_classes):
    """What a labelling of speakers needs lies in the span of the speakers' sums."""
    rng = np.random.default_rng(0)
    speaker = np.repeat(np.arange(12), 9)
    labels = np.stack([rng.permutation(np.arange(12) % num_classes)[speaker] for _ in range(30)], 1)
    h = (rng.normal(size=(108, 20)) + rng.normal(size=(12, 20))[speaker]).astype(np.float32)
    units = units_of(labels.astype(np.int16), np.arange(108))
    assert len(units.starts) == 12 and units.rows.tolist() == [*range(108)]
    direct = discriminants(sum_moments(h, units, num_classes), (1.0, 1e-3))
    of_units, basis = class_of_units(units, num_classes), unit_sums(h, units)
    by_basis = discriminants(sum_moments(h, units, num_classes, of_units), (1.0, 1e-3), basis)
    assert by_basis.left.shape == (2, 20, 12) and direct.left is None
    expected = discriminant_scores(h, direct)
    np.testing.assert_allclose(discriminant_scores(h, by_basis), expected, rtol=2e-3, atol=2e-4)
    hits = count_hits(h, units, direct)
    for c in range(num_classes):
        by_hand = ((decide(h, direct) == labels) & (labels == c)).sum(1)
        np.testing.assert_array_equal(hits[..., c], by_hand)


def test_units_of_one_labelling_are_its_classes_and_of_varying_labels_the_utterances():
    labels = np.array([[1, 0], [0, 1], [1, 1], [1, 0]], np.int16)
    by_class = units_of(labels[:, :1], np.array([0, 1, 3]))
    assert by_class.rows.tolist() == [0, 3, 1] and by_class.sizes.tolist() == [2, 1]
    assert units_of(labels, np.arange(3)).labels.tolist() == labels[:3].tolist()
