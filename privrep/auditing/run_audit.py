"""The audit of any representations: from inputs to verdict, JSON report and HTML card (host)."""

import dataclasses
import hashlib
import json
import math
import platform
import shlex
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import privrep
from privrep.attacks.suite import (
    QUICK,
    SEQUENCE,
    UNTESTED,
    Suite,
    affordable_permutations,
    attacker,
    suite,
)
from privrep.auditing.aligned import alignment_of
from privrep.auditing.card import card
from privrep.auditing.gate import flags_of_limits
from privrep.auditing.not_judged import not_judged
from privrep.auditing.options import (
    DUPLICATES,
    MEASURED_AS,
    PERMUTATIONS,
    TWO_VALUES,
    AuditOptions,
    Columns,
    Vectors,
)
from privrep.auditing.questions import ask
from privrep.auditing.read_inputs import (
    AuditInputs,
    Opened,
    check_output,
    read_inputs,
    speaker_names,
    table_of,
)
from privrep.auditing.report import (
    AuditedData,
    AuditReport,
    ClassCount,
    InputRecord,
    PermutationTest,
    SessionResult,
    WorstProtectedSpeaker,
)
from privrep.auditing.threats import code_length, strongest_quick, threats
from privrep.files import replace_file, sha256
from privrep.formats.columns import flags_of
from privrep.formats.sequences import files_of, sources_of
from privrep.leakage.alignment import BY_CALLER, Alignment
from privrep.leakage.learning_curve import CurvePoint, learning_curve
from privrep.leakage.measurement import Measurement, measure
from privrep.leakage.number_measurement import measure_number
from privrep.leakage.spike import Sensitivity, smallest_detected
from privrep.messages import first
from privrep.statistics.correlation import CorrelationVerdict
from privrep.statistics.permutation_test import least_permutations
from privrep.statistics.verdict import Verdict
from privrep.types import (
    ALPHA,
    CORRELATION_LIMIT,
    LIMIT,
    NOT_JUDGED,
    PRIMARY,
    SECONDARY,
    InferenceSettings,
)

_SIZES = tuple(8 * 2**i for i in range(20))  # speakers of the learning curve
_DRAWS = 3  # of speakers, per point that does not take them all
_PACKAGES = ("numpy", "scipy", "scikit-learn")
_DEFAULTS = AuditOptions()
Progress = Callable[[float, str], None]


