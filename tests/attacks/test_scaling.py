"""Columns as attackers see them: no offset, no outlier, no small direction hides anything."""

import numpy as np
import scipy.stats

from privrep.attacks.scaling import (
    MOST_REPEATED,
    clipped_and_unclipped,
    normal_scores,
    repeated_values,
    standardised,
    whitened,
)

RNG = np.random.default_rng(0)


def test_standardised_columns_do_not_depend_on_unit_and_offset():
    x = RNG.normal(size=(500, 3)) * [1, 5, 0.1]
    moved = x * [1e-20, 1e9, -3] + [0, 1e12, 7]
    np.testing.assert_allclose(standardised(moved), standardised(x) * [1, 1, -1], atol=1e-4)
    np.testing.assert_allclose(standardised(x).std(0), 1)
    np.testing.assert_allclose(standardised(x).mean(0), 0, atol=1e-12)


def test_an_outlier_leaves_the_others_apart():
    x = RNG.normal(size=(500, 1))
    x[:25] = -1e9
    scaled = standardised(x)[25:]
    assert np.ptp(scaled) > 0.5
    assert scipy.stats.spearmanr(scaled, x[25:]).statistic > 0.9999


def test_unclipped_columns_are_the_same_but_for_outliers():
    x = RNG.normal(size=(500, 2)) * [1, 1e3] + 1e6
    assert clipped_and_unclipped(x)[1] is None
    x[0] = 1e9
    np.testing.assert_allclose(clipped_and_unclipped(x)[1], (x - x.mean(0)) / x.std(0), atol=1e-6)


def test_only_a_column_of_one_value_becomes_zero():
    x = np.full((100, 3), 7, np.float32)
    x[50:, 1] = np.nextafter(np.float32(7), np.float32(8))  # the least difference there is
    x[3, 2] = 8
    scaled = standardised(x)
    assert not scaled[:, 0].any() and np.ptp(scaled[:, 1]) > 1 and np.ptp(scaled[:, 2]) > 1


def test_whitened_columns_span_x_down_to_directions_of_a_billionth():
    rng = np.random.default_rng(0)
    turned = np.linalg.qr(rng.normal(size=(5, 5)))[0]
    mixed = rng.normal(size=(400, 5)) * [1, 1e-3, 1e-6, 1e-9, 1] @ turned
    x = mixed - mixed.mean(0)
    z, variance = whitened(x)
    np.testing.assert_allclose(z.T @ z / len(z), np.eye(5), atol=1e-5)
    np.testing.assert_allclose(np.sqrt(variance[2:]), [1e-3, 1e-6, 1e-9], rtol=0.2)
    smallest = (x @ turned.T)[:, 3]
    assert abs(np.corrcoef(z[:, 4], smallest)[0, 1]) > 0.99  # of h in float64, to 1e-16


def test_fewer_rows_than_columns_and_nothing_at_all():
    z, variance = whitened(standardised(RNG.normal(size=(6, 20))))
    assert z.shape == (6, len(variance)) and len(variance) == 5
    z, variance = whitened(np.zeros((6, 3)))
    assert z.shape == (6, 1) and not z.any()


def test_normal_scores_know_ranks_only():
    x = RNG.standard_cauchy((200, 2))
    np.testing.assert_array_equal(normal_scores(x), normal_scores(np.arctan(x)))
    assert abs(normal_scores(x)).max() < 3
    expected = scipy.stats.norm.ppf((scipy.stats.rankdata(x, axis=0) - 0.5) / len(x))
    np.testing.assert_allclose(normal_scores(x), expected, atol=1e-12)
    tied = normal_scores(np.array([[1.0], [1.0], [2.0]]))
    assert tied[0] == tied[1] < tied[2]


def test_repeated_values_are_those_of_a_count():
    x = np.random.default_rng(1).integers(0, 12, (400, 3)) ** 2.0
    x[:, 1] = RNG.normal(size=400)
    x[:, 2] = 7.0
    x[:7, 2] = RNG.normal(size=7)  # 7 is in more than 98 % of the rows
    expected = {
        tuple(x[:, column] == value)
        for column in range(3)
        for value in np.unique(x[:, column])
        if 0.02 <= (x[:, column] == value).mean() <= 0.98
    }
    assert {tuple(shown > 0) for shown in repeated_values(x).T} == expected and len(expected) == 12


def test_repeated_values_do_not_depend_on_what_the_values_are():
    x = np.round(2 * RNG.normal(size=(300, 4)))
    codes = np.unique(x, return_inverse=True)[1].reshape(x.shape)
    for renamed in (np.exp(x), -3 * x + 1e6, np.random.default_rng(2).random(200)[codes]):
        expected, shown = (
            {tuple(column) for column in repeated_values(values).T} for values in (x, renamed)
        )
        assert shown == expected


def test_repeated_values_are_few_and_the_most_frequent():
    x = (RNG.random((200, 100)) < np.linspace(0.1, 0.4, 100)) * RNG.normal(size=(200, 100))
    shown = repeated_values(x)
    zeros = (x == 0).sum(0)
    assert shown.shape == (200, MOST_REPEATED)
    np.testing.assert_array_equal(shown.sum(0), np.sort(zeros)[::-1][:MOST_REPEATED])
    assert repeated_values(RNG.normal(size=(50, 3))).shape == (50, 0)
    assert repeated_values(np.zeros((3, 2))).shape == (3, 0)
