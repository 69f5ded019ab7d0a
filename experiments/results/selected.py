"""Choice of the networks that represent the ordinary one and each recipe, by validation only.

A cell is a corpus, a modality, a task and the private attributes. In it the ordinary network is
the one of lambda 0 that recognises emotion best on validation data, and that of a recipe the one
that the selection rule prefers, over all its lambdas and all other settings that were swept.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from experiments.config.lambdas import is_zero, lambda_text
from experiments.results.columns import PROTECTION, attacker_uar
from experiments.results.poster import CORPORA
from experiments.results.summary import (
    Entry,
    attributes,
    emotion_mean,
    is_transductive,
    mean,
    recipe_of,
    selected,
    sound,
)
from privrep.inputs.labels import CONTINUOUS


def block_of(entry: Entry) -> tuple:
    """What entries of one block have in common: all settings but the protection."""
    return tuple(sorted((n, str(v)) for n, v in entry["settings"].items() if n not in PROTECTION))


def pooled_of(entries: Sequence[Entry], attribute: str) -> bool:
    """Whether the attacker's score on all speakers together is known, and is what is drawn."""
    return any(e["verdicts"].get(attribute, {}).get("uar") is not None for e in entries)


def leak_of(entry: Entry, attribute: str) -> tuple[float, float, float]:
    """The attacker's score on all speakers and its bounds; the mean over folds if not known."""
    verdict = entry["verdicts"].get(attribute, {})
    if verdict.get("uar") is None:
        uar = mean(entry, attacker_uar("test", attribute))
        return uar, uar, uar
    uar = verdict["uar"]
    lower, upper = (uar if verdict[c] is None else verdict[c] for c in ("lower", "upper"))
    return uar, lower, upper


ORDINARY = "ordinary"
_MODALITIES = ("acoustic", "lexical", "multimodal")  # in the order of the paper's tables
_NAMES = CORPORA | {
    "demo": "demo (synthetic)",
    "emodb": "EmoDB",
    "ravdess": "RAVDESS",
    "crema_d": "CREMA-D",
}


class Cell(NamedTuple):
    """Where a choice is made; the values of the flags --private, --modality, --dataset, --task.

    The task of a regression has "(rating)" behind it.
    """

    private: str
    modality: str
    dataset: str
    task: str


def choices(summary: Sequence[Entry]) -> dict[Cell, dict[str, Entry]]:
    """{cell: {ORDINARY or recipe: its entry}}, in the paper's order; the ordinary network first.

    Where adversaries were placed on the joint h, only these networks are chosen from: placement is
    a question of its own. Settings of which a run collapsed, diverged or had a lagging adversary
    come after all others, as in a search. A recipe all of whose networks collapsed at every lambda
    is left out, and so are transductive runs.
    """
    entries_of: dict[Cell, list[Entry]] = {}
    for entry in summary:
        if not entry["control"] and entry["n"] and not is_transductive(entry):
            entries_of.setdefault(cell_of(entry), []).append(entry)
    chosen: dict[Cell, dict[str, Entry]] = {}
    for cell in sorted(entries_of, key=_in_order):
        entries = [
            e for e in entries_of[cell] if e["settings"].get("placement", "joint") == "joint"
        ]
        entries = entries or entries_of[cell]
        zeros = [e for e in entries if is_zero(e["settings"]["lambda"])]
        networks = {ORDINARY: best(zeros, lambda e: emotion_mean(e, "val"))}
        for recipe in dict.fromkeys(recipe_of(e) for e in entries if e not in zeros):
            of_recipe = [e for e in entries if e not in zeros and recipe_of(e) == recipe]
            standing = [e for e in of_recipe if e["collapsed"] < e["n"]]
            networks[recipe] = best(standing, selected)
        known = {name: entry for name, entry in networks.items() if entry is not None}
        if known:
            chosen[cell] = known
    return chosen


def cell_of(entry: Entry) -> Cell:
    """The cell of an entry or a control."""
    return cell_of_settings(entry["settings"])


def cell_of_settings(settings: Mapping[str, Any]) -> Cell:
    """Of the settings of a run; a regression, whose score is another, has a task of its own."""
    cell = Cell(*(str(settings.get(name) or "") for name in Cell._fields))
    if settings.get("bins") == CONTINUOUS:
        return cell._replace(task=f"{cell.task} (rating)")
    return cell


def best(entries: Iterable[Entry], score: Callable[[Entry], float]) -> Entry | None:
    """The sound entry with the highest score, else the unsound; the first of equals, or None."""
    known = [entry for entry in entries if not math.isnan(score(entry))]
    return max(known, key=lambda e: (sound(e), score(e)), default=None)


def network_name(entry: Entry) -> str:
    """Its control; ORDINARY at lambda 0; else the recipe with its lambda, such as "paper, λ 1"."""
    if entry["control"]:
        return str(entry["control"])
    strength = entry["settings"]["lambda"]
    if is_zero(strength):
        return ORDINARY
    return ", ".join(filter(None, [recipe_of(entry), f"λ {lambda_text(strength)}"]))


def joint_name(entries: Iterable[Entry]) -> str:
    """Of networks of one recipe: "paper, λ 1", or where their lambdas differ "paper, λ 1, λ 2"."""
    first, *others = dict.fromkeys(map(network_name, entries))
    return ", ".join([first, *(name.rpartition(", ")[2] for name in others)])


def named(entry: Entry) -> str:
    """The name of its network in a sentence."""
    return in_sentence(network_name(entry))


def in_sentence(network: str) -> str:
    """The name of a network where it stands in a list of a sentence.

    >>> in_sentence("ordinary"), in_sentence("paper, λ 1"), in_sentence("λ 1")
    ('the ordinary network', 'paper (λ 1)', 'λ 1')
    """
    name, _, strength = network.partition(", ")
    if network == ORDINARY:
        return "the ordinary network"
    return f"{name} ({strength})" if strength else name


def listed(names: Sequence[str]) -> str:
    """The names in a sentence, the last behind "and"."""
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last


def corpus_name(dataset: str) -> str:
    """The corpus's name as its authors write it."""
    return _NAMES.get(dataset, dataset)


def task_order(tasks: Iterable[str]) -> list[str]:
    """Activation and valence first, as in the paper."""
    first = ("activation", "valence")
    return sorted({*tasks}, key=lambda t: (first.index(t) if t in first else len(first), t))


def hidden(entry: Entry) -> str:
    """The attribute whose privacy the paper's tables show: the first that is not the speaker."""
    names = attributes(entry)
    return next((name for name in names if name != "speaker"), names[0] if names else "")


def _in_order(cell: Cell) -> tuple:
    def of(value: str, known: Sequence[str]) -> tuple:
        return (known.index(value) if value in known else len(known), value)

    dataset, modality = of(cell.dataset, [*CORPORA]), of(cell.modality, _MODALITIES)
    task = task_order([cell.task, "activation", "valence"]).index(cell.task)
    return (len(cell.private.split("+")), cell.private, modality, dataset, task, cell.task)
