"""The gate: whether an audit passes, by which limits, and the exit status that says so (host).

What is demanded is `Limits`, what came out a `GateOutcome`; `judge_gate` is the one function
between them, of the exit status, of `AuditReport.passed` and of what audit.json says.

A limit is a share over chance, so that it is as strict at any number of classes: 0.60, the UAR of
two equally likely classes, stands for 20 %, since (0.60 - 0.5) / 0.5 = 0.2; of four classes that is
a UAR of 0.40.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from privrep.messages import nearest
from privrep.types import NOT_JUDGED

if TYPE_CHECKING:  # the command line reads flags before it imports scipy
    from privrep.statistics.correlation import CorrelationVerdict
    from privrep.statistics.verdict import Verdict

# Exit statuses. An unexpected exception is never Python's 1, which would pass for a leak.
PASSED, FAILED, WRONG, CANNOT_TELL, STATUS_NOT_JUDGED, UNEXPECTED = 0, 1, 2, 3, 4, 70
_PRECEDENCE = (UNEXPECTED, WRONG, STATUS_NOT_JUDGED, FAILED, CANNOT_TELL)

LEAKS, BOUND, UNSURE = "leaks", "bound", "cannot_tell"
FAIL_ON = (LEAKS, BOUND, UNSURE)
NOTHING = "none"  # stands for no reason to fail
_EVEN = 0.5  # chance of two equally likely classes, in which a limit is given
_ROUNDING = 1e-9


@dataclass(frozen=True)
class Limits:
    """What an audit must keep to pass; made and checked by `limits_of`.

    Attributes:
      fail_on: in FAIL_ON, the reasons to fail.
      above: share over chance that the upper bound from one utterance must not exceed, or None.
      above_person: likewise, from all utterances of a person together.
      above_correlation: that the upper bound of the correlation of a number must not exceed.
      least_speakers: fewer cannot pass.
      policy: the file that they stand in; "" where they came by flags.
    """

    fail_on: tuple[str, ...] = (LEAKS, UNSURE)
    above: float | None = None
    above_person: float | None = None
    above_correlation: float | None = None
    least_speakers: int = 0
    policy: str = field(default="", compare=False)


DEFAULT_LIMITS = Limits()


class Bound(NamedTuple):
    """A limit that was compared with an upper bound.

    Attributes:
      flag: that sets it, or key and policy file, such as "fail_above in gate.toml".
      given: the limit as it is given, of two equally likely classes; of a correlation, itself.
      limit: in the units of `upper`: a UAR of the classes there are, or a correlation.
      upper: the upper bound; NaN where there is none.
    """

    flag: str
    given: float
    limit: float
    upper: float

    @property
    def setting(self) -> str:
        """The limit as it stands on the command line or in the policy file."""
        key, _, policy = self.flag.partition(" in ")
        return f"{key} = {self.given:g} in {policy}" if policy else f"{key}={self.given:g}"


class GateOutcome(NamedTuple):
    """Whether an audit passed.

    Attributes:
      passed: whether the status is 0.
      status: the exit status: 0, 1 for a leak, from one utterance or from all of a person, or a
        bound over its limit, 3 where it cannot be told, 4 where nothing was judged.
      reasons: why it did not pass, sentences.
      fail_on: the reasons to fail that were asked for.
      bounds: limits and bounds.
      least_speakers: fewer could not pass.
    """

    passed: bool
    status: int
    reasons: tuple[str, ...]
    fail_on: tuple[str, ...]
    bounds: tuple[Bound, ...]
    least_speakers: int

    @property
    def in_words(self) -> str:
        """The outcome and its reasons, or what was demanded."""
        if self.reasons:
            return f"failed, exit status {self.status}: {' '.join(self.reasons)}"
        demands = [word.replace("_", " ") for word in self.fail_on if word != BOUND]
        demands += [f"upper bound over {bound.limit:.3g} ({bound.flag})" for bound in self.bounds]
        if self.least_speakers:
            demands.append(f"fewer than {self.least_speakers:,} speakers")
        return f"passed, exit status 0. It would fail on: {', '.join(demands) or 'nothing'}."


class Judged(NamedTuple):
    """What the gate looks at.

    Attributes:
      attribute: its name.
      verdict, reason: of the headline.
      speakers, num_classes: how many there are; of a number, bins.
      one_utterance, person: verdicts on classes, or bins.
      correlation: of an attribute that is a number, else None.
    """

    attribute: str
    verdict: str
    reason: str
    speakers: int
    num_classes: int
    one_utterance: "Verdict"
    person: "Verdict"
    correlation: "CorrelationVerdict | None"


def limits_of(
    fail_on: str | Iterable[str] | None = None,
    fail_above: str | float | None = None,
    fail_above_person: str | float | None = None,
    fail_above_correlation: float | None = None,
    least_speakers: int = 0,
    policy: str = "",
) -> Limits:
    """Limits as they are given by flags, by a policy file or in Python.

    Args:
      fail_on: reasons to fail in FAIL_ON, or a comma list of them, "none" for none; None for leaks
        and cannot_tell, and bound where a bound is given.
      fail_above, fail_above_person: see `share_over_chance`.
      fail_above_correlation: over 0, up to 1.
      least_speakers: fewer cannot pass.
      policy: the file that they stand in; errors then name its keys, and not flags.

    Raises:
      ValueError: a limit that is none, or limits that contradict each other.

    >>> limits_of(fail_above="20%") == limits_of(["leaks", "cannot_tell", "bound"], 0.60)
    True
    """
    above = _share(_setting("fail_above", fail_above, policy), fail_above)
    person = _share(_setting("fail_above_person", fail_above_person, policy), fail_above_person)
    if fail_above_correlation is not None and not 0 < fail_above_correlation <= 1:
        given = _setting("fail_above_correlation", f"{fail_above_correlation:g}", policy)
        raise ValueError(f"{given}: a correlation, over 0 and up to 1, such as 0.30")
    if least_speakers < 0:
        given = _setting("least_speakers", least_speakers, policy)
        raise ValueError(f"{given}: 0 is the least")
    has_bound = any(limit is not None for limit in (above, person, fail_above_correlation))
    if fail_on is None:
        reasons = FAIL_ON if has_bound else DEFAULT_LIMITS.fail_on
    else:
        reasons = _reasons(fail_on, policy)
        bound, on = (_name(key, policy) for key in ("fail_above", "fail_on"))
        if BOUND in reasons and not has_bound:
            given = _setting("fail_on", BOUND, policy)
            raise ValueError(f"{given}: which bound? Give it by {bound}, such as 0.60")
        if has_bound and BOUND not in reasons:
            given = _setting("fail_on", ",".join(reasons) or NOTHING, policy)
            raise ValueError(
                f"{given}: no bound is looked at, but one is given ({bound}); add bound to {on}, "
                "or leave the bound out"
            )
    return Limits(reasons, above, person, fail_above_correlation, least_speakers, policy)


def _name(key: str, policy: str) -> str:
    """What a limit is called where it was given: a key of a policy file, or a flag."""
    return key if policy else f"--{key.replace('_', '-')}"


def _setting(key: str, value: object, policy: str) -> str:
    return f"{key} = {value}" if policy else f"{_name(key, policy)}={value}"


def share_over_chance(limit: str | float) -> float:
    """The share over chance of a limit: a UAR of two equally likely classes, or per cent.

    Raises:
      ValueError: under 0.5 or 0 %, over 1 or 100 %, or no number.

    >>> share_over_chance(0.60), share_over_chance("20%")
    (0.2, 0.2)
    """
    text = str(limit).strip()
    try:
        if text.endswith("%"):
            share = float(text[:-1]) / 100
        else:
            share = round((float(text) - _EVEN) / (1 - _EVEN), 12)
    except ValueError:
        share = math.nan
    if not 0 <= share <= 1:
        raise ValueError(
            f"{text}: it takes the UAR of two equally likely classes, from 0.5 to 1, such as 0.60; "
            "or how much of the way from chance to certainty that is, such as 20%"
        )
    return share


def flags_of_limits(limits: Limits) -> list[str]:
    """The flags of `privrep audit` that set the limits; none of the usual ones.

    >>> flags_of_limits(limits_of(fail_above=0.6))
    ['--fail-on=leaks,bound,cannot_tell', '--fail-above=0.6']
    """
    flags = []
    if limits != DEFAULT_LIMITS:
        flags.append(f"--fail-on={','.join(limits.fail_on) or NOTHING}")
    for name, share in (("", limits.above), ("-person", limits.above_person)):
        if share is not None:
            flags.append(f"--fail-above{name}={_EVEN + share * (1 - _EVEN):g}")
    if limits.above_correlation is not None:
        flags.append(f"--fail-above-correlation={limits.above_correlation:g}")
    if limits.least_speakers:
        flags.append(f"--least-speakers={limits.least_speakers}")
    return flags


def judge_gate(judged: Judged, limits: Limits) -> GateOutcome:
    """Whether an audit keeps the limits."""
    bounds = _bounds(judged, limits)
    failures: list[tuple[int, str]] = []
    if judged.verdict == NOT_JUDGED:
        failures.append((STATUS_NOT_JUDGED, f"{judged.attribute} was not judged. {judged.reason}"))
    else:
        if LEAKS in limits.fail_on and judged.verdict == LEAKS:
            failures.append((FAILED, f"{judged.attribute} leaks. {judged.reason}"))
        elif LEAKS in limits.fail_on and judged.person.verdict == LEAKS:
            sentence = f"{judged.attribute} leaks from all utterances of a person together."
            failures.append((FAILED, f"{sentence} {judged.person.reason}"))
        failures += [failure for bound in bounds for failure in _of_bound(bound, judged)]
        most = limits.above_correlation
        if most is not None and judged.correlation is None:
            failures.append(
                (
                    WRONG,
                    f"{_setting('fail_above_correlation', f'{most:g}', limits.policy)}: "
                    f"{judged.attribute} has classes and no correlation.",
                )
            )
        if UNSURE in limits.fail_on and judged.verdict == UNSURE:
            failures.append((CANNOT_TELL, f"{judged.attribute}: cannot tell. {judged.reason}"))
        if judged.speakers < limits.least_speakers:
            failures.append(
                (
                    CANNOT_TELL,
                    f"{judged.attribute}: {judged.speakers:,} speakers are fewer than the "
                    f"{limits.least_speakers:,} that are demanded.",
                )
            )
    status = worst_status([status for status, _ in failures])
    return GateOutcome(
        passed=status == PASSED,
        status=status,
        reasons=tuple(sentence for _, sentence in failures),
        fail_on=limits.fail_on,
        bounds=bounds,
        least_speakers=limits.least_speakers,
    )


def worst_status(statuses: Sequence[int]) -> int:
    """The status of several: what could not be used or judged first, then leaks, then doubts.

    >>> worst_status([0, 3, 1]), worst_status([1, 4, 2]), worst_status([])
    (1, 2, 0)
    """
    return next((status for status in _PRECEDENCE if status in statuses), PASSED)


def _share(setting: str, limit: str | float | None) -> float | None:
    if limit is None:
        return None
    try:
        return share_over_chance(limit)
    except ValueError as error:
        # The error begins with the value, which is the end of the setting.
        raise ValueError(f"{setting.removesuffix(str(limit))}{error}") from error


def _reasons(fail_on: str | Iterable[str], policy: str) -> tuple[str, ...]:
    words = fail_on.split(",") if isinstance(fail_on, str) else list(fail_on)
    words = [word.strip() for word in words if word.strip()]
    if words == [NOTHING]:
        return ()
    wrong = [word for word in words if word not in FAIL_ON]
    if wrong or not words:
        raise ValueError(
            f"{_setting('fail_on', ','.join(words), policy)}: of {', '.join(FAIL_ON)}, one or "
            f"several, or {NOTHING}"
            f"{nearest(wrong[0], FAIL_ON) if wrong else ''}"
        )
    return tuple(word for word in FAIL_ON if word in words)


def _bounds(judged: Judged, limits: Limits) -> tuple[Bound, ...]:
    chance = 1 / judged.num_classes
    bounds = [
        Bound(
            flag, _EVEN + share * (1 - _EVEN), chance + share * (1 - chance), float(verdict.upper)
        )
        for flag, share, verdict in (
            (_place("fail_above", limits), limits.above, judged.one_utterance),
            (_place("fail_above_person", limits), limits.above_person, judged.person),
        )
        if share is not None
    ]
    if limits.above_correlation is not None and judged.correlation is not None:
        most, upper = limits.above_correlation, float(judged.correlation.upper)
        bounds.append(Bound(_place("fail_above_correlation", limits), most, most, upper))
    return tuple(bounds)


def _place(key: str, limits: Limits) -> str:
    """The flag of a limit, or its key and the policy file."""
    name = _name(key, limits.policy)
    return f"{name} in {limits.policy}" if limits.policy else name


def _of_bound(bound: Bound, judged: Judged) -> list[tuple[int, str]]:
    flag = bound.setting
    if not math.isfinite(bound.upper):
        why = f"no upper bound can be given, so that it is not shown to be within {flag}: "
        return [(CANNOT_TELL, why + judged.reason)]
    if bound.upper <= bound.limit + _ROUNDING:
        return []
    text = f"{judged.attribute}: upper bound {bound.upper:.3f} is above {flag}"
    if not math.isclose(bound.limit, bound.given):
        text += f", which is {bound.limit:.3f} of {judged.num_classes} classes"
    if bound.given <= _EVEN and "correlation" not in bound.flag:
        text += f", which no audit can pass: chance is {1 / judged.num_classes:.3f}"
    return [(FAILED, f"{text}.")]
