"""Choice among the utterances and classes of a corpus before anything is computed (host).

Each function returns the utterances that are left, in their order, and sentences with counts.
"""

import dataclasses
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from privrep.duplicates import classes_of, named, one_name
from privrep.formats.columns import kind_of
from privrep.formats.values import like
from privrep.messages import first, nearest
from privrep.types import Utterance

DUPLICATES = ("stop", "merge", "drop")
TWO_GENDERS = ("stop", "drop", "majority")
_GENDER = "gender"
_FIELDS = ("speaker", "session", "split")


class Selected(NamedTuple):
    """The utterances that are left, and sentences about the others."""

    utterances: list[Utterance]
    notes: list[str]


def parse_only(text: str) -> dict[str, tuple[str, ...]]:
    """{column: values} of "COLUMN=VALUE,VALUE,COLUMN=VALUE".

    Raises:
      ValueError: another form, or a column twice.

    >>> parse_only("scenario=P,R,gender=female")
    {'scenario': ('P', 'R'), 'gender': ('female',)}
    """
    values_of: dict[str, list[str]] = {}
    column = ""
    for part in (part.strip() for part in text.split(",")) if text else ():
        name, equals, value = part.partition("=")
        if equals:
            column = name.strip()
            if column in values_of:
                raise ValueError(f"{column} stands there twice; list its values after one =")
            values_of[column], part = [], value.strip()
        if not column or not part:
            raise ValueError("COLUMN=VALUE expected, such as scenario=improvised; more by commas")
        values_of[column].append(part)
    return {name: tuple(values) for name, values in values_of.items()}


def select(utterances: Sequence[Utterance], only: Mapping[str, Sequence[str]]) -> Selected:
    """The utterances that have, in every column of `only`, one of its values.

    A column is a category (emotion, scenario), a private attribute, speaker, session or split.

    Raises:
      ValueError: no utterance has such a column or value (the message lists those that there
        are), or none has them all.
    """
    if not only:
        return Selected([*utterances], [])
    kept = [*utterances]
    for column, values in only.items():
        cells = (_cell(u, column) for u in utterances)
        counts = Counter(cell for cell in cells if cell is not None)
        if not counts:
            columns = _columns(utterances)
            raise ValueError(
                f"--only={column}=…: no utterance has a {column!r}. Columns of this corpus: "
                f"{', '.join(columns)}{nearest(column, columns)}"
            )
        values = [like(value, counts, kind_of(column)) for value in values]
        unknown = [value for value in values if value not in counts]
        if unknown:
            raise ValueError(
                f"--only={column}={unknown[0]}: no utterance has it. {column} is "
                f"{_counted(counts)}{nearest(unknown[0], counts)}"
            )
        kept = [u for u in kept if _cell(u, column) in values]
    condition = " and ".join(f"{name}={','.join(values)}" for name, values in only.items())
    if not kept:
        raise ValueError(f"--only: no utterance has all of {condition}")
    note = f"only {condition}: {len(kept):,} of {len(utterances):,} utterances"
    return Selected(kept, [note])


def _cell(utterance: Utterance, column: str) -> str | None:
    if column in _FIELDS:
        return getattr(utterance, column)
    return utterance.categories.get(column, utterance.private.get(column))


def _columns(utterances: Sequence[Utterance]) -> list[str]:
    mapped = {name for u in utterances for name in (*u.categories, *u.private)}
    return sorted(mapped | {f for f in _FIELDS if any(getattr(u, f) for u in utterances)})


def _counted(counts: Mapping[str, int]) -> str:
    ordered = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    return first([f"{name} ({count:,})" for name, count in ordered], most=20)


