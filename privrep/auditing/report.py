"""The result of an audit as a frozen type, and its JSON (host).

The JSON is described by `audit.schema.json` in this folder. SCHEMA_VERSION is increased when a key
is renamed, removed, or changes its meaning; a new key does not change it.
"""

import importlib
import json
import math
from collections.abc import Iterable
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

import numpy as np

from privrep.attacks.suite import is_small
from privrep.auditing.gate import GateOutcome, Judged, Limits, judge_gate, limits_of
from privrep.auditing.questions import Attributes
from privrep.auditing.threats import OnlineCodeResult, ThreatResult
from privrep.leakage.alignment import Alignment
from privrep.leakage.attacker_results import AttackerResult, VictimResult
from privrep.leakage.conditional import Explained
from privrep.leakage.decensoring import Decensored
from privrep.leakage.headline import Headline, Subject, headline_of_classes, headline_of_number
from privrep.leakage.learning_curve import CurvePoint
from privrep.leakage.number_measurement import NumberMeasurement
from privrep.leakage.spike import Sensitivity
from privrep.statistics.verdict import Verdict

SCHEMA_VERSION = 3


@dataclass(frozen=True)
class ClassCount:
    """A value of the attribute, with its utterances, and the speakers who have it."""

    name: str
    utterances: int
    speakers: int


@dataclass(frozen=True)
class InputRecord:
    """An input: its role, its file name ("(array)" of one from memory), and its SHA-256."""

    role: str
    name: str
    sha256: str


@dataclass(frozen=True)
class AuditedData:
    """The audited data.

    Attributes:
      classes: values of the attribute.
      utterances, speakers: how many were audited.
      shape: of the representations as they were given.
      notes: sentences about the inputs, such as what was left out.
      inputs: files or arrays.
    """

    classes: tuple[ClassCount, ...]
    utterances: int
    speakers: int
    shape: tuple[int, ...]
    notes: tuple[str, ...]
    inputs: tuple[InputRecord, ...]


@dataclass(frozen=True)
class PermutationTest:
    """The test that was made.

    Attributes:
      alpha: level of the test and of each bound.
      limit: the leak over chance that must be excluded before the verdict is no_leak_shown.
      correlation_limit: likewise, of an attribute that is a number.
      permutations: permuted labellings for which every attacker was trained anew.
      possible_permutations: labellings that the design allows; 10**18 or more are 10**18.
      permuted_between: between whom labels were permuted.
      folds: K.
      deals: of folds, over which the UAR of every labelling is averaged.
      turned: share of single deals with another verdict.
      quick: whether the quick form of the audit was asked for.
      seed: of folds and permutations.
    """

    alpha: float
    limit: float
    correlation_limit: float
    permutations: int
    possible_permutations: int
    permuted_between: str
    folds: int
    deals: int
    turned: float
    quick: bool
    seed: int


@dataclass(frozen=True)
class SessionResult:
    """What h reveals beyond sessions, see `sessions.BeyondSessions`; speakers by name.

    Attributes:
      verdict: None where there is none.
      permuted_between: between whom labels were permuted for it.
      left_out: speakers who tie the sessions into one.
      note: a sentence on what was done.
    """

    verdict: Verdict | None
    permuted_between: str
    left_out: tuple[str, ...]
    note: str


@dataclass(frozen=True)
class WorstProtectedSpeaker:
    """The speaker of whom the strongest attacker names the largest share of utterances rightly."""

    speaker: str
    recall: float
    utterances: int


