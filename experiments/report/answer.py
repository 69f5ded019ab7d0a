"""The answer of a result directory in words that need no statistics; it begins every output.

Can the private attribute be read from what each network sends, how well is emotion still
recognised, how sure is that, what is open, and what to do: for each corpus, modality, task and
attribute. The words are those of an audit (`privrep.leakage.headline`).
"""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from experiments.config.lambdas import is_zero
from experiments.config.recipes import MEANINGS
from experiments.report.answer_sentences import (
    NOT_TESTED,
    certainty,
    next_steps,
    sentence,
    short,
    still_open,
    subject,
    verdict_of,
    verdict_of_speaker,
)
from experiments.results.result_directories import Row
from experiments.results.seeds import number
from experiments.results.selected import (
    ORDINARY,
    Cell,
    cell_of,
    choices,
    corpus_name,
    network_name,
)
from experiments.results.summary import (
    Entry,
    attributes,
    emotion_name,
    emotion_pooled,
    is_transductive,
    recipe_of,
)
from privrep.leakage.headline import ANSWERS

_SIGN = "·"


class NetworkAnswer(NamedTuple):
    """What one network reveals, and what it is worth.

    Attributes:
      network: ORDINARY, or the recipe with its lambda.
      verdict: of one utterance, "leaks", "no_leak_shown", "cannot_tell", or NOT_TESTED.
      verdict_of_speaker: the same of all utterances of a speaker together.
      word, sign: of the verdict, as in an audit.
      uar, lower, upper: of the strongest attacker on all speakers; NaN where it was not tested.
      emotion: (score, lower, upper) over speakers, NaN where it is not known.
      sentence: all of this in words.
    """

    network: str
    verdict: str
    verdict_of_speaker: str
    word: str
    sign: str
    uar: float
    lower: float
    upper: float
    emotion: tuple[float, float, float]
    sentence: str


class Answer(NamedTuple):
    """The answer to one question.

    Attributes:
      question: of corpus, modality, task and attribute.
      short: in one sentence.
      attribute: whose privacy is asked about.
      chance: the UAR of guessing it.
      score_of_emotion, chance_of_emotion: the name of that score, and its value for guesses.
      networks: the ordinary one first, then the one that validation chooses of each recipe.
      certainty: on how many speakers it rests, and which leak would have been detected.
      still_open, next_steps: sentences.
    """

    question: str
    short: str
    attribute: str
    chance: float
    score_of_emotion: str
    chance_of_emotion: float
    networks: tuple[NetworkAnswer, ...]
    certainty: str
    still_open: str
    next_steps: str

    @property
    def parts(self) -> tuple[tuple[str, str], ...]:
        """(title, text) of what follows the networks."""
        titles = ("How sure", "Still open", "Next")
        texts = (self.certainty, self.still_open, self.next_steps)
        return tuple((title, text) for title, text in zip(titles, texts) if text)


def answers(summary: Sequence[Entry], rows: Sequence[Row]) -> list[Answer]:
    """An answer for each attribute of each cell in which networks were compared.

    Args:
      summary: of the rows.
      rows: of runs.csv, for the numbers of speakers and utterances.
    """
    return [
        _answer(cell, attribute, networks, _left_out(cell, networks, summary), rows)
        for cell, networks in choices(summary).items()
        for attribute in attributes(next(iter(networks.values())))
    ]


def _left_out(cell: Cell, networks: Mapping[str, Entry], summary: Sequence[Entry]) -> list[str]:
    """The recipes of a cell of which no network can be answered for."""
    runs = [e for e in summary if not e["control"] and cell_of(e) == cell]
    protected = [e for e in runs if not is_zero(e["settings"]["lambda"]) and not is_transductive(e)]
    return [name for name in dict.fromkeys(map(recipe_of, protected)) if name not in networks]


def networks_in_words(given: Sequence[Answer]) -> str:
    """What the networks of the answers are, in a sentence each; h is what a network sends."""
    names = dict.fromkeys(n.network.partition(", ")[0] for of in given for n in of.networks)
    words = ["ordinary: the network without protection."] if ORDINARY in names else []
    words += [f"{name}: {MEANINGS[name]}." for name in names if name in MEANINGS]
    if set(names) - {ORDINARY}:
        words.append("λ: the strength of the protection. h: what a network sends of an utterance.")
    return " ".join(words)


def answers_text(given: Sequence[Answer]) -> list[str]:
    """Paragraphs, to be wrapped: the question, the short answer, a line for each network."""
    lines: list[str] = []
    for answer in given:
        lines += [answer.question, answer.short]
        lines += [f"  {n.sign} {n.network}: {n.sentence}" for n in answer.networks]
        lines += [f"  {title}: {text}" for title, text in answer.parts]
        lines.append("")
    return lines


def answers_markdown(given: Sequence[Answer]) -> str:
    """The same for a document."""
    parts = []
    for answer in given:
        networks = "\n".join(f"- {n.sign} **{n.network}**: {n.sentence}" for n in answer.networks)
        parts += [f"## {answer.question}", f"**{answer.short}**", networks]
        parts += [f"*{title}*: {text}" for title, text in answer.parts]
    return "\n\n".join(parts)


def _answer(
    cell: Cell,
    attribute: str,
    networks: Mapping[str, Entry],
    left_out: Sequence[str],
    rows: Sequence[Row],
) -> Answer:
    ordinary = networks.get(ORDINARY)
    entries = list(networks.values())
    chance = next((e["chance"][attribute] for e in entries if attribute in e["chance"]), 0.5)
    given = tuple(_of_network(entry, attribute, chance, ordinary) for entry in networks.values())
    place = f"{corpus_name(cell.dataset)}, {cell.modality}, {cell.task}"
    return Answer(
        f"{place}: can {subject(attribute)} be read from what these networks send?",
        short=short(attribute, entries),
        attribute=attribute,
        chance=chance,
        score_of_emotion=emotion_name(entries),
        chance_of_emotion=next((e["chance"].get("emotion") or 0.0 for e in entries), 0.0),
        networks=given,
        certainty=certainty(cell, attribute, entries, rows),
        still_open=" ".join([*map(_collapsed, left_out), *still_open(cell, attribute, networks)]),
        next_steps=" ".join(next_steps(attribute, networks, left_out)),
    )


def _collapsed(recipe: str) -> str:
    return f"{recipe or 'λ > 0'}: all of its networks collapsed or diverged; it is not known."


def _of_network(
    entry: Entry, attribute: str, chance: float, ordinary: Entry | None
) -> NetworkAnswer:
    verdict = verdict_of(entry, attribute)
    test = entry["verdicts"][attribute] if verdict != NOT_TESTED else {}
    uar, lower, upper = (number(test.get(name)) for name in ("uar", "lower", "upper"))
    interval = entry["interval"]
    return NetworkAnswer(
        network=network_name(entry),
        verdict=verdict,
        verdict_of_speaker=verdict_of_speaker(entry, attribute),
        word=ANSWERS[verdict].word if test else "Not tested",
        sign=ANSWERS[verdict].sign if test else _SIGN,
        uar=uar,
        lower=lower,
        upper=upper,
        emotion=(
            emotion_pooled(entry),
            interval.get("lower", math.nan),
            interval.get("upper", math.nan),
        ),
        sentence=sentence(entry, attribute, chance, None if entry is ordinary else ordinary),
    )
