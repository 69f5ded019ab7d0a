"""The answer of a result directory in words that need no statistics; it begins every output.

Can the private attribute be read from what each network sends, how well is emotion still
recognised, how sure is that, what is open, and what to do: for each corpus, modality, task and
attribute. The words are those of an audit (`privrep.leakage.headline`).
"""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from experiments.config.lambdas import is_zero, lambda_text
from experiments.results.result_directories import Row
from experiments.results.seeds import number
from experiments.results.selected import (
    ORDINARY,
    Cell,
    cell_of,
    cell_of_settings,
    choices,
    corpus_name,
    in_sentence,
    listed,
    network_name,
)
from experiments.results.summary import (
    Entry,
    attributes,
    emotion_mean,
    emotion_name,
    emotion_pooled,
    is_transductive,
    recipe_of,
    sound,
)
from privrep.leakage.headline import ANSWERS, times

NOT_TESTED = "not_tested"
_SIGN = "·"


class NetworkAnswer(NamedTuple):
    """What one network reveals, and what it is worth.

    Attributes:
      network: ORDINARY, or the recipe with its lambda.
      verdict: "leaks", "no_leak_shown", "cannot_tell", or NOT_TESTED.
      word, sign: of the verdict, as in an audit.
      uar, lower, upper: of the strongest attacker on all speakers; NaN where it was not tested.
      emotion: (score, lower, upper) over speakers, NaN where it is not known.
      sentence: all of this in words.
    """

    network: str
    verdict: str
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
        f"{place}: can {attribute} be read from what these networks send?",
        short=_short(attribute, given),
        attribute=attribute,
        chance=chance,
        score_of_emotion=emotion_name(entries),
        chance_of_emotion=next((e["chance"].get("emotion") or 0.0 for e in entries), 0.0),
        networks=given,
        certainty=_certainty(cell, attribute, entries, rows),
        still_open=" ".join([*map(_collapsed, left_out), *_still_open(cell, attribute, networks)]),
        next_steps=" ".join(_next_steps(attribute, given, networks, left_out)),
    )


def _collapsed(recipe: str) -> str:
    return f"{recipe or 'λ > 0'}: all of its networks collapsed or diverged; it is not known."


def _of_network(
    entry: Entry, attribute: str, chance: float, ordinary: Entry | None
) -> NetworkAnswer:
    verdict = entry["verdicts"].get(attribute)
    interval = entry["interval"]
    score = emotion_pooled(entry)
    emotion = (score, interval.get("lower", math.nan), interval.get("upper", math.nan))
    called = network_name(entry)
    kept = _emotion(entry, score, None if entry is ordinary else ordinary)
    if verdict is None or verdict["uar"] is None:
        why = "its networks collapsed" if entry["collapsed"] else "no attacker was tested"
        sentence = f"not tested, because {why}; {kept}."
        return NetworkAnswer(
            called, NOT_TESTED, "Not tested", _SIGN, math.nan, math.nan, math.nan, emotion, sentence
        )
    answer = ANSWERS[verdict["verdict"]]
    lower, upper = number(verdict["lower"]), number(verdict["upper"])
    sentence = (
        f"{answer.word.lower()}. {_reads(attribute, verdict['uar'], upper, chance)}"
        f"{_from_all(entry, attribute)}; {kept}.{_unsound(entry)}"
    )
    return NetworkAnswer(
        network=called,
        verdict=verdict["verdict"],
        word=answer.word,
        sign=answer.sign,
        uar=verdict["uar"],
        lower=lower,
        upper=upper,
        emotion=emotion,
        sentence=sentence,
    )


def _reads(attribute: str, uar: float, upper: float, chance: float) -> str:
    if attribute == "speaker":
        what = "An attacker decides whether two utterances are of one unseen speaker rightly"
    else:
        what = f"An attacker names the {attribute} of an unseen speaker rightly"
    bound = "no upper bound" if math.isnan(upper) else f"upper bound {_bound(upper)}"
    return f"{what} {times(uar)} times in 100 (guessing {times(chance)}, {bound})"


def _bound(upper: float) -> str:
    """An upper bound as times in 100; of a bound over 1 it is 100."""
    return times(min(upper, 1), up=True)


def _from_all(entry: Entry, attribute: str) -> str:
    """What all utterances of a person reveal, where it is more or judged otherwise."""
    person, verdict = entry["all_utterances"].get(attribute), entry["verdicts"][attribute]
    if person is None or person["uar"] is None:
        return ""
    if person["verdict"] == verdict["verdict"] and times(person["uar"]) == times(verdict["uar"]):
        return ""
    word = ANSWERS[person["verdict"]].word.lower()
    bound = "" if person["upper"] is None else f", upper bound {_bound(person['upper'])}"
    return f"; from all utterances of the speaker {times(person['uar'])}{bound} ({word})"


def _emotion(entry: Entry, score: float, ordinary: Entry | None) -> str:
    name = emotion_name([entry])
    if math.isnan(score):
        return f"{name} is not known"
    text = f"{name} {score:.3f}"
    change = entry["over_speakers"].get("emotion")
    if ordinary is None or not change:
        return text
    size = f"{abs(change['difference']):.3f}"
    if float(size) == 0:
        return f"{text}, as of the ordinary network"
    more = "more" if change["difference"] > 0 else "less"
    is_sure = change["lower"] > 0 or change["upper"] < 0
    doubt = "" if is_sure else ", a difference that may be chance"
    return f"{text}, {size} {more} than the ordinary network{doubt}"


