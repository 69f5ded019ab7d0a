"""Figures show what is in the rows and curves, and hide nothing."""

import pytest
from matplotlib.figure import Figure

from experiments.figures import write_figures
from tests.result_rows import BOTH, NAN, ROWS, SETTINGS, run


@pytest.fixture
def drawn(monkeypatch):
    """The figures that write_figures saves, by file name."""
    figures, save = {}, Figure.savefig

    def keep(figure, path, **how):
        figures[path.name] = figure
        save(figure, path, **how | {"dpi": 40})

    monkeypatch.setattr(Figure, "savefig", keep)
    return figures


def curve(lambda_, level, task="activation", **changed):
    told = {"modality": "acoustic", "task": task, "private": "gender", "lambda": lambda_}
    scalars = ("train_emotion_loss", "train_adversary_loss", "val_emotion_uar")
    scores = {name: [level, level + 0.1, level + 0.2] for name in scalars}
    scores |= {"val_gender_adversary_uar": [0.5, NAN, 0.5], "selection": [0.1] * 3}
    return told, scores | changed


def test_figures_show_the_means_and_hide_nothing(tmp_path, drawn):
    curves = [curve(0.0, 0.3), curve(0.0, 0.5), curve(1.0, 0.4)]
    paths = write_figures(tmp_path, ROWS, curves, SETTINGS)
    names = [path.name for path in paths]
    assert names == [f"{kind}_activation.png" for kind in ("lambda", "front", "curves")]
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in paths)

    emotion, privacy = drawn["lambda_activation.png"].axes
    assert [tick.get_text() for tick in privacy.get_xticklabels()] == ["0", "0.5", "1"]
    means = [[0.55, 0.54, 0.42], [0.25, 0.26, 0.46]]
    for ax, y, guess in zip((emotion, privacy), means, (1 / 3, 0.5)):
        lines = [list(line.get_ydata()) for line in ax.lines]
        assert any(line == pytest.approx(y) for line in lines)
        for level in (guess, y[0]):  # chance, and lambda 0 across the panel
            assert any(line == pytest.approx([level, level]) for line in lines)

    uar = drawn["curves_activation.png"].axes[0]
    lines = [list(line.get_ydata()) for line in uar.lines]
    assert lines[0] == pytest.approx([0.4, 0.5, 0.6])
    assert lines[1] == pytest.approx([0.4, 0.5, 0.6])
    assert len(drawn["curves_activation.png"].axes) == 4


def test_axes_reach_beyond_chance_so_that_noise_looks_small(tmp_path, drawn):
    write_figures(tmp_path, [run(0.0, gender=0.499), run(1.0, gender=0.501)], [], SETTINGS)
    emotion, privacy = drawn["lambda_activation.png"].axes
    for ax, guess in ((emotion, 1 / 3), (privacy, 0.5)):
        low, high = ax.get_ylim()
        assert low <= guess - 0.1 and high >= guess + 0.1


def test_curves_say_why_there_is_no_panel_of_speakers(tmp_path, drawn):
    told, scalars = curve(0.0, 0.4, val_speaker_adversary_uar=[NAN] * 3)
    write_figures(tmp_path, BOTH, [(told | {"private": "gender+speaker"}, scalars)], SETTINGS)
    figure = drawn["curves_activation.png"]
    assert len(figure.axes) == 4
    assert "no speaker adversary UAR on validation: its classes are" in figure.get_suptitle()
    assert "gender" not in figure.get_suptitle()


def test_legends_and_titles_of_figures_overlap_nothing(tmp_path, drawn):
    rows = [
        row | {"modality": modality, "placement": placement}
        for row in ROWS + BOTH
        for modality in ("acoustic", "multimodal")
        for placement in ("joint", "modality")
    ]
    write_figures(tmp_path, rows, [curve(x / 10, 0.4) for x in range(12)], SETTINGS)
    for name, figure in drawn.items():
        panels = [ax.get_tightbbox() for ax in figure.axes]
        (legend,) = figure.legends
        boxes = [*panels, legend.get_window_extent(), figure._suptitle.get_window_extent()]
        for i, box in enumerate(boxes):
            inside = figure.bbox
            assert box.x0 >= inside.x0 - 1 and box.x1 <= inside.x1 + 1, name
            assert box.y0 >= inside.y0 - 1 and box.y1 <= inside.y1 + 1, name
            assert not any(box.overlaps(other) for other in boxes[i + 1 :]), name


def test_curves_of_different_length_and_a_task_without_curves(tmp_path, drawn):
    short = {"val_emotion_uar": [0.8]}
    rows = [run(0.0), run(0.0, task="a/b")]
    paths = write_figures(tmp_path, rows, [curve(0.0, 0.4), curve(0.0, 0, **short)], SETTINGS)
    names = [path.name for path in paths]
    assert names == ["lambda_a_b.png", "lambda_activation.png", "curves_activation.png"]
    ax = drawn["curves_activation.png"].axes[0]
    assert list(ax.lines[0].get_ydata()) == pytest.approx([0.6, 0.5, 0.6])


def test_a_task_whose_runs_all_diverged_has_no_lambda_figure(tmp_path):
    assert write_figures(tmp_path, [run(0.0, diverged=True)], [], SETTINGS) == []
