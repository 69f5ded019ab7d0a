"""The sentences of an answer: what a network reveals and keeps, how sure that is, what is open and
what to do.
"""

import math
from collections.abc import Iterable, Mapping, Sequence

from experiments.config.lambdas import is_zero, lambda_text
from experiments.results.result_directories import Row
from experiments.results.seeds import number
from experiments.results.selected import (
    ORDINARY,
    Cell,
    cell_of_settings,
    listed,
    named,
    network_name,
)
from experiments.results.summary import Entry, emotion_mean, emotion_name, emotion_pooled, sound
from privrep.leakage.headline import ANSWERS, times

NOT_TESTED = "not_tested"


def verdict_of(entry: Entry, attribute: str) -> str:
    """Of one utterance: "leaks", "no_leak_shown", "cannot_tell", or NOT_TESTED."""
    return _verdict(entry["verdicts"].get(attribute))


def verdict_of_speaker(entry: Entry, attribute: str) -> str:
    """The same of all utterances of a speaker together."""
    return _verdict(entry["all_utterances"].get(attribute))


def _verdict(test: Mapping | None) -> str:
    return NOT_TESTED if test is None or test["uar"] is None else str(test["verdict"])


def short(attribute: str, entries: Iterable[Entry]) -> str:
    """The whole answer in a sentence: of one utterance, and where more is read from all of a
    speaker, of these.
    """
    networks = list(entries)
    what = subject(attribute)
    phrase_of = {
        "leaks": f"{what} can be read from",
        "no_leak_shown": f"no leak of {what} is shown from",
        "cannot_tell": f"whether {what} can be read is not known from",
        NOT_TESTED: "not tested:",
    }
    parts = []
    for verdict, words in phrase_of.items():
        names = [named(e) for e in networks if verdict_of(e, attribute) == verdict]
        if names:
            parts.append(f"{words} {listed(names)}")
    more = [named(entry) for entry in networks if leaks_from_all_only(entry, attribute)]
    if more:
        parts.append(f"from all utterances of a speaker it can be read from {listed(more)} too")
    sentence = "; ".join(parts)
    return f"{sentence[:1].upper()}{sentence[1:]}."


def subject(attribute: str) -> str:
    """What is read, in a sentence."""
    return "the speaker" if attribute == "speaker" else attribute


def leaks_from_all_only(entry: Entry, attribute: str) -> bool:
    """Whether all utterances of a speaker leak what one is not known to."""
    of_one, of_all = verdict_of(entry, attribute), verdict_of_speaker(entry, attribute)
    return of_all == "leaks" and of_one not in ("leaks", NOT_TESTED)


def sentence(entry: Entry, attribute: str, chance: float, ordinary: Entry | None) -> str:
    """What a network reveals and keeps.

    Args:
      chance: UAR of guessing the attribute.
      ordinary: the network without protection, None where it is `entry` or was not run.
    """
    kept = _emotion(entry, ordinary)
    verdict = verdict_of(entry, attribute)
    if verdict == NOT_TESTED:
        why = "its networks collapsed" if entry["collapsed"] else "no attacker was tested"
        return f"not tested, because {why}; {kept}."
    test = entry["verdicts"][attribute]
    return (
        f"{ANSWERS[verdict].word.lower()}. "
        f"{_reads(attribute, test['uar'], number(test['upper']), chance)}"
        f"{_from_all(entry, attribute)}; {kept}.{_unsound(entry)}"
    )


def _reads(attribute: str, uar: float, upper: float, chance: float) -> str:
    bound = "no upper bound" if math.isnan(upper) else f"upper bound {_bound(upper)}"
    often = f"rightly {times(uar)} times in 100"
    beside = f"(guessing {times(chance)}, {bound})"
    if attribute == "speaker":
        whether = "whether two utterances are of one unseen speaker"
        return f"An attacker decides {often} {whether} {beside}"
    return f"An attacker names the {attribute} of an unseen speaker {often} {beside}"


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


def _emotion(entry: Entry, ordinary: Entry | None) -> str:
    name, score = emotion_name([entry]), emotion_pooled(entry)
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


