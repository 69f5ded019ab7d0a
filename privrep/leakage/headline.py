"""The result of a measurement in words that need no statistics: one headline (host).

Whatever shows a result begins with it: the terminal, the card, audit.json. All parts are plain text
and may hold names from an input, to be escaped where they are shown.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

from privrep.statistics.correlation import CorrelationVerdict
from privrep.statistics.planning import (
    Expected,
    ExpectedCorrelation,
    expected,
    expected_correlation,
    rounded_up,
    speakers_needed,
)
from privrep.statistics.verdict import Verdict
from privrep.types import NOT_JUDGED


class VerdictMark(NamedTuple):
    """A verdict as it is shown: word and sign carry the meaning, the colour only repeats it."""

    word: str
    sign: str
    colour: str


ANSWERS = {
    "leaks": VerdictMark("It leaks", "▲", "#D55E00"),
    "no_leak_shown": VerdictMark("No leak shown", "●", "#0072B2"),
    "cannot_tell": VerdictMark("Cannot tell", "?", "#5A5A5A"),
    NOT_JUDGED: VerdictMark("Not judged", "◇", "#8B4A8B"),
}


class Subject(NamedTuple):
    """What was measured, on how much.

    Attributes:
      attribute: its name.
      classes: {name: speakers who have it}; bins where the attribute is a number.
      speakers, utterances: how many were measured.
      has_sessions: whether it is known what was recorded together.
      confidence: of each bound, such as 0.95.
      misaligned: why it is not known that labels belong to their rows; "" where it is.
      doubt: what is left of that question; "" where nothing is.
      deals: of folds.
      is_small: whether h is so small that all attackers took part in every deal.
    """

    attribute: str
    classes: dict[str, int]
    speakers: int
    utterances: int
    has_sessions: bool
    confidence: float
    misaligned: str = ""
    doubt: str = ""
    deals: int = 2
    is_small: bool = True


class Headline(NamedTuple):
    """The result for a reader who is no statistician.

    Attributes:
      question: that the measurement answers.
      verdict: "leaks", "no_leak_shown", "cannot_tell" or "not_judged".
      word, sign, colour: see `VerdictMark`.
      sentence: what an attacker reads, beside guessing, and the bound.
      further: the same from all utterances of a person, and beyond sessions, where they differ.
      certainty: on how many speakers it rests, and the smallest leak that would have been detected.
      still_open: sentences on what the verdict leaves open.
      next_steps: sentences on what to do about it.
    """

    question: str
    verdict: str
    word: str
    sign: str
    colour: str
    sentence: str
    further: tuple[str, ...]
    certainty: str
    still_open: tuple[str, ...]
    next_steps: tuple[str, ...]

    @property
    def parts(self) -> tuple[tuple[str, str], ...]:
        """(title, text) of what follows the sentences."""
        return (
            ("How sure", self.certainty),
            ("Still open", " ".join(self.still_open)),
            ("Next", " ".join(self.next_steps)),
        )


def headline_of_classes(
    subject: Subject,
    verdict: Verdict,
    *,
    person: Verdict | None = None,
    beyond: Verdict | None = None,
    untested: tuple[str, float] | None = None,
) -> Headline:
    """The headline of an attribute that has classes.

    Args:
      subject: that was measured.
      verdict: from one utterance, in total.
      person: from all utterances of a person together.
      beyond: beyond sessions.
      untested: name and UAR of an attacker outside the test that reads more than the tested ones.
    """
    chance = 1 / len(subject.classes)
    reads, by = verdict.uar, ""
    if untested is not None and untested[1] > reads:
        reads, by = untested[1], f" ({untested[0]}, an attacker outside the test)"
    sentence = (
        f"Shown {equally(subject.classes)}, the strongest attacker{by} names the "
        f"{subject.attribute} of an unseen speaker rightly {times(reads)} times in 100 from one "
        f"utterance; guessing {times(chance)}; {_bounded(verdict.upper, subject.confidence)}."
    )
    further = []
    if person is not None and _differs(person, verdict):
        further.append(
            f"From all utterances of a person together: {_briefly(person, subject.confidence)}."
        )
    if beyond is not None and _differs(beyond, verdict):
        further.append(
            "Beyond what the speakers of a session share, such as a room: "
            f"{_briefly(beyond, subject.confidence)}."
        )
    detectable = verdict.minimum_detectable
    smallest = ""
    if math.isfinite(detectable):
        smallest = f"A leak of {times(min(detectable, 1), up=True)} times in 100"
    room_for_leak = (
        f"up to {times(verdict.upper, up=True)} times in 100"
        if math.isfinite(verdict.upper)
        else "of any size"
    )
    utterances = [subject.utterances / subject.speakers] * subject.speakers
    plan = expected(
        [*subject.classes.values()], utterances, subject.deals, is_small=subject.is_small
    )
    needed = _speakers_needed(plan, subject.speakers, verdict.upper - chance, verdict.limit)
    limit = f"{times(verdict.limit)} times in 100"
    extent = _Extent(smallest, room_for_leak, limit, needed, verdict.reason)
    headline = _headline(subject, verdict.verdict, sentence, further, extent)
    if headline.verdict == "no_leak_shown" and person is not None:
        return _of_many_utterances(headline, person, subject.confidence)
    return headline


def _of_many_utterances(headline: Headline, person: Verdict, confidence: float) -> Headline:
    """What a pass from one utterance leaves open, where all of a person are not excluded."""
    if person.verdict == "no_leak_shown":
        return headline
    return headline._replace(
        still_open=(
            "Whoever holds many utterances of a person may read more: from all together "
            f"{_briefly(person, confidence)}.",
            *headline.still_open,
        ),
        next_steps=(
            "Where many utterances of a person leave the device, limit what they reveal together "
            "(--fail-above-person).",
            *headline.next_steps,
        ),
    )


def headline_of_number(subject: Subject, verdict: CorrelationVerdict) -> Headline:
    """The headline of an attribute that is a number, such as an age in years."""
    r, upper = verdict.correlation, verdict.upper
    sentence = (
        f"From all utterances of an unseen speaker, the strongest attacker's estimate of "
        f"{subject.attribute} has a correlation of {r:.2f} with the truth (0 is guessing, 1 the "
        f"right order), which separates the higher half of the speakers from the lower rightly "
        f"about {times(_halves(r))} times in 100; guessing 50; "
    )
    if math.isfinite(upper):
        sentence += (
            f"with {subject.confidence:.0%} confidence not more than {upper:.2f}, or "
            f"{times(_halves(upper), up=True)} times in 100."
        )
    else:
        sentence += "no upper bound can be given."
    detectable = verdict.minimum_detectable
    smallest = f"A correlation of {min(detectable, 1):.2f}" if math.isfinite(detectable) else ""
    room_for_leak = f"up to a correlation of {upper:.2f}" if math.isfinite(upper) else "of any size"
    plan = expected_correlation([1] * subject.speakers, subject.deals)
    needed = _speakers_needed(plan, subject.speakers, upper, verdict.limit)
    limit = f"a correlation of {verdict.limit:.2f}"
    extent = _Extent(smallest, room_for_leak, limit, needed, verdict.reason)
    return _headline(subject, verdict.verdict, sentence, [], extent)


def times(share: float, up: bool = False) -> str:
    """A share as times in 100, rounded; a bound is rounded up.

    >>> times(0.691), times(0.691, up=True)
    ('69', '70')
    """
    return f"{math.ceil(share * 100 - 1e-9) if up else round(share * 100)}"


class _Extent(NamedTuple):
    """How large a leak is spoken of, in words of a UAR or of a correlation.

    Attributes:
      smallest: leak that would have been detected; "" where there is none.
      room_for_leak: what the bound does not exclude.
      limit: the leak that counts.
      needed: speakers with whom the bound comes to the limit with 80 % probability; 0 if it does
        with those there are.
      reason: of the verdict, sentences.
    """

    smallest: str
    room_for_leak: str
    limit: str
    needed: int
    reason: str


_Outlook = tuple[tuple[str, ...], tuple[str, ...]]  # what is still open, and the next steps


def _headline(
    subject: Subject, verdict: str, sentence: str, further: Sequence[str], extent: _Extent
) -> Headline:
    word = NOT_JUDGED if subject.misaligned else verdict
    still_open, next_steps = {
        "leaks": _after_a_leak,
        "no_leak_shown": _after_no_leak,
        "cannot_tell": _after_no_answer,
        NOT_JUDGED: _after_no_judgement,
    }[word](subject, extent)
    if word == NOT_JUDGED:
        sentence = (
            "It is not known whether each row of the labels belongs to its row of the "
            "representations; of rows in another order every attacker is at chance, whatever they "
            f"reveal. {subject.misaligned}"
        )
        further = ()
    elif subject.doubt and word != "leaks":
        still_open = (*still_open, subject.doubt)
    return Headline(
        f"Can {subject.attribute} be read from these representations?",
        word,
        *ANSWERS[word],
        sentence,
        tuple(further),
        _certainty(subject, extent.smallest) if word != NOT_JUDGED else _counted(subject) + ".",
        still_open,
        next_steps,
    )


def _after_a_leak(subject: Subject, extent: _Extent) -> _Outlook:
    still_open = ["A stronger attacker may read more."]
    if not subject.has_sessions:
        still_open.append(
            "Without a column of sessions it is not known how much of it is the voice and how much "
            "the room or the device."
        )
    return tuple(still_open), (
        f"Treat these representations as revealing {subject.attribute}: do not give them to anyone "
        "who must not know it. Protect them (send less, such as the class posterior, or train with "
        "a defence) and audit the protected ones in the same way.",
    )


def _after_no_leak(subject: Subject, extent: _Extent) -> _Outlook:
    return (
        (
            f"A leak {extent.room_for_leak} is not excluded, nor one to a stronger attacker, of "
            "another attribute, or for speakers unlike these.",
        ),
        (
            f"If less than {extent.limit} is enough, nothing, until the network or the speakers "
            "change: then audit again, and the other private attributes too.",
        ),
    )


def _after_no_answer(subject: Subject, extent: _Extent) -> _Outlook:
    if extent.needed:
        advice = (
            f"Audit with more speakers: if there is no leak, about {extent.needed:,} in place of "
            f"{subject.speakers:,} exclude one over {extent.limit} with a probability of 80 %. "
            "More utterances of the same speakers hardly help."
        )
    else:
        advice = "Repair what is listed as open, and audit again."
    return (
        (f"Whether it leaks: one {extent.room_for_leak} is not excluded.", extent.reason),
        (f"Do not take this for a pass. {advice}",),
    )


def _after_no_judgement(subject: Subject, extent: _Extent) -> _Outlook:
    return (
        ("Everything: no number of this audit shows how much is revealed.",),
        (
            "Give both inputs a column id, by which the rows are joined; or give a column that the "
            "representations are known to reveal, such as the emotion; or, if you know that the "
            "rows stand in one order, say so (--aligned).",
        ),
    )


def _certainty(subject: Subject, smallest: str) -> str:
    if not smallest:
        return (
            f"{_counted(subject)}. No leak, however large, would have been detected: there are too "
            "few speakers, or these representations swallow what is planted in them."
        )
    return (
        f"{_counted(subject)}. {smallest} would have been detected with 80 % "
        "probability; smaller ones may be missed."
    )


def _counted(subject: Subject) -> str:
    speakers = "speaker" if subject.speakers == 1 else "speakers"
    return (
        f"It rests on {subject.speakers:,} {speakers} and {subject.utterances:,} utterances, of "
        "which the speakers count"
    )


def equally(classes: dict[str, int]) -> str:
    """What a UAR is of, in words.

    >>> equally({"female": 7, "male": 3}), equally({"a": 1, "b": 1, "c": 1})
    ('as many women as men', 'each of the 3 classes equally often')
    """
    names = list(classes)
    if sorted(names) == ["female", "male"]:
        return "as many women as men"
    if len(names) == 2:
        return f"as many of {names[0]} as of {names[1]}"
    return f"each of the {len(names)} classes equally often"


def _bounded(upper: float, confidence: float) -> str:
    if not math.isfinite(upper):
        return "no upper bound can be given"
    return f"with {confidence:.0%} confidence not more than {times(upper, up=True)}"


def _briefly(verdict: Verdict, confidence: float) -> str:
    word = ANSWERS[verdict.verdict].word
    return (
        f"rightly {times(verdict.uar)} times in 100, {_bounded(verdict.upper, confidence)} "
        f"({word[0].lower() + word[1:]})"
    )


def _differs(other: Verdict, verdict: Verdict) -> bool:
    return other.verdict != verdict.verdict or times(other.uar) != times(verdict.uar)


def _halves(correlation: float) -> float:
    """The UAR of the halves of normal numbers that are predicted so well (Sheppard 1899).

    A negative correlation separates them wrongly more often than rightly.
    """
    return 0.5 + math.asin(max(-1.0, min(correlation, 1.0))) / math.pi


def _speakers_needed(
    plan: Expected | ExpectedCorrelation, speakers: int, margin: float, limit: float
) -> int:
    """About how many speakers bring an upper bound without a leak to the limit; 0 if that is met.

    As many as `privrep plan` says, or more where this bound is higher than is to be expected of so
    many speakers: bounds come nearer by the root of their number.

    Args:
      plan: of as many speakers.
      speakers: that were measured.
      margin: upper bound - chance.
      limit: that the bound is to come to.
    """
    allowed = limit - plan.chance
    if not math.isfinite(margin) or margin <= allowed:
        return 0
    by_bound = rounded_up(speakers * (margin / allowed) ** 2)
    planned = speakers_needed(plan, speakers, limit)
    # A plan expects nothing of speakers who are too few for any small p.
    return int(max(planned, by_bound) if math.isfinite(planned) else by_bound)