def parse_classes(text: str) -> tuple[tuple[str, ...], ...]:
    """The classes of "angry,happy+excited,neutral", each with those that are joined in it.

    Raises:
      ValueError: an empty name, a class twice, or one class alone.

    >>> parse_classes("angry,happy+excited")
    (('angry',), ('happy', 'excited'))
    """
    if not text:
        return ()
    classes = tuple(tuple(n.strip() for n in part.split("+")) for part in text.split(","))
    names = [name for joined in classes for name in joined]
    if not all(names):
        raise ValueError("an empty name; such as angry,happy+excited,neutral,sad expected")
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{twice} stands there twice; a class goes into one")
    if len(classes) < 2:
        raise ValueError("it takes two classes or more, separated by commas")
    return classes


def choose_classes(
    utterances: Sequence[Utterance], task: str, classes: Sequence[Sequence[str]]
) -> Selected:
    """The utterances whose category `task` is in one of `classes`, with joined classes renamed.

    A joined class is called by its names, as the corpus writes them, with + between them. Without
    `classes`, or where the task is rated and has no categories, all utterances are returned as they
    are.

    Raises:
      ValueError: a class that does not occur, in which case the message lists those that do, or
        two names of one class.

    >>> spoken = [Utterance("a", "s", categories={"emotion": "excited"})]
    >>> spoken += [Utterance("b", "s", categories={"emotion": "happy"})]
    >>> spoken += [Utterance("c", "s", categories={"emotion": "sad"})]
    >>> choose_classes(spoken, "emotion", [("sad",), ("happy", "excited")]).notes
    ['emotion: 3 of 3 utterances, happy+excited (2), sad (1)']
    """
    counts = Counter(u.categories[task] for u in utterances if task in u.categories)
    if not classes:
        return Selected([*utterances], [])
    if not counts:
        return Selected([*utterances], [f"note: --classes has no effect with --task={task}"])
    new_name: dict[str, str] = {}
    for joined in classes:
        of_corpus = dict.fromkeys(like(name, counts, kind_of(task)) for name in joined)
        if twice := of_corpus.keys() & new_name:
            raise ValueError(f"--classes: two of its names mean {twice.pop()} in this corpus")
        new_name |= dict.fromkeys(of_corpus, "+".join(of_corpus))
    unknown = [name for name in new_name if name not in counts]
    if unknown:
        raise ValueError(
            f"--classes: no utterance has {task} {unknown[0]}. {task} is "
            f"{_counted(counts)}{nearest(unknown[0], counts)}"
        )
    kept = [
        dataclasses.replace(u, categories={**u.categories, task: new_name[u.categories[task]]})
        for u in utterances
        if u.categories.get(task) in new_name
    ]
    joined_counts = Counter(u.categories[task] for u in kept)
    note = f"{task}: {len(kept):,} of {len(utterances):,} utterances, {_counted(joined_counts)}"
    left_out = {name: count for name, count in counts.items() if name not in new_name}
    if left_out:
        note += f"; left out {_counted(left_out)}"
    return Selected(kept, [note])


def settle_genders(utterances: Sequence[Utterance], policy: str) -> Selected:
    """Deals with speakers whose utterances state different genders.

    Args:
      utterances: a corpus.
      policy: in TWO_GENDERS. "drop" leaves such speakers out; "majority" gives all utterances of
        the speaker, those of unknown gender aside, the gender that most have.

    Raises:
      ValueError: there are such speakers and they are not to be dealt with, or half of a speaker's
        utterances are of either gender. The message lists all of them with counts.
    """
    genders = _genders(utterances)
    mixed = {speaker: counts for speaker, counts in genders.items() if len(counts) > 1}
    if not mixed:
        return Selected([*utterances], [])
    listed = first([f"{speaker} ({_shares(counts)})" for speaker, counts in mixed.items()], most=50)
    line = f"{len(mixed):,} of {len(genders):,} speakers have more than one gender: {listed}"
    if policy == "stop":
        raise ValueError(
            f"{line}. Correct the labels, or give two speakers two names; or leave these speakers "
            "out with --two_genders=drop, or give each the gender of most of their utterances with "
            "--two_genders=majority."
        )
    if policy == "drop":
        kept = [u for u in utterances if u.speaker not in mixed]
        count = len(utterances) - len(kept)
        return Selected(kept, [f"{line}; left out, {count:,} of {len(utterances):,} utterances"])
    tied = [speaker for speaker, counts in mixed.items() if _is_tied(counts)]
    if tied:
        raise ValueError(
            f"{line}. Of {first(tied)} no gender has most utterances: correct the labels, or leave "
            "all of these speakers out with --two_genders=drop."
        )
    gender_of = {speaker: counts.most_common(1)[0][0] for speaker, counts in mixed.items()}
    return Selected(
        [_with_gender(u, gender_of.get(u.speaker or "")) for u in utterances],
        [f"{line}; each was given the gender of most utterances"],
    )