@dataclass(frozen=True, repr=False)
class AuditReport:
    """The result of `run_audit.audit`. Scores are UARs on held-out speakers, unless stated.

    Where the attribute is a number, such as an age, `score` names the quantity of the headline
    (verdict, reason, chance, lower, upper, limit, p, smallest_p, minimum_detectable): the rank
    correlation of `number`, or the UAR of its bins. Everything else is of the bins.

    A number that does not exist is NaN or infinity here, and null in the JSON.

    Attributes:
      schema_version: of the JSON.
      verdict: "leaks", "no_leak_shown" or "cannot_tell", see `verdict.Verdict`.
      reason: one or two sentences.
      attribute: that was audited.
      score: "uar" or "correlation".
      chance: 1 / number of classes; 0 of a correlation.
      uar: of the strongest attacker; NaN where the headline is a correlation.
      correlation: of the strongest attacker of a number; NaN where the attribute has classes.
      lower, upper: one-sided bounds of it, each at 95 %, corrected for having selected it.
      limit: the UAR above which a leak counts.
      p, smallest_p: of the test; the smallest p that the design can give.
      minimum_detectable: minimum detectable UAR, with 80 % power; infinity where there is none.
      person: as the fields above, from all utterances of a person together.
      beyond_sessions: the leak beyond what sessions reveal; None without a session column.
      worst_protected: the speaker whom the strongest attacker names best.
      strongest: name of the strongest attacker.
      attackers: every attacker of the suite.
      untested: {name: UAR} of attackers that were trained for the true labels only.
      victims: the strongest attacker with several utterances of one victim.
      leak_by_speakers: the learning curve of strongest_quick.
      threats: the threat ladder.
      strongest_quick: the strongest attacker that is quickly trained; it answers further questions.
      online_code: minimum description length of the labels given h.
      given: the relation of covariates to the leak.
      attributes: the leak of other attributes.
      number: the measurement of an attribute that is a number; None where it has classes.
      bins: the verdict on the bins of a number; None where the attribute has classes.
      decensoring: the attack that maps back to unprotected h; None without it.
      alignment: why the rows of both inputs are taken to belong together; where it is not known
        that they do, every verdict is "not_judged", and there are no bounds, p and minimum
        detectable scores.
      sensitivity: the smallest planted leak of classes that was detected; None where there was a
        leak, or nothing could be detected.
      correlation_sensitivity: likewise of an attribute that is a number; None where it has classes.
      data: the audited data.
      test: the test that was made.
      not_tested: what the audit does not cover, sentences.
      versions: {package: version}.
      command: that repeats the audit; None if an input was an array, or nothing was written.
      limits: what the audit must keep to pass; in the JSON `gate` stands in their place.
      date: when the audit was made, UTC.
    """

    verdict: str
    reason: str
    attribute: str
    score: str
    chance: float
    uar: float
    correlation: float
    lower: float
    upper: float
    limit: float
    p: float
    smallest_p: float
    minimum_detectable: float
    person: Verdict
    beyond_sessions: SessionResult | None
    worst_protected: WorstProtectedSpeaker
    strongest: str
    attackers: tuple[AttackerResult, ...]
    untested: dict[str, float]
    victims: tuple[VictimResult, ...]
    leak_by_speakers: tuple[CurvePoint, ...]
    threats: tuple[ThreatResult, ...]
    strongest_quick: str
    online_code: OnlineCodeResult
    given: tuple[Explained, ...]
    attributes: Attributes
    decensoring: Decensored | None
    number: NumberMeasurement | None
    bins: Verdict | None
    alignment: Alignment
    sensitivity: Sensitivity | None
    correlation_sensitivity: Sensitivity | None
    data: AuditedData
    test: PermutationTest
    not_tested: tuple[str, ...]
    versions: dict[str, str]
    command: str | None
    limits: Limits
    date: str
    schema_version: int = SCHEMA_VERSION

    @property
    def strongest_attacker(self) -> AttackerResult:
        """The result of the attacker called `strongest`."""
        return next(result for result in self.attackers if result.name == self.strongest)

    @property
    def beyond(self) -> Verdict | None:
        """The verdict beyond sessions; None where there is none."""
        return None if self.beyond_sessions is None else self.beyond_sessions.verdict

    @property
    def of_classes(self) -> Verdict:
        """The verdict on the classes, which are bins where the attribute is a number."""
        if self.bins is not None:
            return self.bins
        return Verdict(*(getattr(self, name) for name in Verdict._fields if name != "floor"))

    @property
    def headline(self) -> Headline:
        """The result in words: the first thing of the terminal, of the card and of the JSON."""
        subject = Subject(
            attribute=self.attribute,
            classes={described.name: described.speakers for described in self.data.classes},
            speakers=self.data.speakers,
            utterances=self.data.utterances,
            has_sessions=self.beyond_sessions is not None,
            confidence=1 - self.test.alpha,
            misaligned="" if self.alignment.is_known else self.alignment.sentence,
            doubt=self.alignment.doubt,
            deals=self.test.deals,
            is_small=is_small(self.data.utterances * self.data.shape[-1]),
        )
        if self.number is not None and self.score == "correlation":
            least = self.minimum_detectable
            return headline_of_number(
                subject, self.number.verdict._replace(minimum_detectable=least)
            )
        untested = max(self.untested.items(), key=lambda item: item[1], default=None)
        return headline_of_classes(
            subject, self.of_classes, person=self.person, beyond=self.beyond, untested=untested
        )

    @property
    def gate(self) -> GateOutcome:
        """Whether the audit keeps its `limits`; its status is the exit status of the program."""
        return judge_gate(self._judged, self.limits)

    def passed(
        self,
        fail_on: str | Iterable[str] | None = None,
        fail_above: str | float | None = None,
        fail_above_person: str | float | None = None,
        fail_above_correlation: float | None = None,
        least_speakers: int = 0,
    ) -> bool:
        """Whether the audit keeps other limits; without arguments, those it was made with.

        Args:
          fail_on, fail_above, fail_above_person, fail_above_correlation, least_speakers: see
            `gate.limits_of`.

        Raises:
          ValueError: a limit that is none, or limits that contradict each other.
        """
        bounds = (fail_above, fail_above_person, fail_above_correlation)
        if fail_on is None and bounds == (None, None, None) and not least_speakers:
            return self.gate.passed
        return judge_gate(self._judged, limits_of(fail_on, *bounds, least_speakers)).passed

    @property
    def _judged(self) -> Judged:
        return Judged(
            attribute=self.attribute,
            verdict=self.verdict,
            reason=self.reason,
            speakers=self.data.speakers,
            num_classes=len(self.data.classes),
            one_utterance=self.of_classes,
            person=self.person,
            correlation=None if self.number is None else self.number.verdict,
        )

    def __repr__(self) -> str:
        """One line: what was audited, the verdict, and its numbers."""
        score = f"{self.score}={getattr(self, self.score):.3f}"
        bounds = f"lower={self.lower:.3f}, upper={self.upper:.3f}, p={self.p:.3g}"
        return (
            f"AuditReport(attribute={self.attribute!r}, verdict={self.verdict!r}, {score}, "
            f"{bounds}, speakers={self.data.speakers}, utterances={self.data.utterances})"
        )

    def to_html(self) -> str:
        """The privacy card, a whole HTML document without scripts or outside resources."""
        # The card is made of this report and imports this module.
        return importlib.import_module("privrep.auditing.card").card(self)

    def _repr_html_(self) -> str:
        """The headline and the picture of the card, as a notebook shows them."""
        return importlib.import_module("privrep.auditing.card").summary(self)

    def to_json(self) -> str:
        """Strict JSON by `audit.schema.json`, the schema version first, with a final line break."""
        plain = {
            "schema_version": self.schema_version,
            "date": self.date,
            "headline": _plain(self.headline),
            "gate": _plain(self.gate),
        }
        plain |= {name: value for name, value in _plain(self).items() if name != "limits"}
        return json.dumps(plain, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _plain(value: Any) -> Any:
    """Dataclasses and NamedTuples as dicts, numpy scalars as Python's, NaN and infinity as None."""
    if is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    if hasattr(value, "_asdict"):
        return {name: _plain(part) for name, part in value._asdict().items()}
    if isinstance(value, dict):
        return {name: _plain(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value
