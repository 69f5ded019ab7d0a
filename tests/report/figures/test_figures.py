"""Figures show what is in the rows and curves, and hide nothing."""

import re
from xml.etree import ElementTree

import matplotlib
import numpy as np
import pytest

from experiments.report.figures.by_setting import report_figures
from experiments.report.figures.curves import draw
from experiments.report.figures.inline_svg import inline_svg
from experiments.report.figures.membership import membership_conclusions, membership_figures
from experiments.report.figures.style import STYLE, save
from experiments.results.h_map import Map
from experiments.results.summary import summarise
from tests.support.result_rows import BOTH, NAN, ROWS, SETTINGS, control, run

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(autouse=True)
def style():
    with matplotlib.rc_context(STYLE):
        yield


def drawn(rows, curves=(), maps=()):
    """{file name: figure} of all that the report draws."""
    summary = summarise(rows, SETTINGS)
    of_rows = [*report_figures(summary, maps), *membership_figures(summary)]
    return dict([*of_rows, *draw(summary, curves)])


def curve(lambda_, level, task="activation", **changed):
    columns = {"modality": "acoustic", "task": task, "private": "gender", "lambda": lambda_}
    scalars = ("train_emotion_loss", "train_adversary_loss", "val_emotion_uar")
    scores = {name: [level, level + 0.1, level + 0.2] for name in scalars}
    scores |= {"val_gender_adversary_uar": [0.5, NAN, 0.5], "selection": [0.1] * 3}
    return columns, scores | changed


def pooled(emotion, gender):
    """Columns over speakers: 0.1 to either side of both scores."""
    columns = {f"emotion_pooled_{c}": emotion + d for c, d in (("uar", 0), ("lower", -0.1))}
    columns |= {"emotion_pooled_upper": emotion + 0.1, "gender_pooled_verdict": "leaks"}
    offsets = (("uar", 0), ("lower", -0.1), ("upper", 0.1))
    return columns | {f"gender_pooled_{c}": gender + d for c, d in offsets}


def member(known, auc, verdict="cannot_tell", lower=None):
    columns = {"auc": auc, "lower": lower, "upper": auc + 0.1, "p": 0.3, "verdict": verdict}
    return {f"{known}_membership_{name}": value for name, value in columns.items()}


def same(line, values):
    return list(line.get_ydata()) == pytest.approx(values)


def test_figures_show_the_means_and_hide_nothing(tmp_path):
    figures = drawn(ROWS, [curve(0.0, 0.3), curve(0.0, 0.5), curve(1.0, 0.4)])
    kinds = ("lambda_demo_activation_gender", "leakage_demo_activation_gender")
    assert [*figures] == [*kinds, "front_activation", "curves_activation"]
    emotion, attacker = figures["lambda_demo_activation_gender"].axes
    assert [tick.get_text() for tick in attacker.get_xticklabels()] == ["0", "0.5", "1"]
    means = [[0.55, 0.54, 0.42], [0.75, 0.74, 0.54]]
    for ax, y, guess in zip((emotion, attacker), means, (1 / 3, 0.5)):
        for values in (y, [guess, guess], [y[0], y[0]]):  # chance, lambda 0 across the panel
            assert any(same(line, values) for line in ax.lines)
    uar = figures["curves_activation"].axes[0]
    assert same(uar.lines[0], [0.4, 0.5, 0.6]) and same(uar.lines[1], [0.4, 0.5, 0.6])
    assert len(figures["curves_activation"].axes) == 4


def test_bars_are_the_intervals_over_speakers():
    rows = [run(0.0, **pooled(0.5, 0.7)), run(1.0, **pooled(0.6, 0.6))]
    rows.append(control("raw", 0.9, **pooled(0.5, 0.85)))
    figures = drawn(rows)
    emotion, attacker = figures["lambda_demo_activation_gender"].axes
    assert any(same(line, [0.5, 0.6]) for line in emotion.lines)
    assert any(same(line, [0.5, 0.7]) for line in emotion.lines)  # of lambda 1
    assert any(same(line, [0.5, 0.7]) for line in attacker.lines)
    (leak,) = figures["leakage_demo_activation_gender"].axes
    assert any(same(line, [0.75, 0.95]) for line in leak.lines)  # of what the network is given


