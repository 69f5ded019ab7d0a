"""Two representations of the same utterances: is the new one more revealing? (host)."""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from privrep.auditing.aligned import alignment_of
from privrep.auditing.gate import CANNOT_TELL, FAILED, PASSED, STATUS_NOT_JUDGED, share_over_chance
from privrep.auditing.options import MARGIN, AuditOptions, Columns, Vectors
from privrep.auditing.read_inputs import AuditInputs, Opened, check_output
from privrep.auditing.run_audit import PreparedAudit, prepare
from privrep.files import replace_file
from privrep.formats.tables import ID
from privrep.leakage.headline import equally, times
from privrep.leakage.measurement import Measurement, measure
from privrep.statistics.design import speaker_labels
from privrep.statistics.difference import (
    LESS,
    MORE,
    NO_MORE,
    UNSURE,
    ScoredAttacker,
    judge_difference,
)
from privrep.types import NOT_JUDGED, InferenceSettings

_DEFAULTS = AuditOptions()
_WORDS = {
    MORE: ("▲", "More revealing"),
    LESS: ("▼", "Less revealing"),
    NO_MORE: ("●", "No more revealing"),
    UNSURE: ("?", "Cannot tell"),
    NOT_JUDGED: ("◇", "Not judged"),
}


@dataclass(frozen=True)
class ComparisonReport:
    """Whether a new representation is more revealing than an old one.

    Attributes:
      verdict: "more", "less", "no_more" (than `margin` more), "cannot_tell", see
        `difference.Difference`, or "not_judged".
      attribute: that was attacked.
      sentence: the result in words.
      old, new: UAR of the strongest attacker of each, from one utterance.
      old_attacker, new_attacker: their names.
      difference, lower, upper: new - old, with bounds, each at 95 % confidence; NaN (null in the
        JSON) where nothing is judged.
      p: of the two being exchangeable per speaker, two-sided; likewise.
      margin: that must not be exceeded, in UAR.
      chance: UAR of guessing.
      speakers, utterances: that both have.
      notes: sentences on the inputs.
    """

    verdict: str
    attribute: str
    sentence: str
    old: float
    new: float
    old_attacker: str
    new_attacker: str
    difference: float
    lower: float
    upper: float
    p: float
    margin: float
    chance: float
    speakers: int
    utterances: int
    notes: tuple[str, ...]

    @property
    def status(self) -> int:
        """The exit status: 0 where more than the margin is excluded; 1 more, 3 and 4 as a gate."""
        if self.verdict == NOT_JUDGED:
            return STATUS_NOT_JUDGED
        if self.upper <= self.margin:
            return PASSED
        return FAILED if self.verdict == MORE else CANNOT_TELL

    @property
    def passed(self) -> bool:
        """Whether it is excluded that the new one is more revealing by more than the margin."""
        return self.status == PASSED

    @property
    def in_words(self) -> str:
        """The result, lines for a terminal."""
        sign, word = _WORDS[self.verdict]
        passed = "passed" if self.passed else "failed"
        return "\n".join(
            [
                f"Do the new representations reveal more of {self.attribute} than the old ones?",
                f"{sign} {word}",
                f"  {self.sentence}",
                f"  Gate: {passed}, exit status {self.status}.",
                *(f"  {note}" for note in self.notes),
            ]
        )

    def to_json(self) -> str:
        """Strict JSON, NaN as null, with a final line break."""
        fields = asdict(self).items()
        plain = {"status": self.status, "passed": self.passed} | {
            name: None if isinstance(value, float) and math.isnan(value) else value
            for name, value in fields
        }
        return json.dumps(plain, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def compare(
    old: Vectors,
    new: Vectors,
    labels: Columns,
    attribute: str,
    output: str | Path | None = None,
    *,
    margin: str | float = MARGIN,
    options: AuditOptions = _DEFAULTS,
) -> ComparisonReport:
    """Audits two representations of the same utterances in one design and compares them.

    Both are attacked by the same attackers on the same folds, with the same permutations, so that
    speakers are compared with themselves: far fewer are needed than for two audits. Of an attribute
    that is a number its bins are compared.

    Args:
      old, new: see `run_audit.audit`; they may have different numbers of columns.
      labels: likewise, of both.
      attribute: the private column.
      output: folder for compare.json; None writes nothing.
      margin: how much more revealing the new one may be: a difference of UARs of two equally likely
        classes, such as 0.05, or a share of the way from chance to certainty, such as "10%"; the
        same share at any number of classes.
      options: see `AuditOptions`.

    Raises:
      FileNotFoundError, ValueError: an input cannot be read, or they are of other utterances.
    """
    share = share_of_margin(margin)
    if output is not None:
        check_output(output)
    opened = Opened({}, {})
    prepared = [prepare(source, labels, attribute, None, options, opened) for source in (old, new)]
    settings = prepared[0].settings
    inputs = [of_source.inputs for of_source in prepared]
    order, notes = _paired(*inputs)
    alignments = [alignment_of(each, attribute, options) for each in inputs]
    unknown = [a.sentence for a in alignments if not a.is_known]
    doubts = [a.doubt for a in alignments if a.doubt]
    of_old, of_new = (
        _measured(of_source, rows, settings)
        for of_source, rows in zip(prepared, order, strict=True)
    )
    sample = inputs[0].sample.take(order[0])
    chance = of_old.chance
    judged = judge_difference(
        _scored(of_new),
        _scored(of_old),
        speaker_labels(sample.labels, sample.speaker),
        margin=share * (1 - chance),
        alpha=settings.alpha,
        seed=settings.seed,
    )
    sentence = (
        f"Shown {equally(inputs[0].joined.num_speakers)}, the strongest attacker names the "
        f"{attribute} of an unseen speaker rightly {times(of_new.verdict.uar)} times in 100 from "
        f"the new ones and {times(of_old.verdict.uar)} from the old ones; guessing "
        f"{times(chance)}. That is a difference of {100 * judged.difference:+.1f}, with 95 % "
        f"confidence each not under {100 * judged.lower:+.1f} and not over "
        f"{100 * judged.upper:+.1f}; up to {100 * judged.margin:+.1f} is allowed."
    )
    report = ComparisonReport(
        verdict=NOT_JUDGED if unknown else judged.verdict,
        attribute=attribute,
        sentence=" ".join(unknown[:1]) or sentence,
        old=of_old.verdict.uar,
        new=of_new.verdict.uar,
        old_attacker=of_old.strongest,
        new_attacker=of_new.strongest,
        difference=judged.difference,
        lower=math.nan if unknown else judged.lower,
        upper=math.nan if unknown else judged.upper,
        p=math.nan if unknown else judged.p,
        margin=judged.margin,
        chance=chance,
        speakers=of_old.num_speakers,
        utterances=of_old.num_utterances,
        notes=(*dict.fromkeys([*inputs[0].notes, *inputs[1].notes, *doubts]), *notes),
    )
    if output is not None:
        replace_file(Path(output, "compare.json"), report.to_json())
    return report


def share_of_margin(margin: str | float) -> float:
    """The share over chance of a margin, which is a difference of UARs of two classes or per cent.

    Raises:
      ValueError: not over 0, or no number.

    >>> share_of_margin(0.05), share_of_margin("10%")
    (0.1, 0.1)
    """
    text = str(margin).strip()
    try:
        share = share_over_chance(text if text.endswith("%") else 0.5 + float(text))
    except ValueError:
        share = 0.0
    if not 0 < share < 1:
        raise ValueError(
            f"--margin={margin}: how much more revealing the new ones may be: a difference of UARs "
            "of two equally likely classes, over 0 and under 0.5, such as 0.05; or a share of the "
            "way from chance to certainty, such as 10%"
        )
    return share


def _scored(measurement: Measurement) -> ScoredAttacker:
    """The strongest attacker."""
    null = measurement.attackers[measurement.strongest].null
    return ScoredAttacker(measurement.counts, np.array(null))


def _measured(
    prepared: PreparedAudit, rows: np.ndarray, settings: InferenceSettings
) -> Measurement:
    """From one utterance, in total, by the tested attackers."""
    attackers = prepared.attackers._replace(untested={})
    sample = replace(prepared.inputs.sample.take(rows), session=None)
    return measure(sample, attackers=attackers, settings=settings)


def _paired(old: AuditInputs, new: AuditInputs) -> tuple[Sequence[np.ndarray], list[str]]:
    """The rows of both, in one order, and notes.

    Raises:
      ValueError: they are of other utterances.
    """
    if old.joined.by_id and new.joined.by_id:
        of_old, of_new = (list(map(str, each.joined.columns[ID])) for each in (old, new))
        place = {name: row for row, name in enumerate(of_new)}
        shared = [(row, place[name]) for row, name in enumerate(of_old) if name in place]
        if not shared:
            raise ValueError("old and new representations have no utterance in common")
        rows = np.array(shared).T
        notes = []
        if rows.shape[1] < max(len(of_old), len(of_new)):
            notes.append(
                f"{rows.shape[1]:,} utterances have both representations; the others were left out."
            )
        return tuple(rows), notes
    if len(old.joined.labels) != len(new.joined.labels):
        raise ValueError(
            f"{len(old.joined.labels):,} old and {len(new.joined.labels):,} new representations, "
            "and no ids in both: their rows cannot be brought together"
        )
    for name, cells in old.joined.columns.items():
        if cells != new.joined.columns[name]:
            raise ValueError(
                f"rows of the old and of the new representations have another {name}: some were "
                "left out of one of them; give both files ids"
            )
    both = np.arange(len(old.joined.labels))
    return (both, both), []