def audit(
    representations: Vectors,
    labels: Columns,
    attribute: str,
    output: str | Path | None = None,
    *,
    options: AuditOptions = _DEFAULTS,
    progress: Progress | None = None,
    opened: Opened | None = None,
) -> AuditReport:
    """Measures how much of `attribute` the representations reveal.

    Args:
      representations: an array (of numpy, jax or torch, a pandas.DataFrame of numbers), or a source
        of vectors or frames, see `formats.sequences`, or several joined by +: [N, D], or frames
        [N, T, D] or [T, D] of each utterance, of which mean and standard deviation over time are
        attacked; a column num_frames of the labels gives the number of valid frames of [N, T, D].
      labels: a table with the columns `options.speaker` and `attribute`, perhaps with a session and
        an id: a file (see `tables.read_table`), a dict of columns, a pandas.DataFrame or a
        structured array. Rows are joined by id if both inputs have ids, else by position.
      attribute: the name of the labels column with the private attribute.
      output: folder for audit.json and audit.html, made if it does not exist; None writes nothing.
      options: see `AuditOptions`.
      progress: is called with the share that is done, from 0 to 1, and with what begins now.
      opened: `Opened({}, {})`, to be handed to the audits of several attributes of the same files,
        so that each file is read once; None reads them anew.

    Raises:
      FileNotFoundError, ValueError: an input cannot be read or audited.

    Example: 24 speakers; the first of the two columns of h reveals their gender.
      >>> speaker = np.repeat(np.arange(24), 4)
      >>> h = np.random.default_rng(0).normal(size=(96, 2))
      >>> h[:, 0] += 3 * (speaker % 2)
      >>> labels = {"speaker": speaker, "gender": np.array(["f", "m"])[speaker % 2]}
      >>> report = audit(h, labels, "gender", options=AuditOptions(permutations=24))
      >>> report.verdict, report.uar > 0.8, report.upper <= 1
      ('leaks', True, True)
    """
    begin = progress or _no_progress
    begin(0.0, "inputs")
    prepared = prepare(representations, labels, attribute, output, options, opened)
    inputs, settings, sources = prepared.inputs, prepared.settings, prepared.sources
    options = prepared.options
    begin(0.05, "alignment")
    alignment = alignment_of(inputs, attribute, options)
    begin(0.10, "attackers")
    measured = measure(inputs.sample, attackers=prepared.attackers, settings=settings)
    quick_attacker = strongest_quick(measured)
    begin(0.50, "sensitivity" if inputs.numbers is None else "the number, sensitivity")
    number = None if inputs.numbers is None else measure_number(inputs.numbers, settings=settings)
    is_correlation = number is not None and not options.bins
    headline = number.verdict if number is not None and is_correlation else measured.verdict
    sensitivity = _sensitivity(inputs, measured, alignment, settings)
    begin(0.60, "further questions")
    answers = ask(inputs, attribute, options, measured.strongest, settings)
    begin(0.85, "fewer speakers")
    leak_by_speakers = _learning_curve(inputs, quick_attacker, settings)
    begin(0.90, "threats")
    ladder = threats(inputs, measured, quick_attacker, settings)
    begin(0.95, "online code")
    online_code = code_length(inputs, quick_attacker, settings.seed)
    report = AuditReport(
        verdict=headline.verdict,
        reason=_with_doubt(headline, alignment)
        + _planted(headline, None if is_correlation else sensitivity),
        attribute=attribute,
        score="correlation" if is_correlation else "uar",
        chance=0.0 if is_correlation else measured.chance,
        uar=math.nan if is_correlation else measured.verdict.uar,
        correlation=math.nan if number is None else number.verdict.correlation,
        lower=headline.lower,
        upper=headline.upper,
        limit=headline.limit,
        p=headline.p,
        smallest_p=headline.smallest_p,
        minimum_detectable=_minimum_detectable(headline, sensitivity, is_correlation),
        person=measured.person,
        beyond_sessions=_beyond_sessions(inputs, measured, options),
        worst_protected=_worst_protected(inputs, measured, options),
        strongest=measured.strongest,
        attackers=tuple(measured.attackers.values()),
        untested=measured.untested,
        victims=measured.victims,
        leak_by_speakers=leak_by_speakers,
        threats=ladder,
        strongest_quick=quick_attacker,
        online_code=online_code,
        given=answers.given,
        attributes=answers.attributes,
        decensoring=answers.decensoring,
        number=number,
        bins=None if number is None else measured.verdict,
        alignment=alignment,
        sensitivity=sensitivity,
        data=_data(inputs, attribute, measured, sources, options),
        test=_test(measured, settings, options),
        not_tested=_not_tested(attribute, measured, inputs.joined.h.ndim == 3),
        versions={name: metadata.version(name) for name in _PACKAGES}
        | {"privrep": privrep.__version__, "python": platform.python_version()},
        command=_command(sources, attribute, output, options, settings),
        limits=options.limits,
        date=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    if not alignment.is_known:
        report = not_judged(report, alignment.sentence)
        report = dataclasses.replace(report, verdict=NOT_JUDGED, reason=alignment.sentence)
    if output is not None:
        replace_file(Path(output, "audit.json"), report.to_json())
        replace_file(Path(output, "audit.html"), card(report))
    begin(1.0, "done")
    return report


def _with_doubt(headline: Verdict | CorrelationVerdict, alignment: Alignment) -> str:
    """The verdict's reason and the alignment's doubt; a leak proves that rows belong together."""
    if headline.verdict == "leaks" or alignment.by != BY_CALLER.by or not alignment.doubt:
        return headline.reason
    return f"{headline.reason} {alignment.doubt}"


def _planted(headline: Verdict | CorrelationVerdict, sensitivity: Sensitivity | None) -> str:
    """A sentence on the smallest planted leak detected, if over the minimum detectable one."""
    least = headline.minimum_detectable
    if sensitivity is None or headline.verdict == "leaks" or sensitivity.detected <= least:
        return ""
    if not math.isfinite(sensitivity.detected):
        return " No leak that was planted in these representations was detected."
    return (
        " Of leaks that were planted in these representations the smallest that was detected has a "
        f"UAR of {min(sensitivity.detected, 1):.3f}: take this as the minimum detectable UAR."
    )


def _no_progress(share: float, what: str) -> None:
    """Ignores the progress."""


class PreparedAudit(NamedTuple):
    """What an audit needs, read and checked.

    Attributes:
      inputs: the data.
      attackers: to be trained.
      options, settings: of the audit; inputs among the options are sources, see `_as_source`.
      sources: {role: file or array}.
    """

    inputs: AuditInputs
    attackers: Suite
    options: AuditOptions
    settings: InferenceSettings
    sources: dict[str, Any]


def prepare(
    representations: Vectors,
    labels: Columns,
    attribute: str,
    output: str | Path | None,
    options: AuditOptions,
    opened: Opened | None = None,
) -> PreparedAudit:
    """Reads and checks everything that was asked for, before anything is measured; see `audit`.

    Args:
      opened: files that were read for another attribute; those that are read here are added.

    Raises:
      FileNotFoundError, ValueError: an input cannot be read or audited.
    """
    settings = _settings(options)
    representations = _as_source(representations, "representations")
    options = dataclasses.replace(
        options,
        unprotected=_as_source(options.unprotected, "unprotected"),
        other=_as_source(options.other, "other"),
    )
    _check_named("a column of the labels", attribute=attribute)
    _check_named("a column of the labels", speaker=options.speaker, session=options.session)
    _check_named("a folder (. is the current one)", output=output)
    sources = {"representations": representations, "labels": labels} | options.further_inputs
    _check_named("a file", **sources)
    _check_numbers(settings)
    inputs = read_inputs(representations, labels, attribute, options, opened)
    _check_limit(settings.limit, 1 / len(inputs.joined.classes))
    frames = inputs.joined.h if inputs.joined.h.ndim == 3 else None
    attackers = _suite(options, frames, inputs.joined.num_frames)
    if output is not None:
        check_output(output)
    return PreparedAudit(inputs, attackers, options, settings, sources)


def _suite(
    options: AuditOptions, frames: np.ndarray | None, num_frames: np.ndarray | None
) -> Suite:
    if options.attackers is None:
        return suite(QUICK, () if options.quick else UNTESTED)
    if frames is not None and SEQUENCE in options.attackers:
        frames = frames.astype(np.float32, copy=False)
    return suite(options.attackers, (), frames, num_frames)


def _settings(options: AuditOptions) -> InferenceSettings:
    usual = SECONDARY if options.quick else PRIMARY
    permutations = options.permutations
    if permutations is None:
        names = QUICK if options.attackers is None else options.attackers
        permutations = affordable_permutations(names, usual.permutations)
    deals = usual.deals if options.deals is None else options.deals
    return InferenceSettings(
        permutations=permutations,
        limit=options.limit,
        seed=options.seed,
        deals=deals,
        correlation_limit=options.correlation_limit,
    )


def _as_source(source: Any, role: str) -> Any:
    """Arrays of other libraries, frames and lists as numpy's; sources and None as they are."""
    if source is None or isinstance(source, str | Path | np.ndarray):
        return source
    tensor = source.detach().cpu() if hasattr(source, "detach") else source
    try:
        array = np.asarray(tensor)
    except (TypeError, ValueError) as error:  # such as a ragged list
        raise ValueError(
            f"{role}: a {type(source).__name__} that is no array [N, D] or [N, T, D] ({error}); "
            "sequences of different lengths go into a file, such as a .npz with one array each"
        ) from error
    if array.dtype.kind in "OUS":
        raise ValueError(
            f"{role}: a {type(source).__name__} of {array.dtype}, where numbers are needed: leave "
            "out columns of text; several files are one string, joined by +"
        )
    return array


def _check_named(what: str, **names: Any) -> None:
    for name, value in names.items():
        if isinstance(value, str | Path) and not str(value).strip():
            flag = name if name in ("representations", "labels") else f"--{name}="
            raise ValueError(f"{flag} is empty: it names {what}")


def _check_numbers(settings: InferenceSettings) -> None:
    least = least_permutations()
    if settings.permutations < least:
        raise ValueError(
            f"--permutations={settings.permutations}: {least} is the least, as with fewer p cannot "
            f"be {ALPHA:g}, whatever the leak; {PERMUTATIONS} are usual"
        )
    if settings.deals < 1:
        raise ValueError(f"--deals={settings.deals}: 1 is the least, {PRIMARY.deals} are usual")
    if not 0 < settings.correlation_limit < 1:
        raise ValueError(
            f"--correlation_limit={settings.correlation_limit:g}: over 0 and under 1, such as "
            f"{CORRELATION_LIMIT:g}"
        )
    if settings.seed < 0:
        raise ValueError(f"--seed={settings.seed}: 0 is the least")


def _check_limit(limit: float, chance: float) -> None:
    if not 0 < limit < 1 - chance:
        raise ValueError(
            f"--limit={limit:g}: a leak over chance, which is {chance:.3g} here: over 0 and under "
            f"{1 - chance:.3g}, such as {LIMIT:g}"
        )


def _sensitivity(
    inputs: AuditInputs, measured: Measurement, alignment: Alignment, settings: InferenceSettings
) -> Sensitivity | None:
    """Plants leaks of classes in h; None if the classes leak, as leaks are then detected."""
    verdict = measured.verdict
    least = verdict.minimum_detectable
    if not alignment.is_known or verdict.verdict == "leaks" or not math.isfinite(least):
        return None
    return smallest_detected(inputs.sample, least, settings)


def _minimum_detectable(
    headline: Verdict | CorrelationVerdict, sensitivity: Sensitivity | None, is_correlation: bool
) -> float:
    """That of the test, raised to the smallest planted leak detected (a UAR, so no correlation)."""
    if sensitivity is None or is_correlation:
        return headline.minimum_detectable
    return max(headline.minimum_detectable, sensitivity.detected)


def _learning_curve(
    inputs: AuditInputs, name: str, settings: InferenceSettings
) -> tuple[CurvePoint, ...]:
    """Of the attacker called `name`, on three draws of speakers per point."""
    points = learning_curve(
        inputs.sample,
        attack=attacker(name),
        sizes=_SIZES,
        repetitions=_DRAWS,
        settings=settings,
    )
    return tuple(point._replace(speakers=round(point.speakers, 1)) for point in points)


def _data(
    inputs: AuditInputs,
    attribute: str,
    measured: Measurement,
    sources: dict[str, Any],
    options: AuditOptions,
) -> AuditedData:
    counts = zip(inputs.joined.num_speakers.items(), measured.utterances_per_class)
    notes = [*inputs.notes, *_measurement_notes(inputs, attribute, measured, options)]
    return AuditedData(
        classes=tuple(ClassCount(name, int(n), speakers) for (name, speakers), n in counts),
        utterances=measured.num_utterances,
        speakers=measured.num_speakers,
        shape=tuple(inputs.shape),
        notes=tuple(notes),
        inputs=tuple(_input_record(role, source) for role, source in sources.items()),
    )


def _measurement_notes(
    inputs: AuditInputs, attribute: str, measured: Measurement, options: AuditOptions
) -> list[str]:
    notes = []
    slow = [name for name in options.attackers or () if name not in QUICK]
    if options.quick:
        notes.append(
            f"Quick: {_deals(measured.num_deals)} of folds, no trees, "
            f"{measured.num_permutations} permutations. Without --quick the verdict depends less "
            "on the deal, and more attackers are tried."
        )
    if slow:
        notes.append(
            f"{measured.num_permutations} permuted labellings, for each of which "
            f"{' and '.join(slow)} had to be trained anew: more of them (--permutations) make p "
            "and bounds more precise."
        )
    if measured.tested_utterances < measured.num_utterances:
        notes.append(
            f"The test was made on {measured.tested_utterances:,} of {measured.num_utterances:,} "
            "utterances, drawn evenly from the speakers; the UAR is of all."
        )
    if len(measured.constant_columns):
        columns = [str(column) for column in measured.constant_columns]
        notes.append(
            f"{len(columns)} columns of h have one value only ({first(columns, 5)}, counted from "
            "0): they carry no information."
        )
    if inputs.sample.session is not None and measured.beyond_sessions is not None:
        notes.append(measured.beyond_sessions.note)
    elif options.session in inputs.joined.columns:
        pass  # `read_inputs` notes why the column was not used
    elif measured.varies_within_speaker:
        notes.append(
            f"{attribute} varies within speakers and there is no column {options.session}: what "
            "a day or a room sounds like can pass for it (--session names the column)."
        )
    else:
        notes.append(
            f"There is no column {options.session}: if rooms or devices differ by {attribute}, "
            "what they sound like counts as a leak (--session names the column)."
        )
    return notes


def _deals(count: int) -> str:
    return "one deal" if count == 1 else f"{count} deals"


def _beyond_sessions(
    inputs: AuditInputs, measured: Measurement, options: AuditOptions
) -> SessionResult | None:
    beyond = measured.beyond_sessions
    if beyond is None:
        return None
    names = speaker_names(inputs, options.speaker)
    left_out = tuple(names[speaker] for speaker in beyond.left_out)
    return SessionResult(beyond.verdict, beyond.permuted_between, left_out, beyond.note)


def _worst_protected(
    inputs: AuditInputs, measured: Measurement, options: AuditOptions
) -> WorstProtectedSpeaker:
    worst = measured.worst_protected
    name = speaker_names(inputs, options.speaker)[worst.speaker]
    return WorstProtectedSpeaker(name, worst.recall, worst.utterances)


def _input_record(role: str, source: Any) -> InputRecord:
    if isinstance(source, str | Path):
        sources = sources_of(source)
        name = "+".join(Path(part).name for part in sources)
        return InputRecord(role, name, _digest([f for part in sources for f in files_of(part)]))
    if role in ("labels", "other_labels"):
        content = json.dumps(table_of(source, role).columns, ensure_ascii=False).encode()
    else:
        content = np.ascontiguousarray(source).tobytes()
    return InputRecord(role, "(array)", hashlib.sha256(content).hexdigest())


def _digest(files: Sequence[Path]) -> str:
    """SHA-256 of a file, or of the digests of several."""
    digests = [sha256(path) for path in files]
    return (
        digests[0] if len(digests) == 1 else hashlib.sha256("".join(digests).encode()).hexdigest()
    )


def _test(
    measured: Measurement, settings: InferenceSettings, options: AuditOptions
) -> PermutationTest:
    return PermutationTest(
        alpha=settings.alpha,
        limit=settings.limit,
        correlation_limit=settings.correlation_limit,
        permutations=measured.num_permutations,
        possible_permutations=measured.distinct_permutations,
        permuted_between=measured.permuted_between,
        folds=measured.num_folds,
        deals=measured.num_deals,
        turned=measured.turned,
        quick=options.quick,
        seed=settings.seed,
    )


def _not_tested(attribute: str, measured: Measurement, frames: bool) -> tuple[str, ...]:
    sentences = [
        f"Attackers other than {', '.join([*measured.attackers, *measured.untested])}. A stronger "
        "one may reveal more.",
        f"Attributes other than {attribute} by more than a linear attacker, and those without a "
        "column in the labels: age, accent, health and whatever else h may contain.",
    ]
    if frames and SEQUENCE not in measured.attackers:
        sentences.append("What the order of the frames reveals.")
    return (
        *sentences,
        "The data from which these representations were made.",
        "An attacker with more than h and labelled speakers: the network itself, transcripts, "
        "other recordings of the victim.",
        "Whether the speakers in this corpus were in the training set of the encoder.",
        "Speakers and recordings unlike those in this corpus.",
        "Whether the labels are right.",
    )


def _command(
    sources: dict[str, Any],
    attribute: str,
    output: str | Path | None,
    options: AuditOptions,
    settings: InferenceSettings,
) -> str | None:
    """The command line that repeats the audit; None where there is none."""
    if output is None or not all(isinstance(source, str | Path) for source in sources.values()):
        return None
    files = [str(sources["representations"]), str(sources["labels"])]
    arguments = ["privrep", "audit", *files, f"--attribute={attribute}"]
    arguments += [f"--output={output}", f"--permutations={settings.permutations}"]
    arguments += [f"--limit={settings.limit:g}", f"--seed={settings.seed}"]
    arguments += [f"--speaker={options.speaker}", f"--session={options.session}"]
    if options.attackers is not None:
        arguments.append(f"--attackers={','.join(options.attackers)}")
    arguments += ["--aligned"] if options.aligned else []
    arguments += ["--quick"] if options.quick else [f"--deals={settings.deals}"]
    for name, values in (options.only or {}).items():
        arguments.append(f"--only={name}={','.join(values)}")
    if options.correlation_limit != CORRELATION_LIMIT:
        arguments.append(f"--correlation_limit={options.correlation_limit:g}")
    if options.measured_as != MEASURED_AS[0]:
        arguments.append(f"--as={options.measured_as}")
    if options.bins:
        arguments.append(f"--bins={options.bins}")
    if options.duplicates != DUPLICATES[0]:
        arguments.append(f"--duplicates={options.duplicates}")
    if options.two_values != TWO_VALUES[0]:
        arguments.append(f"--two_values={options.two_values}")
    if options.given is not None:
        arguments.append(f"--given={','.join(options.given)}")
    if options.policy is None:
        arguments += flags_of_limits(options.limits)
    arguments += flags_of(options.naming)
    arguments += [f"--{role}={source}" for role, source in options.further_inputs.items()]
    return shlex.join(arguments)
