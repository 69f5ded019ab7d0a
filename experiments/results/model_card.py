"""The facts of a model card: what a model folder is for, and what runs.csv measured of it.

Every number is a cell of runs.csv; None stands for what was not measured there. `card.json` holds
these facts, `model_card_page.py` puts them in words.
"""

import dataclasses
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from experiments.config.lambdas import is_zero
from experiments.config.parse import PATHS
from experiments.config.settings import FIELDS, flag_default, flag_name
from experiments.results.columns import Row, chance, members, name_of
from experiments.results.languages import fault_of
from experiments.results.picked import Picked
from privrep.deploy.description import FRAMES, STATE, Description

SCOPE = (
    "of the procedure, not of this file alone: the networks of all folds, each on the test "
    "speakers of its own fold, held out from its training"
)
SCOPE_OF_FINAL = (
    "of the procedure, not of this file: the networks of all folds, each on the test speakers of "
    "its own fold, held out from its training. The network of this file was trained on every "
    "speaker, so that nothing could be measured of it"
)
CORPUS_LICENSE = {  # as their publishers state it, by its identifier on model hubs
    "ravdess": "cc-by-nc-sa-4.0",
    "crema_d": "odbl",
}
UNKNOWN = "unknown"
TERMS_OF_DEMO = (
    "The demo corpus is synthetic speech: this package has made it with espeak-ng, of sentences "
    "and speakers that it drew. espeak-ng is under GPL-3.0, which is of the program; of what it "
    "speaks no terms are stated"
)
CORPUS_LANGUAGE = {  # of the corpora that are of one, as ISO 639-1 names it
    **dict.fromkeys(("demo", "iemocap", "msp_improv", "msp_podcast", "ravdess", "crema_d"), "en"),
    "emodb": "de",
}
# What the attacker has of a person: the column's pattern.
AMOUNTS = {
    "1 utterance": "<attribute>_pooled",
    "20 utterances": "<attribute>_pooled_20_utterances",
    "all utterances": "<attribute>_pooled_all_utterances",
}
_ALWAYS = ("dataset", "recipe", "lambda")  # flags that stand in the command
_MEMBERSHIP = "<known>_membership"
_NOT_FOR = (
    "decisions about a person: the classes are what annotators heard in recordings of this corpus, "
    "not what somebody feels",
    "anonymisation: h is personal data, and whoever gathers many utterances of a person reads more "
    "of them",
    "a promise about attackers, corpora, languages or recordings other than those measured here",
)
_NOT_FOR_DEMO = ("voices of people: those of the demo are synthetic",)
_NEEDS = {
    FRAMES: "mean and deviation of each feature of the person's frames",
    STATE: "mean and covariance of the person's h",
}


class Terms(NamedTuple):
    """Licence and language of the data that a model was trained on; None: what is known of them.

    Attributes:
      license: an identifier of model hubs, such as cc-by-4.0.
      languages: ISO 639 codes, joined by commas.
    """

    license: str | None = None
    languages: str | None = None


OF_CORPUS = Terms()


def terms_of(license_: str | None, languages: str | None) -> Terms:
    """The terms that a user has given; None of what was not given.

    Raises:
      ValueError: they are not what model hubs read.

    >>> terms_of("cc-by-4.0", "en,de")
    Terms(license='cc-by-4.0', languages='en,de')
    """
    if license_ is not None and not re.fullmatch(r"[a-z0-9][a-z0-9.+-]{0,63}", license_):
        raise ValueError(
            f"--license={license_}: an identifier that model hubs read is expected, in small "
            "letters: cc-by-4.0, cc-by-nc-sa-4.0, odbl, apache-2.0, other or unknown"
        )
    problem = "" if languages is None else fault_of(languages)
    if problem:
        raise ValueError(
            f"--language={languages}: {problem}; codes of ISO 639 are expected, joined by commas: "
            "en or en,de"
        )
    return Terms(license_, languages)


@dataclass(frozen=True)
class Score:
    """A score of emotion with its 95 % interval over speakers."""

    name: str
    value: float | None
    lower: float | None
    upper: float | None


@dataclass(frozen=True)
class Measured:
    """An attack and its verdict.

    Attributes:
      subject: the attribute that is predicted, or "membership".
      is_private: whether it was to be kept out of h.
      attacker_has: of a person, a name in AMOUNTS; of membership h or labels.
      score: UAR, or of membership AUC.
      lower, upper: its bounds at 95 % confidence over speakers.
      p: of the permutation test over speakers, which a leak is shown by.
      minimum_detectable: the smallest score that the test detects in four of five cases.
      verdict: leaks, no_leak_shown or cannot_tell.
    """

    subject: str
    is_private: bool
    attacker_has: str
    chance: float | None
    score: float | None = None
    lower: float | None = None
    upper: float | None = None
    p: float | None = None
    minimum_detectable: float | None = None
    verdict: str | None = None


