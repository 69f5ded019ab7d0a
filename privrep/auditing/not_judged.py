"""Removal of verdicts and bounds from audits whose rows may not belong together (host)."""

import math
from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar

from privrep.leakage.conditional import Explained
from privrep.statistics.correlation import CorrelationVerdict
from privrep.statistics.verdict import Verdict
from privrep.types import NOT_JUDGED

_JUDGEMENTS = ("lower", "upper", "p", "minimum_detectable", "turned")
Result = TypeVar("Result")


def not_judged(result: Result, reason: str) -> Result:
    """The result without judgements: scores stay, as they were measured.

    Every verdict in it is "not_judged" for this reason, and every bound, p, minimum detectable
    score and share of turned verdicts is NaN.

    Args:
      result: dataclasses, NamedTuples, dicts and tuples of each other, and plain values.
      reason: why nothing is judged, a sentence.

    >>> from privrep.auditing.threats import ThreatResult
    >>> not_judged((ThreatResult("informed", "linear", 0.6, 0.5, 0.7),), "Rows may be mixed.")
    (ThreatResult(threat='informed', attacker='linear', uar=0.6, lower=nan, upper=nan),)
    """
    return _blank(result, reason)


def _blank(value: Any, reason: str) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        parts = {f.name: _blank(getattr(value, f.name), reason) for f in fields(value)}
        return replace(value, **(parts | _judgements(value, reason)))
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        parts = {name: _blank(part, reason) for name, part in value._asdict().items()}
        return type(value)(**(parts | _judgements(value, reason)))
    if isinstance(value, dict):
        return {name: _blank(part, reason) for name, part in value.items()}
    if isinstance(value, tuple):
        return tuple(_blank(part, reason) for part in value)
    return value


def _judgements(value: Any, reason: str) -> dict[str, Any]:
    """The fields that judge, by what stands in their place."""
    blank: dict[str, Any] = {name: math.nan for name in _JUDGEMENTS if hasattr(value, name)}
    if isinstance(value, Verdict | CorrelationVerdict):
        blank |= {"verdict": NOT_JUDGED, "reason": reason}
    if isinstance(value, Explained):
        blank["conclusion"] = f"not judged. {reason}"
    return blank
