"""Groups of cells by question, and of networks with their controls, for tables and figures."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from experiments.results.selected import Cell, cell_of, corpus_name
from experiments.results.summary import Entry

CONTROLS_SHOWN = ("raw", "untrained", "decision")  # beside the networks, in tables and figures


class Question(NamedTuple):
    """A corpus, a task, and the attributes to unlearn: its cells differ in the modality only."""

    dataset: str
    task: str
    private: str

    def title(self) -> str:
        """Such as "EmoDB, activation, unlearning gender"."""
        return f"{corpus_name(self.dataset)}, {self.task}, unlearning {self.private}"


def by_question(cells: Iterable[Cell]) -> dict[Question, list[Cell]]:
    """{question: its cells}, in the order of `cells`."""
    questions: dict[Question, list[Cell]] = {}
    for cell in cells:
        question = Question(cell.dataset, cell.task, cell.private)
        questions.setdefault(question, []).append(cell)
    return questions


def with_controls(
    chosen: Mapping[Cell, Mapping[str, Entry]], summary: Sequence[Entry]
) -> dict[Cell, dict[str, Entry]]:
    """The networks of `choices`, followed by the CONTROLS_SHOWN of their cells."""
    shown: dict[Cell, dict[str, Entry]] = {}
    for cell, networks in chosen.items():
        shown[cell] = dict(networks)
        for entry in summary:
            if entry["control"] in CONTROLS_SHOWN and cell_of(entry) == cell:
                shown[cell].setdefault(entry["control"], entry)
    return shown
