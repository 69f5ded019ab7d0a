"""Predictions of what an audit of given labels can show, before there is any h (host)."""

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from privrep.auditing.gate import share_over_chance
from privrep.auditing.options import AuditOptions, Columns
from privrep.auditing.read_inputs import check_output, read_labels
from privrep.files import replace_file
from privrep.leakage.headline import times
from privrep.leakage.measurement import FEWEST_SPEAKERS
from privrep.messages import first
from privrep.statistics.design import speakers_per_class
from privrep.statistics.planning import Expected, expected
from privrep.types import PRIMARY, SECONDARY

_DEFAULTS = AuditOptions()
_LARGEST = 10**6  # speakers; larger numbers are not reported


@dataclass(frozen=True, repr=False)
class AuditPlan:
    """What an audit can be expected to show.

    Attributes:
      attribute: that will be audited.
      speakers, utterances: how many there are.
      speakers_per_class: {class: speakers}.
      limit: UAR that the upper bound must not exceed to pass.
      expected: see `planning.Expected`.
      chance_to_pass: of representations without a leak.
      speakers_needed: about how many, in the same proportions, for a chance of 80 % to pass.
      notes: sentences on the labels.
    """

    attribute: str
    speakers: int
    utterances: int
    speakers_per_class: dict[str, int]
    limit: float
    expected: Expected
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
        needed = f"about {self.speakers_needed:,}"
        if self.speakers_needed >= _LARGEST:
            needed = "over a million"
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
                f"100 with a probability of {self.chance_to_pass:.0%}; for 80 % {needed} speakers "
                "are needed.",
                "  This is of representations in which a third of the variance is between "
                "speakers; where speakers differ more, more of them are needed. To ask whether a "
                "new network reveals more than an old one takes fewer: privrep compare.",
                *(f"  {note}" for note in self.notes),
            ]
        )

    def to_json(self) -> str:
        """Strict JSON, with a final line break; null for a leak that cannot be detected."""
        plain = asdict(self)
        plain["expected"] = {
            name: value if math.isfinite(value) else None
            for name, value in self.expected._asdict().items()
        }
        return json.dumps(plain, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def plan(
    labels: Columns,
    attribute: str,
    output: str | Path | None = None,
    *,
    fail_above: str | float | None = None,
    options: AuditOptions = _DEFAULTS,
) -> AuditPlan:
    """What an audit could show, from speakers and utterances alone.

    Args:
      labels: see `run_audit.audit`.
      attribute: the private column; a number counts in its bins.
      output: folder for plan.json; None writes nothing.
      fail_above: the limit of the gate, see `gate.share_over_chance`; None for that of *no leak
        shown*, chance + `options.limit`. Where both are given, the lower one decides.
      options: of the audit.

    Raises:
      FileNotFoundError, ValueError: the labels cannot be read or audited.

    Example: 40 speakers are too few for a limit of 0.60.
      >>> speaker = np.repeat(np.arange(40), 10)
      >>> labels = {"speaker": speaker, "gender": np.array(["f", "m"])[speaker % 2]}
      >>> plan(labels, "gender", fail_above=0.60).chance_to_pass < 0.1
      True
    """
    share = None if fail_above is None else share_over_chance(fail_above)
    if output is not None:
        check_output(output)
    sample = read_labels(labels, attribute, options)
    of_class = speakers_per_class(sample.labels, sample.speaker).tolist()
    deals = options.deals or (SECONDARY if options.quick else PRIMARY).deals
    result = expected(of_class, np.bincount(sample.speaker).tolist(), deals)
    limit = result.chance + options.limit
    if share is not None:
        limit = min(limit, result.chance + share * (1 - result.chance))
    notes, growth = list(sample.notes), math.inf
    if limit > result.chance:
        growth = result.growth_needed(limit)
    passes = result.passes(limit)
    rarest, speakers = min(of_class), int(sample.speaker.max()) + 1
    if rarest < FEWEST_SPEAKERS:
        passes, growth = 0.0, max(growth, FEWEST_SPEAKERS / rarest)
        notes.append(
            f"A class has {rarest} speakers; under {FEWEST_SPEAKERS} no audit says that there is "
            "no leak."
        )
    needed = min(speakers * growth, _LARGEST)
    report = AuditPlan(
        attribute=attribute,
        speakers=speakers,
        utterances=len(sample.labels),
        speakers_per_class=dict(zip(sample.classes, of_class)),
        limit=limit,
        expected=result,
        chance_to_pass=passes,
        speakers_needed=math.ceil(needed),
        notes=tuple(notes),
    )
    if output is not None:
        replace_file(Path(output, "plan.json"), report.to_json())
    return report
