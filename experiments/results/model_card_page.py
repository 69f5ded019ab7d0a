"""A model card as Markdown, with the YAML front matter that model hubs read, and as JSON.

Whatever comes from data is text: it is escaped for Markdown, and quoted in YAML and in commands.
"""

import dataclasses
import json
import re
import shlex
from collections.abc import Sequence
from typing import Any

import yaml

from experiments.config.parse import PATHS
from experiments.results.markdown import in_markdown
from experiments.results.model_card import TERMS_OF_DEMO, UNKNOWN, ModelCard, Score
from privrep.messages import printable

PAGE, FACTS = "README.md", "card.json"  # in a model folder
SCHEMA_VERSION = 1  # of card.json
NOT_MEASURED = "not measured"
_IN_SHORT = "of the procedure (all folds), not of this file"
_MEMBER_BY = {  # what attackers on membership have, see `identify.KNOWLEDGE`
    "h": "h alone",
    "labels": "labels, which is h, the emotion head and the true emotion of each utterance",
}
_METRIC = {"UAR": "recall", "CCC": "concordance_correlation_coefficient"}  # as hubs name them


def card_json(card: ModelCard) -> str:
    """The facts of a card, as card.json holds them."""
    content = {"schema_version": SCHEMA_VERSION, **dataclasses.asdict(card)}
    return f"{json.dumps(content, indent=1, allow_nan=False, ensure_ascii=False)}\n"


def card_page(card: ModelCard) -> str:
    """The card as a README.md."""
    network, data = card.network, card.data
    title = in_markdown(f"{network['task']} of {network['dataset']}, {network['recipe']}")
    strength = ", ".join(f"{name} {value:g}" for name, value in network["lambda"].items())
    what = (
        f"A network of privrep: {network['modality']}, recipe {network['recipe']}, lambda "
        f"{strength or 'none'}, seed {network['seed']}, {_part(card)}, release "
        f"{network['release']}."
    )
    classes = ", ".join(network["classes"]) or "none, it predicts the rating"
    data_line = (
        f"{data['dataset']}: {_count(data['speakers'], 'speakers')}, "
        f"{_count(data['utterances'], 'utterances')}, {data['folds']} folds of speakers. "
        f"{_trained_on(card)} Language: {card.language}. Licence: {card.license}. The licence of "
        "the corpus binds what may be done with the network"
        + (": look it up before you pass the network on." if card.license == UNKNOWN else ".")
    )
    if data["dataset"] == "demo":
        data_line += f" {TERMS_OF_DEMO}."
    of_final = ", of the procedure, not of this file" * is_final(card)
    needs = "Nothing: no person file."
    if card.needs:
        needs = (
            f"A person file of `privrep enrol`: {' and '.join(card.needs.values())}. It says how "
            "the person sounds, and stays where the recordings are. Without it nothing is encoded."
        )
    has_places = any(name in PATHS for name in card.flags)
    capitals = " Words in capitals stand for places of files." * has_places
    versions = ", ".join(f"{name} {version}" for name, version in card.versions.items())
    parts = [
        f"---\n{_front_matter(card)}---",
        f"# {title}",
        in_markdown(what),
        f"Classes of {in_markdown(network['task'])}: {in_markdown(classes)}. Load it with "
        "`privrep.load(folder)`; `model.json` describes it, `card.json` holds the facts of this "
        "page.",
        "## What it is for",
        _bullets(card.intended_use),
        "It is not for:",
        _bullets(card.not_for),
        "## Data",
        in_markdown(data_line),
        "## How it was picked, and what speaks against its figures",
        _bullets(card.notes),
        f"## Emotion{of_final}",
        _scope(card),
        _emotion(card),
        "95 %: interval over speakers, of the predictions of all folds and seeds together.",
        f"## Privacy{of_final}",
        _scope(card),
        _privacy(card),
        "Bounds at 95 % confidence over speakers, of the strongest attacker. Smallest detectable: "
        "found in four of five cases. *cannot tell*: too few speakers to say. speaker: whether two "
        "utterances are of the same person. p: share of permutations over speakers that score "
        "as high; a small one shows a leak even where the score is near chance. Attacker has: "
        f"{_attacker_has(card)}.",
        "## Not tested",
        _bullets(card.not_tested),
        "## What it needs of a person",
        needs,
        "## How to repeat it",
        _commands(card),
        f"Versions: {in_markdown(versions)}.{capitals} Data: "
        f"prepared_hash `{data['prepared_hash']}`, data_hash `{data['data_hash']}`.",
    ]
    return printable("\n\n".join(filter(None, parts))) + "\n"