def _genders(utterances: Sequence[Utterance]) -> dict[str, Counter[str]]:
    """{speaker: {gender: utterances}}, of the known ones."""
    genders: dict[str, Counter[str]] = {}
    for u in utterances:
        if u.speaker is not None and _GENDER in u.private:
            genders.setdefault(u.speaker, Counter())[u.private[_GENDER]] += 1
    return genders


def _is_tied(counts: Counter[str]) -> bool:
    (_, most), (_, second) = counts.most_common(2)
    return most == second


def _shares(counts: Counter[str]) -> str:
    total = counts.total()
    return ", ".join(f"{name} in {count:,} of {total:,}" for name, count in counts.most_common())


def _with_gender(utterance: Utterance, gender: str | None) -> Utterance:
    if gender is None or utterance.private.get(_GENDER, gender) == gender:
        return utterance
    categories = utterance.categories
    if _GENDER in categories:
        categories = {**categories, _GENDER: gender}
    private = {**utterance.private, _GENDER: gender}
    return dataclasses.replace(utterance, categories=categories, private=private)


def settle_duplicates(utterances: Sequence[Utterance], equal: np.ndarray, policy: str) -> Selected:
    """Deals with utterances of equal content.

    Args:
      utterances: N of them, every speaker known.
      equal: int[N], equal numbers for equal utterances, -1 for the others.
      policy: in DUPLICATES. "stop" leaves all as they are, for the split linter to judge; the
        others keep the first of each lot. "merge" gives the speakers of a lot one name, "drop"
        leaves the whole lot out where its speakers differ, since whose it is cannot be known.

    Raises:
      ValueError: speakers that are merged have two genders.
    """
    if policy == "stop" or not (equal >= 0).any():
        return Selected([*utterances], [])
    speakers = [u.speaker or "" for u in utterances]
    lots = [*classes_of(equal)]
    mixed = [rows for rows in lots if len({speakers[i] for i in rows}) > 1]
    left_out = {int(i) for rows in lots for i in rows[1:]}
    ids = [u.id for u in utterances]
    listed = first([named(rows, ids, speakers) for rows in mixed or lots])
    result = [*utterances]
    note = f"{len(lots):,} recordings are there twice or more, equal in content: {listed}"
    if policy == "drop":
        left_out |= {int(rows[0]) for rows in mixed}
    else:
        name_of = one_name(equal, speakers)
        result = [dataclasses.replace(u, speaker=name_of[s]) for u, s in zip(result, speakers)]
        merged = sum(name != speaker for speaker, name in name_of.items())
        note += f"; {merged:,} speakers were merged into others"
        genders = _genders(result)
        if of_two := [speaker for speaker, counts in genders.items() if len(counts) > 1]:
            joined = [f"{s} with {into}" for s, into in name_of.items() if s != into in of_two]
            raise ValueError(
                f"--duplicates=merge: {note}. Merging {first(joined)} makes one speaker of two "
                "genders: correct the labels, or leave these recordings out with --duplicates=drop"
            )
    kept = [u for i, u in enumerate(result) if i not in left_out]
    note += f"; {len(left_out):,} of {len(utterances):,} utterances left out"
    return Selected(kept, [note])