@dataclass(frozen=True)
class ModelCard:
    """The card of a model folder.

    Attributes:
      network: dataset, modality, task, classes, recipe, lambda, seed, fold, release; the fold of
        a final network, which was trained on all speakers, is None, and it has steps.
      license: of the data, as model hubs name it, or UNKNOWN.
      language: of the data, ISO 639 joined by commas, or UNKNOWN.
      intended_use, not_for, not_tested: sentences without their stop.
      data: dataset, speakers, utterances, folds and hashes.
      scope: what emotion and privacy are of.
      notes: how the network was picked, and what speaks against its figures.
      emotion: the first score is that of the task.
      emotion_chance: of the first score.
      privacy: of each attribute as many as AMOUNTS has.
      needs: {what must be known of a person: in words}.
      flags: {flag of the main job: value} that is not the default or in _ALWAYS; no places of
        files.
      pick: words for --pick.
      versions: {package: version}.
    """

    network: Mapping[str, Any]
    license: str
    language: str
    intended_use: Sequence[str]
    not_for: Sequence[str]
    data: Mapping[str, Any]
    scope: str
    notes: Sequence[str]
    emotion: Sequence[Score]
    emotion_chance: float | None
    privacy: Sequence[Measured]
    not_tested: Sequence[str]
    needs: Mapping[str, str]
    flags: Mapping[str, str]
    pick: str
    versions: Mapping[str, str]


def card_of(
    description: Description,
    row: Row,
    picked: Picked,
    flags: Mapping[str, str],
    repeat: str,
    terms: Terms = OF_CORPUS,
) -> ModelCard:
    """The card of a model.

    Args:
      row: of runs.csv, of this network; of a final network that of any fold.
      picked: the networks of this setting and seed, one for each fold, and why they were picked.
      flags: of flags.txt.
      repeat: words for --pick that name the setting.
      terms: of the data.
    """
    training, dataset = description.training, str(row["dataset"])
    is_final = training["fold"] is None
    privacy = _privacy(row, description.private)
    emotion = _emotion(row, not description.task.classes)
    network = {
        "dataset": dataset,
        "modality": row["modality"],
        "task": description.task.name,
        "classes": list(description.task.classes),
        "private": [*description.private],
        "release": description.release,
        **{name: training[name] for name in ("recipe", "lambda", "seed", "fold")},
    }
    if is_final:
        network["steps"] = training["steps"]
    return ModelCard(
        network=network,
        license=terms.license or CORPUS_LICENSE.get(dataset, UNKNOWN),
        language=terms.languages or CORPUS_LANGUAGE.get(dataset, UNKNOWN),
        intended_use=_intended_use(description, row),
        not_for=_NOT_FOR + (_NOT_FOR_DEMO if dataset == "demo" else ()),
        data={
            "dataset": dataset,
            "speakers": row.get("num_speakers"),
            "utterances": row.get("num_utterances"),
            "folds": len(picked.rows),
            "prepared_hash": training["prepared_hash"],
            "data_hash": training["data_hash"],
        },
        scope=SCOPE_OF_FINAL if is_final else SCOPE,
        notes=[*picked.notes],
        emotion=emotion,
        emotion_chance=_chance(row, "emotion", description.task.classes),
        privacy=privacy,
        not_tested=_not_tested(description, row, emotion, privacy),
        needs={name: _NEEDS[name] for name in description.needs},
        flags=_changed(flags),
        pick=repeat,
        versions=dict(training["versions"]),
    )


def _intended_use(description: Description, row: Row) -> tuple[str, ...]:
    task = description.task
    answer = f"the {task.name} of an utterance" + ("" if task.classes else " as a rating")
    private = _listed([*description.private])
    if is_zero(row["lambda"]) or not private:
        return (f"to recognise {answer}", "to be compared with: nothing was kept out of its h")
    return (
        f"to recognise {answer}, and to send h in the place of the recording",
        f"to keep {private} out of what is sent, as far as the verdicts below say",
    )


def _emotion(row: Row, is_regression: bool) -> list[Score]:
    score = "ccc" if is_regression else "uar"
    prefix, title = "emotion_pooled", score.upper()
    scores = [_score(row, title, f"{prefix}_{score}", prefix)]
    if is_regression:
        scores.append(_score(row, "RMSE", f"{prefix}_rmse", ""))
    else:
        for name in ("macro_f1", "weighted_accuracy"):
            title_of = name.replace("_", " ").replace("f1", "F1")
            scores.append(_score(row, title_of, f"{prefix}_{name}", f"{prefix}_{name}"))
        for label, name in members(f"{prefix}_recall_<class>", row).items():
            scores.append(_score(row, f"recall of {label}", name, name))
    for group, name in members(f"emotion_among_<group>_{score}", row).items():
        among = name_of("emotion_among_<group>", group)
        scores.append(_score(row, f"{title} among {group}", name, among))
    for group, name in members("emotion_gap_<group>_difference", row).items():
        gap = name_of("emotion_gap_<group>", group)
        scores.append(_score(row, f"{title} among {group} less that of others", name, gap))
    return [scores[0], *(s for s in scores[1:] if s.value is not None)]