def test_membership_shows_every_network_its_bounds_its_verdict_and_the_control():
    rows = [
        run(0.0, **member("h", 0.55), **member("labels", 0.8, "leaks")),
        run(1.0, **member("h", 0.45, "no_leak_shown", lower=0.4)),
        control("untrained", 0.7, **member("h", 0.6)),
        control("raw", 0.7, **member("h", 0.9)),
    ]
    assert membership_conclusions(summarise(rows, SETTINGS)) == [
        "demo (synthetic), acoustic, activation, unlearning gender, attacker has h alone: AUC "
        "0.450 to 0.550 (chance 0.5), a leak in 0 of 2 networks; the untrained network, which was "
        "trained on nobody, has 0.600.",
        "demo (synthetic), acoustic, activation, unlearning gender, attacker has h and labels: AUC "
        "0.800 (chance 0.5), a leak in 1 of 1 networks.",
    ]
    h, labels = drawn(rows)["membership_demo_activation_gender"].axes
    assert [tick.get_text() for tick in labels.get_xticklabels()] == ["0", "1", "untrained"]
    shown = [line for line in h.lines if line.get_marker() not in ("", "None")]
    assert sorted(float(line.get_ydata()[0]) for line in shown) == [0.45, 0.55, 0.6]
    assert {line.get_markerfacecolor() for line in shown} == {"white"}
    for bar in ([0.55, 0.65], [0.4, 0.55], [0.6, 0.7], [0.5, 0.5]):
        assert any(same(line, bar) for line in h.lines), bar
    (leak,) = [line for line in labels.lines if line.get_marker() == "o"]
    assert leak.get_markerfacecolor() != "white"
    for ax in (h, labels):
        assert ax.get_ylim()[0] <= 0.4 and "AUC\n(fraction" in ax.get_ylabel()


def test_without_membership_or_where_all_collapsed_there_is_no_figure_of_it():
    collapsed = [run(0.0, **member("h", 0.6), collapsed=True)]
    for rows in (ROWS, collapsed):
        summary = summarise(rows, SETTINGS)
        assert [*membership_figures(summary)] == [] == membership_conclusions(summary)


def test_axes_name_the_number_and_collapse_is_not_drawn_as_privacy():
    rows = [run(0.0, **pooled(0.5, 0.7)), run(1.0, **pooled(0.6, 0.6))]
    figures = drawn([*rows, run(2.0, gender=0.5, collapsed=True)])
    emotion, attacker = figures["lambda_demo_activation_gender"].axes
    assert "all speakers together" in emotion.get_ylabel()
    assert "strongest of linear and kernel" in " ".join(attacker.get_ylabel().split())
    assert not any(len(line.get_xdata()) == 3 for line in attacker.lines)
    assert "no attacker is drawn" in figures["lambda_demo_activation_gender"].get_suptitle()
    (leak,) = figures["leakage_demo_activation_gender"].axes
    assert "strongest of linear and kernel" in leak.get_ylabel()
    means = drawn([run(0.0), run(1.0)])
    assert "mean over folds" in means["lambda_demo_activation_gender"].axes[1].get_ylabel()
    assert "mean over folds" in means["leakage_demo_activation_gender"].axes[0].get_ylabel()


def test_axes_reach_beyond_chance_so_that_noise_looks_small():
    figures = drawn([run(0.0, gender=0.499), run(1.0, gender=0.501)])
    for name in ("lambda_demo_activation_gender", "leakage_demo_activation_gender"):
        low, high = figures[name].axes[-1].get_ylim()
        assert low <= 0.4 and high >= 0.6


def test_curves_say_why_there_is_no_panel_of_speakers():
    columns, scalars = curve(0.0, 0.4, val_speaker_adversary_uar=[NAN] * 3)
    figures = drawn(BOTH, [(columns | {"private": "gender+speaker"}, scalars)])
    figure = figures["curves_activation"]
    assert len(figure.axes) == 4
    assert "no speaker adversary UAR on validation: its classes are" in figure.get_suptitle()
    assert "gender" not in figure.get_suptitle()


