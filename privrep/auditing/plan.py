"""Predictions of what an audit of given labels can show, before there is any h (host)."""

import json
import math
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from privrep.attacks.suite import is_small
from privrep.auditing.gate import limits_of
from privrep.auditing.join import JoinedSample
from privrep.auditing.options import SIZE, AuditOptions, Columns
from privrep.auditing.quantity import Quantity
from privrep.auditing.read_inputs import check_output, read_labels
from privrep.files import replace_file
from privrep.leakage.headline import times
from privrep.leakage.measurement import FEWEST_SPEAKERS
from privrep.messages import first
from privrep.statistics.design import speakers_per_class
from privrep.statistics.planning import (
    Expected,
    ExpectedCorrelation,
    expected,
    expected_correlation,
    speakers_needed,
)
from privrep.types import PRIMARY, SECONDARY, NumberSample

_DEFAULTS = AuditOptions()
_LARGEST = 10**6  # speakers; larger numbers are not reported


@dataclass(frozen=True, repr=False)
class AuditPlan:
    """What an audit can be expected to show.

    Attributes:
      attribute: that will be audited.
      speakers, utterances: how many there are.
      size: values of the h of an utterance.
      score: "uar", or "correlation" of a number.
      speakers_per_class: {class: speakers}; of a number its bins.
      limit: score that the upper bound must not exceed to pass.
      expected: see `planning.Expected`, and `ExpectedCorrelation` of a number.
      chance_to_pass: of representations without a leak.
      speakers_needed: about how many, in the same proportions, for a chance of 80 % to pass.
      notes: sentences on the labels.
    """

    attribute: str
    score: str
    speakers: int
    utterances: int
    size: int
    speakers_per_class: dict[str, int]
    limit: float
    expected: Expected | ExpectedCorrelation
    chance_to_pass: float
    speakers_needed: int
    notes: tuple[str, ...]

    def __repr__(self) -> str:
        """One line: what would be audited, and the chance to pass."""
        return (
            f"AuditPlan(attribute={self.attribute!r}, speakers={self.speakers}, "
            f"utterances={self.utterances}, limit={self.limit:.3g}, "
            f"chance_to_pass={self.chance_to_pass:.2f}, speakers_needed={self.speakers_needed})"
        )

    @property
    def in_words(self) -> str:
        """The plan, lines for a terminal."""
        if isinstance(self.expected, ExpectedCorrelation):
            return self._of_correlation(self.expected)
        of = self.expected
        counts = [f"{name} {count:,}" for name, count in self.speakers_per_class.items()]
        detected = "No leak, however large: there are too few speakers."
        if math.isfinite(of.minimum_detectable):
            detected = (
                f"The smallest leak that is detected with 80 % probability: "
                f"{times(of.minimum_detectable)} times in 100 from one utterance, "
                f"{times(of.person_minimum_detectable)} from all utterances of a person; guessing "
                f"{times(of.chance)}."
            )
        return "\n".join(
            [
                f"What could an audit of {self.attribute} show?",
                f"  {self.speakers:,} speakers ({first(counts, 12)}), {self.utterances:,} "
                "utterances.",
                f"  {detected}",
                f"  Without a leak the upper bound will be about {times(of.upper)} times in 100 "
                f"from one utterance (in 8 of 10 corpora {times(of.upper_low)} to "
                f"{times(of.upper_high)}), about {times(of.person_upper)} from all of a person.",
                f"  Representations without a leak pass a limit of {times(self.limit)} times in "
                f"100 with a probability of {self.chance_to_pass:.0%}; for 80 % {self._needed} "
                "speakers are needed.",
                f"  This is of representations of {self.size:,} values per utterance (--size), in "
                "which a third of the variance is between speakers; where speakers differ more, "
                "more of them are needed. To ask whether a new network reveals more than an old "
                "one takes fewer: privrep compare.",
                *(f"  {note}" for note in self.notes),
            ]
        )

    @property
    def _needed(self) -> str:
        many = self.speakers_needed >= _LARGEST
        return "over a million" if many else f"about {self.speakers_needed:,}"

    def _of_correlation(self, of: ExpectedCorrelation) -> str:
        """The plan of an attribute that is a number, lines for a terminal."""
        detected = "No leak, however large: there are too few speakers."
        if math.isfinite(of.minimum_detectable):
            detected = (
                "The smallest leak that is detected with 80 % probability: a correlation of "
                f"{of.minimum_detectable:.2f} from all utterances of a speaker; guessing 0."
            )
        return "\n".join(
            [
                f"What could an audit of {self.attribute}, a number, show?",
                f"  {self.speakers:,} speakers, {self.utterances:,} utterances.",
                f"  {detected}",
                f"  Without a leak the upper bound will be a correlation of about {of.upper:.2f} "
                f"(in 8 of 10 corpora {of.upper_low:.2f} to {of.upper_high:.2f}).",
                f"  Representations without a leak pass a limit of {self.limit:.2f} with a "
                f"probability of {self.chance_to_pass:.0%}; for 80 % {self._needed} speakers are "
                "needed.",
                *(f"  {note}" for note in self.notes),
            ]
        )

    def with_limit(self, limit: float) -> "AuditPlan":
        """The plan for another limit of the upper bound."""
        passes = self.expected.passes(limit)
        needed = speakers_needed(self.expected, self.speakers, limit)
        rarest = min(self.speakers_per_class.values())
        if self.score == "uar" and rarest < FEWEST_SPEAKERS:
            passes, needed = 0.0, max(needed, math.ceil(self.speakers * FEWEST_SPEAKERS / rarest))
        return replace(
            self,
            limit=limit,
            chance_to_pass=passes,
            speakers_needed=int(min(needed, _LARGEST)),
        )

    def to_json(self) -> str:
        """Strict JSON, with a final line break; null for a leak that cannot be detected."""
        plain = asdict(self)
        plain["expected"] = {
            name: value if isinstance(value, str) or math.isfinite(value) else None
            for name, value in self.expected._asdict().items()
        }
        return json.dumps(plain, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def plan(
    labels: Columns,
    attribute: str,
    output: str | Path | None = None,
    *,
    fail_above: str | float | None = None,
    fail_above_correlation: float | None = None,
    size: int = SIZE,
    options: AuditOptions = _DEFAULTS,
) -> AuditPlan:
    """What an audit could show, from speakers and utterances alone.

    Args:
      labels: see `run_audit.audit`.
      attribute: the private column. A number is planned for as one, as it is audited; in its bins
        where these are asked for or `fail_above` is given.
      output: folder for plan.json; None writes nothing.
      fail_above: the limit of the gate, see `gate.share_over_chance`; None for that of *no leak
        shown*, chance + `options.limit`. Where both are given, the lower one decides.
      fail_above_correlation: likewise, of a number; over 0, up to 1.
      size: values of the h of an utterance; of a large h some attackers take part in one deal of
        folds alone, which makes the upper bound higher.
      options: of the audit.

    Raises:
      FileNotFoundError, ValueError: the labels cannot be read or audited, or `size` is under 1.

    Example: 40 speakers are too few for a limit of 0.60.
      >>> speaker = np.repeat(np.arange(40), 10)
      >>> labels = {"speaker": speaker, "gender": np.array(["f", "m"])[speaker % 2]}
      >>> plan(labels, "gender", fail_above=0.60).chance_to_pass < 0.1
      True
    """
    if size < 1:
        raise ValueError(f"--size={size}: an utterance has at least one value")
    share = limits_of(None, fail_above, None, fail_above_correlation).above
    if output is not None:
        check_output(output)
    joined, quantity = read_labels(labels, attribute, options)
    deals = options.deals or (SECONDARY if options.quick else PRIMARY).deals
    is_correlation = quantity is not None and not options.bins and share is None
    if fail_above_correlation is not None and not is_correlation:
        raise ValueError(
            f"--fail-above-correlation={fail_above_correlation:g}: {attribute} is planned for in "
            "classes, which have no correlation; give --fail-above"
        )
    if quantity is not None and is_correlation:
        result = expected_correlation(_same_numbers(joined, quantity), deals)
        report = _planned(joined, attribute, size, result).with_limit(options.correlation_limit)
        if fail_above_correlation is not None:
            report = report.with_limit(min(report.limit, fail_above_correlation))
    else:
        report = _plan_of_classes(joined, attribute, deals, size)
        report = report.with_limit(report.expected.chance + options.limit)
        if share is not None:
            chance = report.expected.chance
            report = report.with_limit(min(report.limit, chance + share * (1 - chance)))
    if output is not None:
        replace_file(Path(output, "plan.json"), report.to_json())
    return report


def _plan_of_classes(joined: JoinedSample, attribute: str, deals: int, size: int) -> AuditPlan:
    of_class = speakers_per_class(joined.labels, joined.speaker).tolist()
    utterances = np.bincount(joined.speaker).tolist()
    result = expected(of_class, utterances, deals, is_small(len(joined.labels) * size))
    report = _planned(joined, attribute, size, result)
    rarest = min(of_class)
    if rarest >= FEWEST_SPEAKERS:
        return report
    note = (
        f"A class has {rarest} speakers; under {FEWEST_SPEAKERS} no audit says that there is no "
        "leak."
    )
    return replace(report, notes=(*report.notes, note))


def _same_numbers(joined: JoinedSample, quantity: Quantity) -> list[int]:
    """Speakers per number that they have."""
    sample = NumberSample(joined.h, quantity.values, joined.speaker, None)
    return np.unique(sample.of_speakers, return_counts=True)[1].tolist()


def _planned(
    joined: JoinedSample, attribute: str, size: int, result: Expected | ExpectedCorrelation
) -> AuditPlan:
    """The plan before it has a limit."""
    of_class = speakers_per_class(joined.labels, joined.speaker).tolist()
    return AuditPlan(
        attribute=attribute,
        score="correlation" if isinstance(result, ExpectedCorrelation) else "uar",
        speakers=int(joined.speaker.max()) + 1,
        utterances=len(joined.labels),
        size=size,
        speakers_per_class=dict(zip(joined.classes, of_class)),
        limit=math.nan,
        expected=result,
        chance_to_pass=0.0,
        speakers_needed=0,
        notes=tuple(joined.notes),
    )
