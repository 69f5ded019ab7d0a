"""Figure of membership identification, and its conclusions in words."""

from collections.abc import Iterator, Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from experiments.config.lambdas import is_zero, lambda_text, strengths
from experiments.report.figures.style import (
    COLOURS,
    GREY,
    SHAPES,
    Look,
    ScoredPoint,
    categories,
    chance_in_legend,
    chance_line,
    file_name,
    finish,
    framed,
    in_legend,
    titled,
    whiskers,
)
from experiments.results.questions import by_question
from experiments.results.selected import (
    ORDINARY,
    Cell,
    block_of,
    choices,
    corpus_name,
    network_name,
)
from experiments.results.summary import Entry, label, recipe_of

_CONTROL = "untrained"
_ATTACKERS = {"h": "attacker has h alone", "labels": "attacker has h and labels"}
_CHANCE_AUC = 0.5


def membership_figures(summary: Sequence[Entry]) -> Iterator[tuple[str, Figure]]:
    """(file name without ending, figure) of each corpus, task and unlearned attributes.

    None where membership was not measured. To be drawn in `style.STYLE`.
    """
    shown = _shown(summary)
    for question, cells in by_question(shown).items():
        figure = _figure(f"{question.title()}: membership", {cell: shown[cell] for cell in cells})
        yield file_name("_".join(["membership", *question])), figure


def membership_conclusions(summary: Sequence[Entry]) -> list[str]:
    """For each cell and attacker: the range of AUC, the number of leaks, and the control."""
    sentences = []
    for cell, entries in _shown(summary).items():
        for known, knowledge in _ATTACKERS.items():
            measured = [entry for entry in entries if known in entry["membership"]]
            networks = [e["membership"][known] for e in measured if not e["control"]]
            if not networks:
                continue
            aucs = [scores["auc"] for scores in networks]
            leaks = sum(scores["verdict"] == "leaks" for scores in networks)
            span = " to ".join(dict.fromkeys(f"{auc:.3f}" for auc in (min(aucs), max(aucs))))
            place = f"{corpus_name(cell.dataset)}, {cell.modality}, {cell.task}"
            sentence = (
                f"{place}, unlearning {cell.private}, {knowledge}: AUC {span} (chance 0.5), "
                f"a leak in {leaks} of {len(networks)} networks"
            )
            for entry in [entry for entry in measured if entry["control"]][:1]:
                auc = entry["membership"][known]["auc"]
                sentence += f"; the untrained network, which was trained on nobody, has {auc:.3f}"
            sentences.append(f"{sentence}.")
    return sentences


def _shown(summary: Sequence[Entry]) -> dict[Cell, list[Entry]]:
    """{cell: lambda 0, all lambdas of each recipe as in its chosen network, and the control}"""
    shown = {}
    for cell, networks in choices(summary).items():
        blocks = {block_of(entry) for entry in networks.values()}
        names = ["", *(name for name in networks if name != ORDINARY)]
        entries = [
            e
            for e in summary
            if block_of(e) in blocks
            and e["membership"]
            and (recipe_of(e) in names if not e["control"] else e["control"] == _CONTROL)
        ]
        if any(not e["control"] for e in entries):
            shown[cell] = _once(entries)
    return shown


def _once(entries: Sequence[Entry]) -> list[Entry]:
    """The first of each recipe and lambda; where recipes chose other settings there are more."""
    return list({(recipe_of(e), label(e)): e for e in reversed(entries)}.values())[::-1]


def _figure(title: str, shown: Mapping[Cell, Sequence[Entry]]) -> Figure:
    """A column per modality, a row per attacker; along x lambda, at its end the control."""
    entries = [entry for of_cell in shown.values() for entry in of_cell]
    attackers = [a for a in _ATTACKERS if any(a in entry["membership"] for entry in entries)]
    networks = [entry for entry in entries if not entry["control"]]
    grid = dict.fromkeys(entry["settings"]["lambda"] for entry in networks)
    ticks = list(dict.fromkeys(map(lambda_text, sorted(grid, key=strengths))))
    ticks += [_CONTROL] * (len(networks) < len(entries))
    recipes = [n for n in dict.fromkeys(map(_name, networks)) if n != ORDINARY]
    looks = {ORDINARY: Look(COLOURS[6], "o")} if ORDINARY in map(_name, networks) else {}
    looks |= {name: Look(COLOURS[i % 6], SHAPES[1 + i % 6]) for i, name in enumerate(recipes)}
    looks |= {_CONTROL: Look(GREY, "X")} if _CONTROL in ticks else {}
    figure, axes = framed(len(attackers), len(shown), max(3.9, 0.75 * len(ticks)), 2.6)
    for column, (cell, of_cell) in enumerate(shown.items()):
        axes[0, column].set_title(cell.modality)
        axes[-1, column].set_xlabel("strength λ (no unit), control")
        for ax, known in zip(axes[:, column], attackers):
            for entry in of_cell:
                if known in entry["membership"]:
                    name, place = _name(entry), float(ticks.index(label(entry)))
                    if name in recipes:
                        place += 0.14 * (recipes.index(name) - (len(recipes) - 1) / 2)
                    _draw_membership(ax, place, entry, known, looks[name])
            chance_line(ax, _CHANCE_AUC)
            categories(ax, ticks)
    for ax, known in zip(axes[:, 0], attackers):
        ax.set_ylabel(f"{_ATTACKERS[known]}:\nmembership AUC\n(fraction; 0.5 is chance)")
    handles = [in_legend(name, look, line=False) for name, look in looks.items()]
    faces = {"leaks (filled)": GREY, "no leak shown or cannot tell (hollow)": "white"}
    handles += [
        Line2D([], [], color=GREY, marker="o", mfc=face, ls="", label=name)
        for name, face in faces.items()
    ]
    finish(figure, [*handles, chance_in_legend()])
    measured = [scores for entry in entries for scores in entry["membership"].values()]
    both = all(scores["lower"] is not None for scores in measured)
    bounds = "bounds" if both else "upper bounds"
    titled(figure, title, f"bars: one-sided 95 % {bounds} over speakers")
    return figure


def _draw_membership(ax: Axes, place: float, entry: Entry, known: str, look: Look) -> None:
    scores = entry["membership"][known]
    lower = scores["auc"] if scores["lower"] is None else scores["lower"]
    name = f"{network_name(entry)}, {scores['verdict'].replace('_', ' ')}"
    whiskers(ax, [place], [ScoredPoint(name, scores["auc"], lower, scores["upper"])], look)
    if scores["verdict"] != "leaks":
        ax.lines[-1].set_markerfacecolor("white")


def _name(entry: Entry) -> str:
    if entry["control"]:
        return str(entry["control"])
    return ORDINARY if is_zero(entry["settings"]["lambda"]) else recipe_of(entry) or "λ > 0"