def a_map(shift, emotions=3):
    rng = np.random.default_rng(0)
    private, emotion = rng.integers(0, 2, 90), rng.integers(0, emotions, 90)
    xy = rng.normal(size=(90, 2)) + shift * private[:, None]
    return Map(xy, private, emotion, "gender", ("female", "male"), ("low", "mid", "high"))


def test_a_map_shows_the_ordinary_and_the_chosen_network_and_every_point():
    rows = [run(0.0), run(0.5, val=(0.4, 0.6)), run(1.0)]
    columns = [{name: row[name] for name in [*SETTINGS, "seed"]} for row in rows]
    figures = drawn(rows, maps=list(zip(columns, map(a_map, (4, 2, 1)))))
    figure = figures["map_demo_acoustic_activation_gender"]
    assert [ax.get_title() for ax in figure.axes] == ["ordinary", "λ 1"]
    shown = np.concatenate([line.get_xydata() for line in figure.axes[0].lines])
    np.testing.assert_allclose(sorted(map(tuple, shown)), sorted(map(tuple, a_map(4).xy)))
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels == ["gender: female", "gender: male", "low", "mid", "high"]
    assert len({line.get_marker() for line in figure.axes[0].lines}) == 3
    low_female = ((a_map(4).private == 0) & (a_map(4).emotion == 0)).sum()
    text = inline_svg(figure, "map", "Map")
    assert text.count("<title>female, low</title>") == 2 * low_female  # in either panel
    assert f"female, low, {low_female} points" in text


def test_legends_and_titles_of_figures_overlap_nothing():
    rows = [
        row | {"modality": modality, "placement": placement} | member("h", 0.6)
        for row in ROWS + BOTH
        for modality in ("acoustic", "lexical", "multimodal")
        for placement in ("joint", "modality")
    ]
    columns = [dict(row) for row in rows if not row["control"] and row["fold"] == 0]
    figures = drawn(
        rows, [curve(x / 10, 0.4) for x in range(12)], [(row, a_map(3)) for row in columns]
    )
    assert {name.split("_")[0] for name in figures} == {
        *("lambda", "leakage", "membership", "map", "front", "curves")
    }
    for name, figure in figures.items():
        figure.draw_without_rendering()
        panels = [ax.get_tightbbox() for ax in figure.axes]
        (legend,) = figure.legends
        boxes = [*panels, legend.get_window_extent(), figure._suptitle.get_window_extent()]
        for i, box in enumerate(boxes):
            inside = figure.bbox
            assert box.x0 >= inside.x0 - 1 and box.x1 <= inside.x1 + 1, name
            assert box.y0 >= inside.y0 - 1 and box.y1 <= inside.y1 + 1, name
            assert not any(box.overlaps(other) for other in boxes[i + 1 :]), name


def test_every_axis_has_a_name_and_panels_of_a_row_share_it():
    rows = [row | {"modality": m} for row in ROWS for m in ("acoustic", "lexical")]
    for name, figure in drawn(rows, [curve(0.0, 0.4)]).items():
        assert figure.axes[0].get_ylabel(), name
        assert any(ax.get_xlabel() for ax in figure.axes), name


def test_curves_of_different_length_and_a_task_without_curves():
    short = {"val_emotion_uar": [0.8]}
    rows = [run(0.0), run(0.0, task="a/b")]
    figures = drawn(rows, [curve(0.0, 0.4), curve(0.0, 0, **short)])
    assert [*figures] == [
        "leakage_demo_activation_gender",
        "leakage_demo_a_b_gender",
        "curves_activation",
    ]
    ax = figures["curves_activation"].axes[0]
    assert list(ax.lines[0].get_ydata()) == pytest.approx([0.6, 0.5, 0.6])