def _score(row: Row, title: str, name: str, prefix: str) -> Score:
    return Score(title, *(_number(row, n) for n in (name, f"{prefix}_lower", f"{prefix}_upper")))


def _chance(row: Row, subject: str, classes: Sequence[str]) -> float | None:
    """The score of guessing: UAR of a network that knows nothing is one over the classes."""
    known = _number(row, chance(subject))
    return 1 / len(classes) if known is None and classes else known


def _privacy(row: Row, private: Mapping[str, Sequence[str]]) -> list[Measured]:
    subjects = dict.fromkeys(private)  # they come first, and also where they were not measured
    for pattern in AMOUNTS.values():
        of_pattern = members(f"{pattern}_verdict", row)
        subjects |= dict.fromkeys(name for name, cell in of_pattern.items() if row[cell])
    kept_out = [] if is_zero(row["lambda"]) else [*private]
    measured = []
    for name in subjects:
        # Of speakers verification is measured, of pairs of which one half is by definition.
        guessing = 0.5 if name == "speaker" else _chance(row, name, private.get(name, ()))
        for amount, pattern in AMOUNTS.items():
            of_attack = Measured(name, name in kept_out, amount, guessing)
            measured.append(_measured(row, name_of(pattern, name), "uar", of_attack))
    for known, cell in members(f"{_MEMBERSHIP}_verdict", row).items():
        if row[cell]:
            prefix = name_of(_MEMBERSHIP, known)
            of_attack = Measured("membership", False, known, 0.5)
            measured.append(_measured(row, prefix, "auc", of_attack))
    return measured


def _measured(row: Row, prefix: str, score: str, attack: Measured) -> Measured:
    """The attack with what the row has measured of it."""
    return dataclasses.replace(
        attack,
        score=_number(row, f"{prefix}_{score}"),
        lower=_number(row, f"{prefix}_lower"),
        upper=_number(row, f"{prefix}_upper"),
        p=_number(row, f"{prefix}_p"),
        minimum_detectable=_number(row, f"{prefix}_minimum_detectable"),
        verdict=row.get(f"{prefix}_verdict") or None,
    )


def _not_tested(
    description: Description, row: Row, emotion: Sequence[Score], privacy: Sequence[Measured]
) -> list[str]:
    tested = dict.fromkeys(m.subject for m in privacy if m.verdict and m.subject != "membership")
    sentences = [f"attributes other than {_listed([*tested])}" if tested else "any attribute"]
    for amount in AMOUNTS:
        of_amount = [m.subject for m in privacy if m.attacker_has == amount and not m.verdict]
        if missing := [subject for subject in of_amount if subject in tested]:
            sentences.append(f"{_listed(missing)} from {amount}")
    if not any(m.subject == "membership" for m in privacy):
        sentences.append("whether a speaker was among those whom the network was trained on")
    if not any(" among " in score.name for score in emotion):
        sentences.append("how well emotion is recognised among the groups of an attribute")
    sentences += [
        f"recordings, rooms, microphones and languages other than those of {row['dataset']}",
        "attackers other than those of the verdicts, linear and kernel ones, and who have "
        "more or other data than this corpus, or the network's unreleased h",
        "whether voice or words can be restored from h",
        "files of other formats that were made of this folder, but for those that an exported.json "
        "beside this file judges",
    ]
    if description.needs:
        sentences.append("persons who enrol other utterances, or fewer, than in the main job")
    return sentences


def _changed(flags: Mapping[str, str]) -> dict[str, str]:
    """The flags that are not at their default, without places, which are nobody else's."""
    defaults = {flag_name(name): flag_default(name) for name in FIELDS}
    changed = {}
    for name, value in flags.items():
        if value == defaults.get(name, "") and name not in _ALWAYS:
            continue
        if name in PATHS:
            value = name.upper()
        changed[name] = Path(value).name if name == "folds" else value
    return changed


def _number(row: Row, name: str) -> float | None:
    value = row.get(name)
    if value is None or not math.isfinite(value):
        return None
    return float(value)


def _listed(names: Sequence[str]) -> str:
    """The names as a sentence has them.

    >>> _listed(["accent", "gender", "speaker"])
    'accent, gender and speaker'
    """
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))
