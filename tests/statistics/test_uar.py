"""The UAR weighs every class alike, however many utterances it has."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import recall_score

from privrep.statistics.uar import confusion_counts, mean_recall, uar, uars_of

COUNTS = arrays(np.int64, (3, 3), elements=st.integers(0, 50))


@settings(max_examples=10)
@given(COUNTS, st.integers(2, 40), st.integers(0, 2))
def test_a_class_that_says_all_several_times_counts_once(counts, times, repeated):
    more = counts * np.where(np.arange(3) == repeated, times, 1)[:, None]
    assert uar(more) == pytest.approx(uar(counts))
    hits, support = np.diagonal(counts), counts.sum(1)
    assert mean_recall(np.diagonal(more), more.sum(1)) == pytest.approx(mean_recall(hits, support))


@pytest.mark.parametrize("num_classes", [2, 3, 5])
def test_whoever_always_names_one_class_scores_chance(num_classes):
    """The accuracy of naming the most frequent class would be far above."""
    labels = np.repeat(np.arange(num_classes), 10 ** np.arange(num_classes) % 97 + 3)
    rows = np.stack([labels, np.random.default_rng(0).permutation(labels)])
    for named in range(num_classes):
        predictions = np.full(rows.shape, named)
        np.testing.assert_allclose(uars_of(predictions, rows, num_classes), 1 / num_classes)
        counts = confusion_counts(predictions[0], labels, 0 * labels, num_classes)
        assert uar(counts[0]) == pytest.approx(1 / num_classes)


def test_the_uars_of_many_labellings_are_scikit_learns():
    rng = np.random.default_rng(0)
    labels = np.stack([rng.permutation(np.repeat([0, 1, 2], [5, 30, 90])) for _ in range(7)])
    predictions = np.where(rng.random(labels.shape) < 0.5, labels, rng.integers(0, 3, labels.shape))
    expected = [recall_score(*pair, average="macro") for pair in zip(labels, predictions)]
    np.testing.assert_allclose(uars_of(predictions, labels, 3), expected)