def certainty(cell: Cell, attribute: str, entries: Sequence[Entry], rows: Sequence[Row]) -> str:
    """On how much the answer rests, and which leak would have been detected."""
    runs = [row for row in rows if not row.get("control") and cell_of_settings(row) == cell]
    speakers, utterances = (
        max((row[name] for row in runs if row.get(name)), default=0)
        for name in ("num_speakers", "num_utterances")
    )
    seeds = len({row["seed"] for row in runs})
    starts = "one random start (seed)" if seeds == 1 else f"{seeds} random starts (seeds)"
    counted = (
        f"It rests on {speakers:,} speakers and {utterances:,} utterances; more speakers would "
        f"make it surer, more utterances of the same ones hardly. Trained from {starts}."
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


def still_open(cell: Cell, attribute: str, networks: Mapping[str, Entry]) -> list[str]:
    """What is not known of the networks {name: entry} of a cell."""
    sentences = []
    if ORDINARY not in networks:
        sentences.append("No ordinary network (λ 0) was run: what a defence costs is not known.")
    if cell.dataset == "demo":
        sentences.append("The demo speech is synthetic: the results describe no real speakers.")
    for entry in networks.values():
        verdict = entry["verdicts"].get(attribute, {})
        if verdict.get("verdict") == "cannot_tell" and verdict["upper"] is not None:
            sentences.append(
                f"{network_name(entry)}: a leak up to {_bound(verdict['upper'])} times in 100 is "
                "not excluded."
            )
        of_all = entry["all_utterances"].get(attribute, {})
        is_open = of_all.get("verdict") == "cannot_tell" and of_all["upper"] is not None
        if is_open and verdict.get("verdict") == "no_leak_shown":
            sentences.append(
                f"{network_name(entry)}: from all utterances of a speaker a leak up to "
                f"{_bound(of_all['upper'])} times in 100 is not excluded."
            )
    members = [(entry, entry["membership"].get("h", {})) for entry in networks.values()]
    aucs = [
        f"{member['auc']:.2f} from {named(entry)}"
        for entry, member in members
        if member.get("verdict") == "leaks" and member.get("auc") is not None
    ]
    if aucs:
        sentences.append(
            "Whether a speaker was among those that a network was trained on can be read, with an "
            f"AUC of {listed(aucs)} (guessing 0.5; see Membership)."
        )
    sentences.append(
        "A stronger attacker, or one with more speakers to learn from, may read more; no statement "
        "is made about other attributes or other speakers."
    )
    return sentences


def next_steps(attribute: str, networks: Mapping[str, Entry], left_out: Sequence[str]) -> list[str]:
    """What to do.

    Args:
      networks: {ORDINARY or recipe: its entry}.
      left_out: recipes of which no network can be answered for.
    """
    what = subject(attribute)
    verdicts = {name: verdict_of(entry, attribute) for name, entry in networks.items()}
    protected = {n: e for n, e in networks.items() if not is_zero(e["settings"]["lambda"])}
    if {*verdicts.values()} == {NOT_TESTED}:
        return ["Nothing was judged: train longer (--min_steps), or on more data."]
    tried = {*networks, *left_out}
    untried = [f"--recipe={name}" for name in ("posterior", "keep") if name not in tried]
    if not protected and untried:
        return [f"Protect them: {' or '.join(untried)}, with --lambda=0,1."]
    quiet = [e for n, e in protected.items() if verdicts[n] == "no_leak_shown" and sound(e)]
    quiet = [e for e in quiet if not leaks_from_all_only(e, attribute)]
    if quiet:
        return [_pick(max(quiet, key=lambda e: emotion_mean(e, "val")))]
    leaking = [named(e) for name, e in networks.items() if verdicts[name] == "leaks"]
    treat = [f"Treat {listed(leaking)} as revealing {what}."] if leaking else []
    of_many = [e for e in protected.values() if leaks_from_all_only(e, attribute)]
    if of_many:
        return [
            *treat,
            f"Treat {listed([*map(named, of_many)])} as revealing {what} of whoever sends "
            f"several utterances; {_another(untried)}.",
        ]
    unknown = [named(e) for name, e in protected.items() if verdicts[name] == "cannot_tell"]
    if unknown:
        return [*treat, f"Do not take {listed(unknown)} for a pass: measure with more speakers."]
    return [f"Treat all of them as revealing {what}; {_another(untried)}."]


def _another(untried: Sequence[str]) -> str:
    recipes = f"{' or '.join(untried)}, or " if untried else ""
    return f"try {recipes}another --lambda"


def _pick(entry: Entry) -> str:
    recipe = entry["settings"].get("recipe") or ""
    strength = lambda_text(entry["settings"]["lambda"])
    pick = f"--pick=recipe={recipe},lambda={strength}" if recipe else f"--pick=lambda={strength}"
    return (
        f"Of those that show no leak, {network_name(entry)} recognises emotion best on validation "
        "speakers. To write it for use, where DIR is this directory of results: "
        f"python -m experiments.export_model DIR {pick}"
    )