def test_curves_of_other_recipes_and_placements_are_never_averaged():
    columns, scalars = curve(1.0, 0.2)
    curves = [
        (
            columns | {"recipe": recipe, "placement": placement},
            scalars | {"val_emotion_uar": [level]},
        )
        for recipe, placement, level in (
            ("paper", "joint", 0.2),
            ("strong", "joint", 0.8),
            ("strong", "modality", 0.9),
        )
    ]
    figure = drawn(ROWS, [curve(0.0, 0.5), *curves])["curves_activation"]
    levels = [line.get_ydata()[0] for line in figure.axes[0].lines[1:4]]
    assert levels == pytest.approx([0.2, 0.8, 0.9])
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert "paper, placement=joint, λ 1" in labels
    assert "strong, placement=modality, λ 1" in labels
    assert figure.get_suptitle().startswith("demo (synthetic), activation: training")
    assert "mean over 1 run per line" in figure.get_suptitle()
    styles = {line.get_linestyle() for line in figure.legends[0].get_lines()[1:4]}
    assert len(styles) == 3


def test_a_task_whose_runs_all_diverged_has_no_figure():
    assert drawn([run(0.0, diverged=True)]) == {}


def test_the_same_figure_is_the_same_bytes(tmp_path):
    written = []
    for name in ("a", "b"):
        paths = [tmp_path / f"{name}.{ending}" for ending in ("png", "pdf")]
        save(next(draw(summarise(ROWS, SETTINGS), []))[1], *paths)
        written.append([path.read_bytes() for path in paths])
    assert written[0] == written[1]
    assert written[0][0].startswith(b"\x89PNG") and written[0][1].startswith(b"%PDF")


def test_a_figure_in_a_page_takes_its_colours_and_says_what_it_is(tmp_path):
    name, figure = next(draw(summarise(ROWS, SETTINGS), []))
    save(figure, tmp_path / "a.png")
    text = inline_svg(figure, name, 'what <it> "shows"')
    root = ElementTree.fromstring(text)
    assert root[0].text == 'what <it> "shows"'
    assert root.get("aria-label").startswith('what <it> "shows". ')
    assert (
        "currentColor" in text
        and "#000000" not in text
        and "#ffffff" not in text
        and "<style" not in text
    )
    names = re.findall(r'\bid="([^"]*)"', text)
    assert len({*names}) == len(names) and all(n.startswith(f"{name}-") for n in names)
    used = re.findall(r'url\(#([^)]*)\)|href="#([^"]*)"', text)
    assert used and {a or b for a, b in used} <= {*names}
    assert text == inline_svg(figure, name, 'what <it> "shows"')


def test_every_point_bears_its_network_and_numbers_and_the_text_of_the_figure_lists_them():
    rows = [
        run(0.0, **pooled(0.5, 0.7), **member("h", 0.55)),
        run(1.0, **pooled(0.6, 0.6), **member("h", 0.45, lower=0.4), recipe="paper"),
        control("decision", 0.5, **pooled(0.5, 0.55)),
    ]
    names = [*SETTINGS, "recipe"]
    summary = summarise(rows, names)
    figures = dict([*report_figures(summary, ()), *membership_figures(summary)])
    figures |= dict(draw(summary, [curve(0.0, 0.3), curve(1.0, 0.4, recipe="paper")]))
    expected = {
        "lambda": ["ordinary: 0.500 (0.400 to 0.600)", "paper, λ 1: 0.600 (0.500 to 0.700)"],
        "leakage": ["paper, λ 1: 0.600 (0.500 to 0.700)", "decision: 0.550 (0.450 to 0.650)"],
        "membership": ["paper, λ 1, cannot tell: 0.450 (0.400 to 0.550)"],
        "front": ["paper, λ 1: attacker at most 0.700,", "decision: attacker at most 0.650,"],
        "curves": ["ordinary: 0.300 at epoch 1, 0.500 at epoch 3"],
    }
    assert {name.split("_")[0] for name in figures} == {*expected}
    for name, figure in figures.items():
        root = ElementTree.fromstring(inline_svg(figure, name, "caption"))
        titles = [title.text for title in root.iter(f"{SVG}title")][1:]
        marks = [use for use in root.iter(f"{SVG}use") if use.find(f"{SVG}title") is not None]
        assert marks or name.startswith("curves")
        for text in expected[name.split("_")[0]]:
            assert any(title.startswith(text) for title in titles), (name, text, titles)
            assert text in root.get("aria-label"), (name, text)
        for title in titles:  # what is shown on hovering is said to those who do not see as well
            assert title in root.get("aria-label")