def _unsound(entry: Entry) -> str:
    """What was wrong with its trainings, which keeps it from being chosen before others."""
    runs = entry["n"] + entry["diverged"]
    fault_of = {
        "lagging": "its adversary never learned the attribute, so that nothing was unlearned",
        "collapsed": "h lost what it should keep",
        "diverged": "the training diverged",
    }
    return "".join(
        f" In {entry[kind]} of {runs} trainings {what}."
        for kind, what in fault_of.items()
        if entry[kind]
    )


def _short(attribute: str, networks: Sequence[NetworkAnswer]) -> str:
    phrase_of = {
        "leaks": f"{attribute} can be read from",
        "no_leak_shown": f"no leak of {attribute} is shown from",
        "cannot_tell": f"whether {attribute} can be read is not known from",
        NOT_TESTED: "nothing was tested of",
    }
    parts = []
    for verdict, words in phrase_of.items():
        names = [in_sentence(n.network) for n in networks if n.verdict == verdict]
        if names:
            parts.append(f"{words} {listed(names)}")
    sentence = "; ".join(parts)
    return f"{sentence[:1].upper()}{sentence[1:]}."


def _certainty(cell: Cell, attribute: str, entries: Sequence[Entry], rows: Sequence[Row]) -> str:
    runs = [row for row in rows if not row.get("control") and cell_of_settings(row) == cell]
    speakers, utterances = (
        max((row[name] for row in runs if row.get(name)), default=0)
        for name in ("num_speakers", "num_utterances")
    )
    seeds = len({row["seed"] for row in runs})
    counted = (
        f"It rests on {speakers:,} speakers and {utterances:,} utterances, of which the speakers "
        f"count, and on {seeds} seed{'s' if seeds > 1 else ''}."
    )
    verdicts = [e["verdicts"][attribute] for e in entries if attribute in e["verdicts"]]
    if not verdicts:
        return counted
    detectable = [verdict["minimum_detectable"] for verdict in verdicts]
    if any(least is None or least > 1 for least in detectable):
        return f"{counted} With so few speakers not every leak would have been detected."
    return (
        f"{counted} A leak of {times(max(detectable), up=True)} times in 100 would have been "
        "detected with 80 % probability; smaller ones may be missed."
    )


def _still_open(cell: Cell, attribute: str, networks: Mapping[str, Entry]) -> list[str]:
    sentences = []
    if ORDINARY not in networks:
        sentences.append("No ordinary network (λ 0) was run: what a defence costs is not known.")
    if cell.dataset == "demo":
        sentences.append("The demo speech is synthetic: the results describe no real speakers.")
    for entry in networks.values():
        verdict = entry["verdicts"].get(attribute, {})
        if verdict.get("verdict") == "cannot_tell" and verdict["upper"] is not None:
            upper = times(min(verdict["upper"], 1), up=True)
            sentences.append(
                f"{network_name(entry)}: a leak up to {upper} times in 100 is not excluded."
            )
    for entry in networks.values():
        member = entry["membership"].get("h", {})
        if member.get("verdict") == "leaks" and member.get("auc") is not None:
            sentences.append(
                f"{network_name(entry)}: whether a speaker was among those it was trained on can "
                f"be read (AUC {member['auc']:.2f}, guessing 0.5; see Membership)."
            )
    sentences.append(
        "A stronger attacker, or one with more speakers to learn from, may read more; no statement "
        "is made about other attributes or other speakers."
    )
    return sentences


def _next_steps(
    attribute: str,
    given: Sequence[NetworkAnswer],
    networks: Mapping[str, Entry],
    left_out: Sequence[str],
) -> list[str]:
    protected = [
        (answer, entry)
        for answer, entry in zip(given, networks.values())
        if not is_zero(entry["settings"]["lambda"])
    ]
    if all(answer.verdict == NOT_TESTED for answer in given):
        return ["Nothing was judged: train longer (--min_steps), or on more data."]
    tried = {*networks, *left_out}
    untried = [f"--recipe={name}" for name in ("posterior", "keep") if name not in tried]
    if not protected and untried:
        return [f"Protect them: {' or '.join(untried)}, with --lambda=0,1."]
    quiet = [(a, e) for a, e in protected if a.verdict == "no_leak_shown" and sound(e)]
    if quiet:
        answer, entry = max(quiet, key=lambda pair: emotion_mean(pair[1], "val"))
        recipe = entry["settings"].get("recipe") or ""
        strength = lambda_text(entry["settings"]["lambda"])
        pick = (
            f"--pick=recipe={recipe},lambda={strength}" if recipe else f"--pick=lambda={strength}"
        )
        return [
            f"Of those that show no leak, {answer.network} recognises emotion best on validation "
            "speakers. To write it for use, where DIR is this directory of results: "
            f"python -m experiments.export_model DIR {pick}"
        ]
    if any(answer.verdict == "cannot_tell" for answer, _ in protected):
        return ["Do not take this for a pass: measure with more speakers."]
    recipes = f"{' or '.join(untried)}, or " if untried else ""
    return [f"Treat all of them as revealing {attribute}; try {recipes}another --lambda."]
