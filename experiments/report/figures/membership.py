"""The report's figure of membership, and what is seen in it: who tells whom h was trained on."""

from collections.abc import Iterator, Mapping, Sequence

from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from experiments.config.lambdas import is_zero, lambda_text, strengths
from experiments.report.figures.style import (
    CHANCE,
    COLOURS,
    GREY,
    LEAST,
    SHAPES,
    file_name,
    finish,
    framed,
    in_legend,
    titled,
    whiskers,
)
from experiments.results.selected import (
    ORDINARY,
    Cell,
    block_of,
    choices,
    corpus_name,
    modality_name,
)
from experiments.results.summary import Entry, label, recipe_of

_CONTROL = "untrained"
_KNOWN = {"h": "attacker has h alone", "labels": "attacker has h and labels"}
_GUESSING = 0.5


def membership_figures(summary: Sequence[Entry]) -> Iterator[tuple[str, Figure]]:
    """(file name without ending, figure) of each corpus, task and unlearned attributes.

    None where membership was not measured. To be drawn in `style.STYLE`.
    """
    shown = _shown(summary)
    for dataset, task, private in dict.fromkeys((c.dataset, c.task, c.private) for c in shown):
        of = {
            cell: entries
            for cell, entries in shown.items()
            if (cell.dataset, cell.task, cell.private) == (dataset, task, private)
        }
        title = f"{corpus_name(dataset)}, {task}, unlearning {private}: membership"
        yield file_name(f"membership_{dataset}_{task}_{private}"), _figure(title, of)


def membership_words(summary: Sequence[Entry]) -> list[str]:
    """For each cell and attacker what is seen: how many networks, in which range, the control."""
    said = []
    for cell, entries in _shown(summary).items():
        for known, has in _KNOWN.items():
            found = [e for e in entries if known in e["membership"]]
            nets = [e["membership"][known] for e in found if not e["control"]]
            if not nets:
                continue
            aucs = [one["auc"] for one in nets]
            leaks = sum(one["verdict"] == "leaks" for one in nets)
            span = " to ".join(dict.fromkeys(f"{auc:.3f}" for auc in (min(aucs), max(aucs))))
            place = f"{modality_name(cell.modality)}, {corpus_name(cell.dataset)}, {cell.task}"
            bare = [e["membership"][known]["auc"] for e in found if e["control"]]
            control = f"; untrained, which has trained on nobody, {bare[0]:.3f}" if bare else ""
            said.append(
                f"{place}, unlearning {cell.private}, {has}: AUC {span} (guessing 0.5), a leak in "
                f"{leaks} of {len(nets)} networks{control}."
            )
    return said


def _shown(summary: Sequence[Entry]) -> dict[Cell, list[Entry]]:
    """{cell: lambda 0, all lambdas of each recipe as in its chosen network, and the control}"""
    found = {}
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
            found[cell] = _once(entries)
    return found


def _once(entries: Sequence[Entry]) -> list[Entry]:
    """The first of each recipe and lambda; where recipes chose other settings there are more."""
    return list({(recipe_of(e), label(e)): e for e in reversed(entries)}.values())[::-1]


def _figure(title: str, shown: Mapping[Cell, Sequence[Entry]]) -> Figure:
    """A column per modality, a row per attacker; along x lambda, at its end the control."""
    entries = [e for told in shown.values() for e in told]
    rows = [known for known in _KNOWN if any(known in e["membership"] for e in entries)]
    nets = [e for e in entries if not e["control"]]
    grid = dict.fromkeys(e["settings"]["lambda"] for e in nets)
    ticks = list(dict.fromkeys(map(lambda_text, sorted(grid, key=strengths))))
    ticks += [_CONTROL] * (len(nets) < len(entries))
    names = list(dict.fromkeys(map(_name, nets)))
    names.sort(key=lambda name: name != ORDINARY)
    others = [name for name in names if name != ORDINARY]
    looks = {name: (COLOURS[i % 6], SHAPES[1 + i % 6]) for i, name in enumerate(others)}
    looks |= {ORDINARY: (COLOURS[6], "o"), _CONTROL: (GREY, "X")}
    figure, axes = framed(len(rows), len(shown), max(3.9, 0.75 * len(ticks)), 2.6)
    for column, (cell, told) in enumerate(shown.items()):
        axes[0, column].set_title(modality_name(cell.modality))
        axes[-1, column].set_xlabel("strength λ (no unit), control")
        for ax, known in zip(axes[:, column], rows):
            for entry in told:
                if known in entry["membership"]:
                    one, name = entry["membership"][known], _name(entry)
                    at = ticks.index(label(entry))
                    if name in others:
                        at += 0.14 * (others.index(name) - (len(others) - 1) / 2)
                    lower = one["auc"] if one["lower"] is None else one["lower"]
                    whiskers(ax, [at], [(one["auc"], lower, one["upper"])], *looks[name])
                    if one["verdict"] != "leaks":
                        ax.lines[-1].set_markerfacecolor("white")
            ax.axhline(_GUESSING, **CHANCE)
            ax.update_datalim([(0, _GUESSING - LEAST), (0, _GUESSING + LEAST)])
            ax.autoscale_view()
            ax.set_xticks(range(len(ticks)), ticks)
            ax.set_xlim(-0.5, len(ticks) - 0.5)
    for ax, known in zip(axes[:, 0], rows):
        ax.set_ylabel(f"{_KNOWN[known]}:\nmembership AUC\n(fraction; 0.5 is guessing)")
    present = [*names, *[_CONTROL] * (_CONTROL in ticks)]
    handles = [in_legend(name, *looks[name], line=False) for name in present]
    faces = {"leaks (filled)": GREY, "not shown or cannot tell (hollow)": "white"}
    handles += [
        Line2D([], [], color=GREY, marker="o", mfc=face, ls="", label=name)
        for name, face in faces.items()
    ]
    finish(figure, [*handles, Line2D([], [], label="guessing", **CHANCE)])
    both = all(one["lower"] is not None for e in entries for one in e["membership"].values())
    bounds = "bounds" if both else "upper bounds"
    titled(figure, title, f"bars: one-sided 95 % {bounds} over speakers")
    return figure


def _name(entry: Entry) -> str:
    if entry["control"]:
        return str(entry["control"])
    return ORDINARY if is_zero(entry["settings"]["lambda"]) else recipe_of(entry) or "λ > 0"
