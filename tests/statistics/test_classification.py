"""Macro-F1, weighted accuracy and recalls equal scikit-learn's on any predictions."""

import doctest

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from sklearn.metrics import (
    accuracy_score,
    balanced_accuracy_score,
    confusion_matrix,
    f1_score,
    recall_score,
)

from privrep.statistics import classification
from privrep.statistics.classification import macro_f1, recall_of, recalls, weighted_accuracy
from privrep.statistics.confidence import interval
from privrep.statistics.uar import confusion_counts, uar


def test_the_examples_run():
    failed, tried = doctest.testmod(classification)
    assert tried and not failed


pairs = st.integers(2, 5).flatmap(
    lambda size: st.tuples(
        st.just(size),
        st.lists(
            st.tuples(st.integers(0, size - 1), st.integers(0, size - 1)), min_size=1, max_size=40
        ),
    )
)


@settings(deadline=None, max_examples=60)
@given(pairs)
@pytest.mark.filterwarnings("ignore")  # scikit-learn on classes that do not occur
def test_scores_equal_those_of_scikit_learn(drawn):
    size, rows = drawn
    truth, predicted = np.array(rows).T
    (counts,) = confusion_counts(predicted, truth, np.zeros(len(truth), int), size)
    every = np.arange(size)
    np.testing.assert_array_equal(counts, confusion_matrix(truth, predicted, labels=every))
    np.testing.assert_allclose(macro_f1(counts), f1_score(truth, predicted, average="macro"))
    np.testing.assert_allclose(weighted_accuracy(counts), accuracy_score(truth, predicted))
    np.testing.assert_allclose(uar(counts), balanced_accuracy_score(truth, predicted))
    expected = recall_score(truth, predicted, labels=every, average=None)
    occurs = np.isin(every, truth)
    np.testing.assert_allclose(recalls(counts)[occurs], expected[occurs])
    assert np.isnan(recalls(counts)[~occurs]).all()
    np.testing.assert_allclose([recall_of(c, counts) for c in every], expected)


@pytest.mark.parametrize("score", [macro_f1, weighted_accuracy])
def test_an_interval_is_over_speakers(score):
    """Each speaker's utterances counted ten times say nothing more about speakers."""
    rng = np.random.default_rng(0)
    speaker = np.repeat(np.arange(20), 9)
    truth = rng.integers(0, 3, len(speaker))
    skill = rng.random(20)[speaker]
    predicted = np.where(rng.random(len(speaker)) < skill, truth, rng.integers(0, 3, len(speaker)))
    counts = confusion_counts(predicted, truth, speaker, 3)
    once, often = interval(counts, score), interval(10 * counts, score)
    np.testing.assert_allclose(once, often, rtol=1e-4)
    assert once.lower < score(counts.sum(0)) < once.upper