def is_final(card: ModelCard) -> bool:
    """Whether the card is of a network that was trained on all speakers."""
    return card.network["fold"] is None


def _part(card: ModelCard) -> str:
    if is_final(card):
        return f"all speakers, {card.network['steps']:,} steps"
    return f"fold {card.network['fold']}"


def _trained_on(card: ModelCard) -> str:
    if is_final(card):
        return (
            "The network of this folder was trained on all of them: none was left to choose it by."
        )
    return (
        f"The network of this folder is that of fold {card.network['fold']}: it was trained on a "
        "part of the speakers."
    )


def _scope(card: ModelCard) -> str:
    return f"Figures {in_markdown(card.scope)}."


def _front_matter(card: ModelCard) -> str:
    network = card.network
    content: dict[str, Any] = {"license": card.license}
    if card.language != UNKNOWN:  # hubs read codes alone
        codes = card.language.split(",")
        content["language"] = codes if len(codes) > 1 else card.language
    content |= {
        "library_name": "privrep",
        "tags": ["privacy", "speech-emotion-recognition", network["modality"], network["recipe"]],
        "datasets": [network["dataset"]],
    }
    score = card.emotion[0]
    metric = _METRIC[score.name]
    content["metrics"] = [metric]
    if score.value is not None:
        name = f"privrep {network['dataset']} {network['task']} {network['recipe']}"
        result = {
            "task": {"type": "speech-emotion-recognition", "name": network["task"]},
            "dataset": {"type": network["dataset"], "name": network["dataset"]},
            "metrics": [
                {"type": metric, "value": score.value, "name": f"{score.name} {_IN_SHORT}"}
            ],
        }
        content["model-index"] = [{"name": name, "results": [result]}]
    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True)


def _emotion(card: ModelCard) -> str:
    lines = [[s.name, _number(s.value), _interval(s)] for s in card.emotion]
    lines.append(["chance", _number(card.emotion_chance), ""])
    return _table(["score", "value", "95 %"], lines)


def _privacy(card: ModelCard) -> str:
    header = ["predicted", "attacker has", "score", "lower bound", "upper bound", "chance", "p"]
    lines = [
        [
            f"{m.subject} (to be kept out)" if m.is_private else m.subject,
            m.attacker_has,
            *map(_number, (m.score, m.lower, m.upper, m.chance)),
            _p(m.p, NOT_MEASURED),
            _number(m.minimum_detectable, "none" if m.verdict else NOT_MEASURED),
            (m.verdict or NOT_MEASURED).replace("_", " "),
        ]
        for m in card.privacy
    ]
    if not lines:
        return f"Privacy: {NOT_MEASURED}."
    return _table([*header, "smallest detectable", "verdict"], lines)


def _attacker_has(card: ModelCard) -> str:
    """What the attackers of the table have, in words."""
    words = "so many utterances of h of a person whose attribute is not known"
    if any(m.subject == "membership" for m in card.privacy):
        words += (
            f"; of membership, whether a speaker was trained on: {_MEMBER_BY['h']}, or "
            f"{_MEMBER_BY['labels']}"
        )
    return words


def _p(value: float | None, missing: str) -> str:
    if value is None:
        return missing
    return "below 0.001" if value < 0.001 else f"{value:.3f}"


def _table(header: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    rows = [[in_markdown(cell) for cell in line] for line in (header, *lines)]
    texts = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([texts[0], "|---" * len(header) + "|", *texts[1:]])


def _bullets(sentences: Sequence[str]) -> str:
    return "\n".join(f"- {in_markdown(sentence)}" for sentence in sentences)


def _commands(card: ModelCard) -> str:
    flags = [shlex.quote(f"--{name}={value}") for name, value in card.flags.items()]
    lines = [
        " ".join(["python -m experiments.main", *flags, "--workdir=out/again"]),
        f"python -m experiments.export_model out/again {shlex.quote(f'--pick={card.pick}')}"
        + " --final" * is_final(card),
    ]
    code = "\n".join(" ".join(line.split()) for line in lines)
    fence = "`" * (1 + max([2, *map(len, re.findall("`+", code))]))
    return f"{fence}bash\n{code}\n{fence}"


def _number(value: float | None, missing: str = NOT_MEASURED) -> str:
    return missing if value is None else f"{value:.3f}"


def _interval(score: Score) -> str:
    if score.lower is None or score.upper is None:
        return NOT_MEASURED
    return f"{score.lower:.3f} to {score.upper:.3f}"


def _count(number: int | None, what: str) -> str:
    return f"{what} {NOT_MEASURED}" if number is None else f"{number:,} {what}"
