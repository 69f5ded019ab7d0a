"""The front shows the table's own numbers, and a line for every recipe."""

import numpy as np

from experiments.report.figures.front import front
from experiments.results.summary import summarise
from tests.support.result_rows import ROWS, SETTINGS, control, run

NAMES = [*SETTINGS, "recipe"]


def judged(row, upper):
    return row | {
        "gender_pooled_verdict": "leaks",
        "gender_pooled_upper": upper,
        "gender_pooled_minimum_detectable": 0.6,
        "gender_pooled_uar": upper - 0.1,
        "gender_pooled_p": 0.01,
    }


def lines(figure):
    (ax,) = figure.axes
    return {
        label: np.array(handle.get_xydata())
        for handle, label in zip(*[figure.legends[0].legend_handles, _labels(figure)])
        for handle in [next(x for x in ax.lines if _same(x, handle))]
    }


def _labels(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


def _same(line, handle):
    return (line.get_marker(), line.get_color()) == (handle.get_marker(), handle.get_color())


def test_a_point_for_every_lambda_of_every_recipe_behind_lambda_zero():
    rows = [
        judged(run(0.0, emotion=0.6, recipe="none"), 0.9),
        judged(run(1.0, emotion=0.55, recipe="paper"), 0.95),
        judged(run(0.5, emotion=0.58, recipe="subspace"), 0.7),
        judged(run(1.0, emotion=0.57, recipe="subspace"), 0.6),
        judged(control("decision", 0.5, test_emotion_uar=0.6), 0.55),
    ]
    points = lines(front("activation", summarise(rows, NAMES)))
    assert set(points) == {"paper", "subspace", "decision", "Pareto front on validation", "chance"}
    np.testing.assert_allclose(points["paper"], [[0.9, 0.6], [0.95, 0.55]])
    np.testing.assert_allclose(points["subspace"], [[0.9, 0.6], [0.7, 0.58], [0.6, 0.57]])
    np.testing.assert_allclose(points["decision"], [[0.55, 0.6]])


def test_without_bounds_the_attackers_mean_stands_there_and_the_axis_says_so():
    figure = front("activation", summarise(ROWS, SETTINGS))
    (ax,) = figure.axes
    assert ax.get_xlabel().startswith("mean of the gender attacker's UAR")
    np.testing.assert_allclose(lines(figure)["λ > 0"][:, 0], [0.75, 0.74, 0.54])


def test_one_point_makes_no_front():
    assert front("activation", summarise([run(1.0)], SETTINGS)) is None


def test_what_diverged_altogether_has_no_line():
    gone = [run(lambda_, recipe="paper", diverged=True) for lambda_ in (0.5, 1.0)]
    assert (
        front("activation", summarise([run(0.0, recipe="none", diverged=True), *gone], NAMES))
        is None
    )
    kept = [run(0.0, recipe="none"), run(1.0, emotion=0.57, recipe="subspace")]
    assert set(lines(front("activation", summarise([*kept, *gone], NAMES)))) == {
        *("subspace", "Pareto front on validation", "chance")
    }


def test_points_are_of_all_speakers_together_and_what_has_no_bound_is_not_drawn():
    """One estimator for both axes; a network of which some collapsed has none."""
    pooled = {"emotion_pooled_uar": 0.52, "emotion_pooled_lower": 0.5, "emotion_pooled_upper": 0.6}
    rows = [
        judged(run(0.0, emotion=0.6, recipe="none", **pooled), 0.9),
        judged(run(1.0, emotion=0.7, recipe="paper", **pooled), 0.8),
        judged(run(2.0, emotion=0.7, recipe="paper", **pooled, collapsed=True), 0.5),
    ]
    figure = front("activation", summarise(rows, NAMES))
    np.testing.assert_allclose(lines(figure)["paper"], [[0.9, 0.52], [0.8, 0.52]])
    assert "some collapsed are not drawn" in " ".join(figure.get_suptitle().split())
    assert {text.get_text() for text in figure.axes[0].texts} == {"ordinary", "1"}
