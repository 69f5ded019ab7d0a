"""Linter of splits: finds what makes a split invalid or misleading, and suggests remedies (host).

Severities: fatal, a number computed on this split would be wrong or could not be computed; warning,
it can be computed and may mislead; note, to be kept in mind when reading it.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from privrep.duplicates import SameContent, classes_of, named
from privrep.inputs.labels import rare_classes
from privrep.messages import first
from privrep.types import Split, Utterance

Labels = Mapping[str, tuple[np.ndarray, Sequence[str]]]
_Findings = Iterator[tuple[str, str]]  # (severity, text)

_PARTS = Split("training", "validation", "test")
_PAIRS = (("train", "val"), ("train", "test"), ("val", "test"))
_MIN_ASSOCIATION = 0.2  # Cramér's V from which a task and a private attribute count as associated
_MIN_SCRIPT_WORDS = 3  # a repeated transcript of fewer words ("yes") does not indicate a script
_INSTEAD_OF_OFFICIAL = "drawn folds, such as --folds=5"  # a single fold is the corpus's own split
_MIN_TEST_SPEAKERS = 4
_SHARE = re.compile(r"(\d+(?:\.\d+)?)%")
_MIN_SPEAKERS_OF_VALUE = 4  # two for training, one each for validation and test


class Finding(NamedTuple):
    """A problem of one fold.

    Attributes:
      fold: its number, from 0.
      severity: "fatal", "warning" or "note".
      text: a sentence or two.
    """

    fold: int
    severity: str
    text: str


def lint_split(
    split: Split,
    utterances: Sequence[Utterance],
    tasks: Labels,
    private: Labels,
    same: SameContent | None = None,
    is_drawn: bool = True,
) -> list[Finding]:
    """Checks every fold of a split.

    Args:
      split: bool[N] or bool[K, N] each.
      utterances: N of them.
      tasks: {task: (int32[N] or, where bins differ by fold, int32[K, N]; class names)}, -1 unknown.
      private: the same for private attributes. "speaker" is not checked: its values are meant to
        differ between parts.
      same: which of the utterances are equal in content, or copies of one another.
      is_drawn: False of folds that a table says, which no flag draws otherwise.

    Returns:
      The findings, fold by fold. A fold with an empty part has no others.
    """
    split = Split(*(np.atleast_2d(part) for part in split))
    num_folds = len(split.train)
    private = {name: labels for name, labels in private.items() if name != "speaker"}
    speakers = _numbered([u.speaker for u in utterances])
    sessions = _numbered([u.session for u in utterances])
    texts = _numbered([_script(u.transcript) for u in utterances])
    recordings = _numbered([f"{u.wav} {u.start} {u.end}" if u.wav else None for u in utterances])
    findings = []
    for fold in range(num_folds):
        parts = Split(*(part[fold] for part in split))
        of_fold = list(_empty_or_overlapping(parts))
        if not of_fold:
            fold_tasks, fold_private = (
                {
                    name: (np.broadcast_to(codes, (num_folds, len(utterances)))[fold], names)
                    for name, (codes, names) in labels.items()
                }
                for labels in (tasks, private)
            )
            of_fold += _speakers(parts, speakers)
            of_fold += _recordings(parts, recordings)
            if same is not None:
                of_fold += _same_content(parts, same, utterances)
            fewer = more = _INSTEAD_OF_OFFICIAL
            if num_folds > 1 and is_drawn:
                fewer = "fewer folds, another --fold_seed"
                more = "more folds, another --fold_seed"
            of_fold += _missing_classes(parts, fold_tasks, "class", fewer)
            of_fold += _missing_classes(parts, fold_private, "value", fewer, speakers[0])
            of_fold += _single_speakers(parts, fold_private, speakers[0], more)
            of_fold += _sessions(parts, sessions)
            of_fold += _rare_classes(parts, fold_tasks | fold_private)
            of_fold += _associations(parts, fold_tasks, fold_private)
            of_fold += _scripts(parts, texts[0])
        findings += [Finding(fold, severity, text) for severity, text in of_fold]
    return findings


def grouped(findings: Sequence[Finding]) -> list[str]:
    """One line for each distinct finding, with the folds that have it.

    Notes that differ in shares alone are one, with the least and the largest.

    >>> grouped([Finding(0, "note", "1% of A."), Finding(1, "note", "4% of A.")])
    ['note, fold 0, 1: 1 to 4% of A.']
    """
    alike: dict[tuple[str, str], list[Finding]] = {}
    for finding in findings:
        text = _SHARE.sub("%", finding.text) if finding.severity == "note" else finding.text
        alike.setdefault((finding.severity, text), []).append(finding)
    lines = []
    for (severity, _), of_kind in alike.items():
        folds = ", ".join(str(fold) for fold in dict.fromkeys(f.fold for f in of_kind))
        lines.append(f"{severity}, fold {folds}: {_with_ranges([f.text for f in of_kind])}")
    return lines


def _with_ranges(texts: Sequence[str]) -> str:
    """One text for all, which differ in shares alone."""
    places = zip(*(_SHARE.findall(text) for text in texts))
    ranges = iter([(min(map(float, shares)), max(map(float, shares))) for shares in places])

    def as_range(match: re.Match[str]) -> str:
        least, most = next(ranges)
        return match[0] if least == most else f"{least:g} to {most:g}%"

    return _SHARE.sub(as_range, texts[0])


def stop_on_fatal(findings: Sequence[Finding]) -> None:
    """Stops on a split that cannot be used.

    Raises:
      ValueError: there is a fatal finding; the message has all of them.
    """
    fatal = grouped([finding for finding in findings if finding.severity == "fatal"])
    if fatal:
        lines = [line.removeprefix("fatal, ") for line in fatal]
        raise ValueError("this split cannot be used\n" + "\n".join(lines))


def _numbered(values: Sequence[str | None]) -> tuple[np.ndarray, list[str]]:
    """(int[N], the number of each value's name, -1 for None; names)"""
    names = sorted({value for value in values if value is not None})
    number = {name: index for index, name in enumerate(names)}
    return np.array([-1 if v is None else number[v] for v in values], np.int64), names


def _script(transcript: str | None) -> str | None:
    words = (transcript or "").casefold().split()
    return " ".join(words) if len(words) >= _MIN_SCRIPT_WORDS else None


def _empty_or_overlapping(parts: Split) -> _Findings:
    for name, part in zip(_PARTS, parts):
        if not part.any():
            yield "fatal", f"the {name} part has no utterance. Use another split."
    for a, b in _PAIRS:
        overlap = int((getattr(parts, a) & getattr(parts, b)).sum())
        if overlap:
            yield (
                "fatal",
                f"{overlap} utterances are in {_both(a, b)}. Give each utterance one part.",
            )


def _both(a: str, b: str) -> str:
    return f"both the {getattr(_PARTS, a)} and the {getattr(_PARTS, b)} part"


class _Shared(NamedTuple):
    """Two parts that have codes in common: the parts bool[N], these codes, the parts in words."""

    a: np.ndarray
    b: np.ndarray
    codes: list[int]
    both: str


def _shared(parts: Split, codes: np.ndarray) -> Iterator[_Shared]:
    for a, b in _PAIRS:
        in_a, in_b = getattr(parts, a), getattr(parts, b)
        common = np.intersect1d(codes[in_a], codes[in_b])
        common = common[common >= 0]
        if common.size:
            yield _Shared(in_a, in_b, common.tolist(), _both(a, b))


def _speakers(parts: Split, speakers: tuple[np.ndarray, list[str]]) -> _Findings:
    codes, names = speakers
    for a, b, common, both in _shared(parts, codes):
        counts = [
            f"{names[s]} ({(codes[a] == s).sum()} and {(codes[b] == s).sum()} utterances)"
            for s in common
        ]
        yield (
            "fatal",
            f"{len(common)} speakers are in {both}: {first(counts)}. Emotion and privacy would be "
            "measured on training speakers. Leave these speakers out of one part, or use "
            "speaker-independent folds such as --folds=5.",
        )
    unknown = int((codes[np.logical_or.reduce(parts)] < 0).sum())
    if unknown:
        yield (
            "warning",
            f"{unknown} utterances have no known speaker, so it cannot be checked that no speaker "
            "is in two parts. Leave them out if that matters.",
        )
    test_speakers = np.unique(codes[parts.test & (codes >= 0)])
    if len(test_speakers) < _MIN_TEST_SPEAKERS:
        yield (
            "note",
            f"the test part has fewer than {_MIN_TEST_SPEAKERS} speakers: scores of this fold "
            "alone mean little, read the mean over folds and seeds.",
        )


def _recordings(parts: Split, recordings: tuple[np.ndarray, list[str]]) -> _Findings:
    codes, names = recordings
    for _, _, common, both in _shared(parts, codes):
        files = [names[s].removesuffix(" None None") for s in common]
        yield (
            "fatal",
            f"{len(common)} recordings are in {both} under two ids: {first(files)}. Memorised "
            "utterances would be scored. Leave one of the two utterances out.",
        )


def _same_content(parts: Split, same: SameContent, utterances: Sequence[Utterance]) -> _Findings:
    ids, speakers = [u.id for u in utterances], [u.speaker for u in utterances]
    part_of = np.select([*parts], [1, 2, 3])
    lots = [rows[part_of[rows] > 0] for rows in classes_of(same.equal)]
    lots = [rows for rows in lots if len(rows) > 1]
    mixed = [rows for rows in lots if len({speakers[i] for i in rows}) > 1]
    within_speaker = [rows for rows in lots if len({speakers[i] for i in rows}) == 1]
    divided = [rows for rows in within_speaker if len({*part_of[rows]}) > 1]
    for those, where, why, remedy in (
        (
            mixed,
            "under two speakers or more",
            "One person counts as two, or a recording has a wrong speaker, and what is learned "
            "from one is tested on the other. Give one person one name and leave copies out; or",
            "--duplicates=merge makes one speaker of those who share a recording, --duplicates="
            "drop leaves such recordings out",
        ),
        (
            divided,
            "in two parts under two ids",
            "Memorised utterances would be scored. Leave copies out; or",
            "--duplicates=drop leaves all but the first out",
        ),
    ):
        if those:
            listed = first([named(rows, ids, speakers) for rows in those])
            yield (
                "fatal",
                f"{len(those):,} recordings are {where}, equal in content: {listed}. {why} "
                f"{remedy}.",
            )
    whole = [rows for rows in within_speaker if len({*part_of[rows]}) == 1]
    if whole:
        listed = first([named(rows, ids, speakers) for rows in whole])
        yield (
            "warning",
            f"{len(whole):,} recordings of one speaker are there twice or more, equal in content: "
            f"{listed}. They count for more than others; --duplicates=drop leaves all but the "
            "first out.",
        )
    copies = [pair for pair in same.copies if (part_of[[*pair]] > 0).all()]
    if copies:
        of_two = [(a, b) for a, b in copies if speakers[a] != speakers[b]]
        two_parts = sum(part_of[a] != part_of[b] for a, b in copies)
        listed = first(
            [named(pair, ids, speakers).replace(" = ", " ~ ") for pair in of_two or copies]
        )
        yield (
            "warning",
            f"{len(copies):,} pairs of utterances seem to be one recording, cut or at another "
            f"level, {len(of_two):,} of them under two speakers and {two_parts:,} in two parts: "
            f"{listed}. Where they are, leave one of each out.",
        )


def _too_few_speakers(has_value: np.ndarray, speaker: np.ndarray) -> str:
    """A sentence if no number of folds can serve a value, which the utterances bool[N] have."""
    count = len(np.unique(speaker[has_value & (speaker >= 0)]))
    if count >= _MIN_SPEAKERS_OF_VALUE:
        return ""
    return (
        f" Only {count} of all speakers have it: any split needs {_MIN_SPEAKERS_OF_VALUE}, 2 of "
        "them for training."
    )


def _missing_classes(
    parts: Split, labels: Labels, what: str, remedy: str, speaker: np.ndarray | None = None
) -> _Findings:
    for label, (codes, names) in labels.items():
        for part_name, part in zip(_PARTS, parts):
            absent = [n for i, n in enumerate(names) if not (codes[part] == i).any()]
            if not absent:
                continue
            few = ""
            if speaker is not None:
                few = _too_few_speakers(codes == names.index(absent[0]), speaker)
            yield (
                "fatal",
                f"the {part_name} part has no utterance of {what} {first(absent)} of {label}, so "
                f"recall of it cannot be {'learned' if part is parts.train else 'measured'}. Use "
                f"{remedy}, (for a rating) other bins, or leave the {what} out of the corpus.{few}",
            )


def _single_speakers(parts: Split, private: Labels, speaker: np.ndarray, remedy: str) -> _Findings:
    for attribute, (codes, names) in private.items():
        for index, name in enumerate(names):
            has_value = codes == index
            if len(np.unique(speaker[parts.train & has_value & (speaker >= 0)])) == 1:
                yield (
                    "fatal",
                    f"the training part has a single speaker of {attribute} {name}: recognising "
                    f"that voice would suffice to predict the {attribute}. Each value needs 2 "
                    f"speakers or more: use {remedy}, or more speakers."
                    + _too_few_speakers(has_value, speaker),
                )


def _sessions(parts: Split, sessions: tuple[np.ndarray, list[str]]) -> _Findings:
    codes, names = sessions
    num_parts = np.sum([np.isin(np.arange(len(names)), codes[part]) for part in parts], axis=0)
    divided = [names[s] for s in np.flatnonzero(num_parts > 1)]
    if divided:
        yield (
            "warning",
            f"{len(divided)} of {len(names)} sessions have partners in different parts "
            f"({first(divided)}): room, topic and the partner's voice may be recognised. Use no "
            "more folds than sessions, if they can be kept apart.",
        )


def _rare_classes(parts: Split, labels: Labels) -> _Findings:
    for label, (codes, names) in labels.items():
        rare = rare_classes(codes, parts.train, names)
        rare = {name: count for name, count in rare.items() if count}
        if rare:
            total = int((codes[parts.train] >= 0).sum())
            counts = [f"{name} has {count} of {total}" for name, count in rare.items()]
            yield (
                "warning",
                f"under 5 % of the training part's {label} labels: {first(counts)}. Its recall "
                "rests on few utterances; for a rating, other bins (tertiles, LOW:HIGH) even the "
                "classes out, and of categories --classes joins some or leaves them out.",
            )


def _associations(parts: Split, tasks: Labels, private: Labels) -> _Findings:
    for task, (classes, class_names) in tasks.items():
        for attribute, (values, value_names) in private.items():
            known = parts.train & (classes >= 0) & (values >= 0)
            table = np.zeros((len(class_names), len(value_names)))
            np.add.at(table, (classes[known], values[known]), 1)
            table = table[table.any(1)][:, table.any(0)]
            association = cramers_v(table)
            if association < _MIN_ASSOCIATION:
                continue
            share = table / table.sum(0)
            row = np.argmax(np.ptp(share, axis=1))
            most, least = np.argmax(share[row]), np.argmin(share[row])
            name = [n for i, n in enumerate(class_names) if (classes[known] == i).any()][row]
            present = [n for i, n in enumerate(value_names) if (values[known] == i).any()]
            yield (
                "warning",
                f"in the training part {task} and {attribute} are associated (Cramér's V "
                f"{association:.2f}): {name} is {share[row, most]:.0%} of {present[most]} and "
                f"{share[row, least]:.0%} of {present[least]}. Unlearning one partly unlearns the "
                "other; read the emotion scores of each value besides the mean.",
            )


def cramers_v(table: np.ndarray) -> float:
    """Cramér's V of a table of counts [A, B] without empty rows or columns, corrected for bias.

        phi2 = max(0, chi2 / n - (A - 1)(B - 1) / (n - 1))
        V = sqrt(phi2 / min(A' - 1, B' - 1)),    A' = A - (A - 1)^2 / (n - 1), B' likewise

    It is about 0 for independent rows and columns at any n, and 1 where one determines the other.
    Source: Bergsma, A bias-correction for Cramér's V and Tschuprow's T, J. Korean Stat. Soc. 42
    (2013).
    """
    n, (rows, columns) = table.sum(), table.shape
    if n < 2 or min(rows, columns) < 2:
        return 0.0
    expected = table.sum(1, keepdims=True) * table.sum(0) / n
    phi2 = ((table - expected) ** 2 / expected).sum() / n
    phi2 = max(0.0, phi2 - (rows - 1) * (columns - 1) / (n - 1))
    smaller = min(size - (size - 1) ** 2 / (n - 1) for size in (rows, columns)) - 1
    return float(np.sqrt(phi2 / smaller)) if smaller > 0 else 0.0


def _scripts(parts: Split, text: np.ndarray) -> _Findings:
    for name, part in (("validation", parts.val), ("test", parts.test)):
        known = np.isin(text[part], text[parts.train & (text >= 0)])
        if known.any():
            yield (
                "note",
                f"{known.mean():.0%} of the {name} part's utterances have the words of a training "
                "utterance (a script): what depends on the words, read or heard, is scored on "
                "sentences of the training part.",
            )
