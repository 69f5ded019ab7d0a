"""What is wrong with a split, in sentences that say what to do.

fatal: a number computed on this split would be wrong or could not be computed. warning: it can be
computed and may mislead. note: to be kept in mind when reading it.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from privrep.inputs.labels import rare_classes
from privrep.types import Split, Utterance

Labels = Mapping[str, tuple[np.ndarray, Sequence[str]]]
_Said = Iterator[tuple[str, str]]  # (severity, text)

_PARTS = Split("training", "validation", "test")
_PAIRS = (("train", "val"), ("train", "test"), ("val", "test"))
_TIED = 0.2  # Cramér's V from which a task and a private attribute are called tied
_SCRIPT = 3  # words from which the same transcript twice is a script and no "yes"
_OFFICIAL = "folds that are dealt out, such as --folds=5"  # a single fold is the corpus's own split
_FEW = 4  # test speakers below which one fold says little


class Finding(NamedTuple):
    """fold: its number; severity: "fatal", "warning" or "note"; text: a sentence or two."""

    fold: int
    severity: str
    text: str


def lint_split(
    split: Split, utterances: Sequence[Utterance], tasks: Labels, private: Labels
) -> list[Finding]:
    """Examines every fold of a split.

    Args:
      split: bool[N] or bool[K, N] each.
      utterances: N of them.
      tasks: {task: (int32[N] or, where bins differ by fold, int32[K, N]; class names)}, -1 unknown.
      private: the same for private attributes. "speaker" is not examined: its values are meant to
        differ between parts.

    Returns:
      The findings, fold by fold. A fold with an empty part has no others.
    """
    split = Split(*(np.atleast_2d(part) for part in split))
    num_folds = len(split.train)
    private = {name: labels for name, labels in private.items() if name != "speaker"}
    speakers = _numbers([u.speaker for u in utterances])
    sessions = _numbers([u.session for u in utterances])
    texts = _numbers([_script(u.transcript) for u in utterances])
    recordings = _numbers([u.wav and f"{u.wav} {u.start} {u.end}" for u in utterances])
    findings = []
    for fold in range(num_folds):
        parts = Split(*(part[fold] for part in split))
        said = list(_empty(parts))
        if not said:
            of_task, of_private = (
                {
                    name: (np.broadcast_to(codes, (num_folds, len(utterances)))[fold], names)
                    for name, (codes, names) in labels.items()
                }
                for labels in (tasks, private)
            )
            said += _speakers(parts, speakers)
            said += _recordings(parts, recordings)
            fewer, more = (
                f"{way} folds, another --fold_seed" if num_folds > 1 else _OFFICIAL
                for way in ("fewer", "more")
            )
            said += _missing(parts, of_task, of_private, speakers[0], fewer)
            said += _single_speakers(parts, of_private, speakers[0], more)
            said += _sessions(parts, sessions)
            said += _rare(parts, of_task | of_private)
            said += _tied(parts, of_task, of_private)
            said += _scripts(parts, texts[0])
        findings += [Finding(fold, severity, text) for severity, text in said]
    return findings


def grouped(findings: Sequence[Finding]) -> list[str]:
    """A line for each thing that is said, naming the folds it is said of."""
    folds: dict[tuple[str, str], list[int]] = {}
    for finding in findings:
        folds.setdefault((finding.severity, finding.text), []).append(finding.fold)
    return [
        f"{severity}, fold {', '.join(map(str, of))}: {text}"
        for (severity, text), of in folds.items()
    ]


def stop_on_fatal(findings: Sequence[Finding]) -> None:
    """Raises ValueError with every fatal finding, if there is one."""
    fatal = grouped([finding for finding in findings if finding.severity == "fatal"])
    if fatal:
        lines = [line.removeprefix("fatal, ") for line in fatal]
        raise ValueError("this split cannot be used\n" + "\n".join(lines))


def _numbers(values: Sequence[str | None]) -> tuple[np.ndarray, list[str]]:
    """(int[N], -1 for None; names)"""
    names = sorted({value for value in values if value is not None})
    number = {None: -1} | {name: index for index, name in enumerate(names)}
    return np.array([number[value] for value in values], np.int64), names


def _script(transcript: str | None) -> str | None:
    words = (transcript or "").casefold().split()
    return " ".join(words) if len(words) >= _SCRIPT else None


def _first(names: Sequence[str], at_most: int = 5) -> str:
    more = len(names) - at_most
    return ", ".join(names[:at_most]) + (f" and {more} more" if more > 0 else "")


def _empty(parts: Split) -> _Said:
    for name, part in zip(_PARTS, parts):
        if not part.any():
            yield "fatal", f"the {name} part has no utterance. Use another split."
    for one, other in _PAIRS:
        both = int((getattr(parts, one) & getattr(parts, other)).sum())
        if both:
            yield (
                "fatal",
                f"{both} utterances are in both the {getattr(_PARTS, one)} and the "
                f"{getattr(_PARTS, other)} part. Give each utterance one part.",
            )


def _shared(parts: Split, code: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray, list, str]]:
    """(a, b, codes that both hold, "both the … and the … part") of the pairs that share any."""
    for one, other in _PAIRS:
        a, b = getattr(parts, one), getattr(parts, other)
        shared = np.intersect1d(code[a], code[b])
        shared = shared[shared >= 0]
        if shared.size:
            both = f"both the {getattr(_PARTS, one)} and the {getattr(_PARTS, other)} part"
            yield a, b, shared.tolist(), both


def _speakers(parts: Split, speakers: tuple[np.ndarray, list[str]]) -> _Said:
    code, names = speakers
    for a, b, shared, both in _shared(parts, code):
        counts = [
            f"{names[s]} ({(code[a] == s).sum()} and {(code[b] == s).sum()} utterances)"
            for s in shared
        ]
        yield (
            "fatal",
            f"{len(shared)} speakers are in {both}: {_first(counts)}. Emotion and privacy would be "
            "measured on known voices. Leave these speakers out of one part, or use "
            "speaker-independent folds such as --folds=5.",
        )
    unknown = int((code[np.logical_or.reduce(parts)] < 0).sum())
    if unknown:
        yield (
            "warning",
            f"{unknown} utterances have no known speaker, so it cannot be checked that no speaker "
            "is in two parts. Leave them out if that matters.",
        )
    tested = np.unique(code[parts.test & (code >= 0)])
    if len(tested) < _FEW:
        yield (
            "note",
            f"the test part has fewer than {_FEW} speakers: scores of this fold alone mean little, "
            "read the mean over folds and seeds.",
        )


def _recordings(parts: Split, recordings: tuple[np.ndarray, list[str]]) -> _Said:
    code, names = recordings
    for _, _, shared, both in _shared(parts, code):
        files = [names[s].removesuffix(" None None") for s in shared]
        yield (
            "fatal",
            f"{len(shared)} recordings are in {both} under two ids: {_first(files)}. What is "
            "learned by heart would be scored. Leave one of the two utterances out.",
        )


def _few(value: np.ndarray, speaker: np.ndarray) -> str:
    """What no number of folds can mend: a value of too few speakers, where `value` is bool[N]."""
    count = len(np.unique(speaker[value & (speaker >= 0)]))
    told = f" Only {count} of all speakers have it: any split needs 4, of whom 2 are learned from."
    return told * (count < 4)


def _missing(
    parts: Split, tasks: Labels, private: Labels, speaker: np.ndarray, remedy: str
) -> _Said:
    for labels, what in ((tasks, "class"), (private, "value")):
        for label, (codes, names) in labels.items():
            for part_name, part in zip(_PARTS, parts):
                absent = [n for i, n in enumerate(names) if not (codes[part] == i).any()]
                if absent:
                    value = codes == names.index(absent[0])
                    few = _few(value, speaker) if labels is private else ""
                    yield (
                        "fatal",
                        f"the {part_name} part has no utterance of {what} {_first(absent)} of "
                        f"{label}, so recall of it cannot be "
                        + ("learned" if part is parts.train else "measured")
                        + f". Use {remedy}, (for a rating) other bins, or leave the {what} out of "
                        f"the corpus.{few}",
                    )


def _single_speakers(parts: Split, private: Labels, speaker: np.ndarray, remedy: str) -> _Said:
    for attribute, (codes, names) in private.items():
        for index, name in enumerate(names):
            told = np.unique(speaker[parts.train & (codes == index) & (speaker >= 0)])
            if len(told) == 1:
                yield (
                    "fatal",
                    f"the training part has a single speaker of {attribute} {name}: to know "
                    f"that voice would be to know the {attribute}. Each value needs 2 "
                    f"speakers or more: use {remedy}, or more speakers."
                    + _few(codes == index, speaker),
                )


def _sessions(parts: Split, sessions: tuple[np.ndarray, list[str]]) -> _Said:
    code, names = sessions
    places = sum(np.isin(np.arange(len(names)), code[part]).astype(int) for part in parts)
    divided = [names[s] for s in np.flatnonzero(places > 1)]
    if divided:
        yield (
            "warning",
            f"{len(divided)} of {len(names)} sessions have partners in different parts "
            f"({_first(divided)}): room, topic and the partner's voice may be recognised. Use no "
            "more folds than sessions, if they can be kept apart.",
        )


def _rare(parts: Split, labels: Labels) -> _Said:
    for label, (codes, names) in labels.items():
        rare = {n: c for n, c in rare_classes(codes, parts.train, names).items() if c}
        if rare:
            total = int((codes[parts.train] >= 0).sum())
            counts = [f"{name} has {count} of {total}" for name, count in rare.items()]
            yield (
                "warning",
                f"under 5 % of the training part's {label} labels: {_first(counts)}. Its recall "
                "rests on few utterances; for a rating, other bins (tertiles, LOW:HIGH) even the "
                "classes out.",
            )


def _tied(parts: Split, tasks: Labels, private: Labels) -> _Said:
    for task, (classes, class_names) in tasks.items():
        for attribute, (values, value_names) in private.items():
            known = parts.train & (classes >= 0) & (values >= 0)
            table = np.zeros((len(class_names), len(value_names)))
            np.add.at(table, (classes[known], values[known]), 1)
            table = table[table.any(1)][:, table.any(0)]
            v = cramers_v(table)
            if v < _TIED:
                continue
            share = table / table.sum(0)
            row = np.argmax(np.ptp(share, axis=1))
            most, least = np.argmax(share[row]), np.argmin(share[row])
            name = [n for i, n in enumerate(class_names) if (classes[known] == i).any()][row]
            of = [n for i, n in enumerate(value_names) if (values[known] == i).any()]
            yield (
                "warning",
                f"in the training part {task} and {attribute} are tied (Cramér's V {v:.2f}): "
                f"{name} is {share[row, most]:.0%} of {of[most]} and {share[row, least]:.0%} of "
                f"{of[least]}. To unlearn one is in part to unlearn the other; read the emotion "
                "scores of each value beside the mean.",
            )


def cramers_v(table: np.ndarray) -> float:
    """Cramér's V of a table of counts [A, B] without empty rows or columns, corrected for bias.

        phi2 = max(0, chi2 / n - (A - 1)(B - 1) / (n - 1))
        V = sqrt(phi2 / min(A' - 1, B' - 1)),    A' = A - (A - 1)^2 / (n - 1), B' likewise

    About 0 for independent rows and columns at any n, 1 where one decides the other. After Bergsma,
    A bias-correction for Cramér's V and Tschuprow's T, J. Korean Stat. Soc. 42 (2013).
    """
    n, (rows, columns) = table.sum(), table.shape
    if n < 2 or min(rows, columns) < 2:
        return 0.0
    expected = table.sum(1, keepdims=True) * table.sum(0) / n
    phi2 = ((table - expected) ** 2 / expected).sum() / n
    phi2 = max(0.0, phi2 - (rows - 1) * (columns - 1) / (n - 1))
    smaller = min(size - (size - 1) ** 2 / (n - 1) for size in (rows, columns)) - 1
    return float(np.sqrt(phi2 / smaller)) if smaller > 0 else 0.0


def _scripts(parts: Split, text: np.ndarray) -> _Said:
    for name, part in (("validation", parts.val), ("test", parts.test)):
        known = np.isin(text[part], text[parts.train & (text >= 0)])
        if known.any():
            yield (
                "note",
                f"{known.mean():.0%} of the {name} part's utterances have the words of a training "
                "utterance (a script): what rests on the words, read or heard, is scored on known "
                "sentences.",
            )
