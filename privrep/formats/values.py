"""The vocabulary of values: what the cells of a table mean, for manifest, corpora and audit (host).

What a word means depends on the kind of its column: "u" is an unknown gender or speaker and may be
the emotion surprise, "F" is a gender in a column of genders alone. Kinds of columns:

  gender, split: a closed vocabulary; what it does not know is left as it is and named.
  speaker, class: names. Spellings that differ in case, blanks, composed letters or as 1 and 1.0 are
    one value, written as most cells are.
  emotion: classes, of which different words and abbreviations may name one, see `emotions`; a
    column of classes all of which are emotions is read like one.
  number: ratings and times.
  text: what was said, names of files, ids; only an empty cell is missing there.
"""

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import PurePosixPath
from typing import NamedTuple

from privrep.formats.emotions import doubtful_letters, emotion_of, is_whole, same_emotions
from privrep.messages import first, misread, nearest, pasted, shown

GENDER, SPEAKER, SPLIT, CLASS = "gender", "speaker", "split", "class"
EMOTION, NUMBER, TEXT = "emotion", "number", "text"

_WORDS = {
    "female": "f fem female females feminine woman women w girl lady weiblich frau femme feminin "
    "féminin mujer femenino femenina donna femmina feminino feminina mulher vrouw kvinna kvinde "
    "kvinne kobieta kadın female_feminine",
    "male": "m male males masculine man men boy gentleman männlich maennlich mann homme masculin "
    "hombre masculino uomo maschio homem mand mężczyzna erkek male_masculine",
    "nonbinary": "nonbinary non-binary nb enby genderqueer diverse divers",
    "other": "other",
}
GENDERS = {word.replace("_", " "): name for name, words in _WORDS.items() for word in words.split()}
SPLITS = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "dev": "val",
    "devel": "val",
    "development": "val",
    "test": "test",
    "testing": "test",
    **{f"test{number}": f"Test{number}" for number in range(1, 10)},
}
VOCABULARIES: dict[str, Mapping[str, str]] = {GENDER: GENDERS, SPLIT: SPLITS}
MISSING = (
    frozenset({"na", "n/a", "n.a.", "#n/a", "<na>", "nan", "null", "none", "nil", "?", "??", "."})
    | {"-", "--", "—", "unknown", "unk", "missing", "undefined", "unspecified", "undisclosed"}
    | {"not available", "not known", "not given", "not specified", "not reported"}
)
MISSING_OF = {
    GENDER: MISSING | {"u", "prefer not to say", "do not wish to say", "no answer"},
    SPEAKER: MISSING | {"u", "unknown speaker", "unk speaker", "anonymous", "-1"},
    TEXT: frozenset[str](),
}
NO_AGREEMENT = {  # words of corpora for an emotion on which the raters did not agree, and of which
    "xxx": "IEMOCAP",
    "x": "MSP-Podcast",
    **dict.fromkeys(("no agreement", "no_agreement", "no consensus"), "other corpora"),
}
_MAY_MEAN = {  # words for a gender that no table of all languages can know
    "0": "female or male; tables differ in it",
    "1": "female or male; tables differ in it",
    "2": "female or male; tables differ in it",
    "h": "male (homme, hombre); m is a woman then (mujer), if the table is Spanish",
    "k": "female (kobieta, kvinna, kadın)",
    "d": "nonbinary (divers)",
    "e": "male (erkek)",
    "x": "missing, or nonbinary",
    "o": "other",
}
_INVISIBLE = dict.fromkeys(map(ord, "\u200b\u200c\u200d\u200e\u200f\u2060\ufeff\u00ad"))
_WHOLE = re.compile(r"([+-]?\d+)\.0*")
_ZEROS = re.compile(r"(?<![\d.])0+(?=\d)")
_LISTED = 20  # values of a column in a message
_PASTED = 50  # pairs of one flag that a note proposes
_CLOCK = re.compile(r"(?:(\d+) days?,? )?\+?(?:(\d+):)?(\d+):(\d+(?:[.,]\d+)?)")


class Unified(NamedTuple):
    """A column whose values have one spelling each.

    Attributes:
      cells: N values, "" where there is none.
      notes: sentences on what was merged and what was taken to be missing, with counts.
      unknown: {value: rows} that the vocabulary of its kind does not know; such values are kept.
    """

    cells: list[str]
    notes: list[str]
    unknown: dict[str, int]


def plain(cell: str) -> str:
    """A cell with composed letters, single blanks, and no character that nobody sees.

    >>> plain(" Jose\\u0301  B\\u200b")
    'José B'
    """
    if cell.isascii():
        return " ".join(cell.split())
    return " ".join(unicodedata.normalize("NFC", cell).translate(_INVISIBLE).split())


def number_form(cell: str) -> str:
    """A whole number without point and zeros; any other text as it is.

    >>> number_form("1.0"), number_form("01"), number_form("1.50")
    ('1', '01', '1.50')
    """
    match = _WHOLE.fullmatch(cell)
    return match[1] if match else cell


def key_of(cell: str) -> str:
    """What all spellings of a value have in common.

    >>> key_of("Angry ") == key_of("angry"), key_of("2") == key_of("2.0")
    (True, True)
    """
    return number_form(plain(cell).casefold())


def is_missing(key: str, kind: str) -> bool:
    """Whether a cell of a column of this kind holds a word that says that its value is missing.

    Args:
      key: `key_of` the cell.
      kind: see the module.

    >>> is_missing("n/a", CLASS), is_missing("u", GENDER), is_missing("u", CLASS)
    (True, True, False)
    """
    words = MISSING_OF.get(kind, MISSING)
    return key in words or _as_words(key) in words


def word_of(key: str, kind: str) -> str:
    """The value that a closed vocabulary has for a cell; "" where it has none.

    Args:
      key, kind: as in `is_missing`.

    >>> word_of("woman", GENDER), word_of("female_feminine", GENDER), word_of("1", GENDER)
    ('female', 'female', '')
    """
    vocabulary, words = VOCABULARIES[kind], _as_words(key)
    known = vocabulary.get(key) or vocabulary.get(words)
    return known or vocabulary.get(words.replace(" ", ""), "")


def _as_words(key: str) -> str:
    return key.replace("_", " ").replace("-", " ")


def check_declared(name: str, kind: str, declared: Mapping[str, str]) -> None:
    """Makes sure that a closed vocabulary knows what values of a column are declared to mean.

    Args:
      name, kind: of the column.
      declared: {value as it is in the table: what it means, "" for missing}.

    Raises:
      ValueError: it does not.
    """
    for word, meaning in declared.items() if kind in VOCABULARIES else ():
        key = key_of(meaning)
        if key and not word_of(key, kind) and not is_missing(key, kind):
            valid = dict.fromkeys(VOCABULARIES[kind].values())
            raise ValueError(
                f"--values={name}:{word}={meaning}: {shown(meaning)} is not known as a {kind}; "
                f"expected {', '.join(valid)} or a usual word for it, or nothing where it is "
                f"missing{nearest(meaning, VOCABULARIES[kind])}"
            )


def unify(
    name: str, kind: str, cells: Sequence[str], declared: Mapping[str, str] | None = None
) -> Unified:
    """Gives every value of a column one spelling.

    Args:
      name: of the column, for the notes.
      kind: of the column, see the module.
      cells: N of them.
      declared: {value as it is in the table: what it means, "" for missing}. A cell with such a
        value is read as if it held the meaning, by the same vocabulary. A word such as none, which
        the vocabulary takes to be missing, is a value where it is declared to mean itself.
    """
    counts = Counter(cells)
    del counts[""]
    declared = declared or {}
    meaning_of_key = {key_of(word): what for word, what in declared.items()}
    # none=none: it is a value
    kept = {key for key, what in meaning_of_key.items() if key_of(what) == key}
    meaning: dict[str, str] = {"": ""}
    missing: Counter[str] = Counter()
    unknown: Counter[str] = Counter()
    open_: dict[str, list[str]] = {}  # spellings by key, of an open vocabulary
    form_of: dict[str, str] = {}  # of each cell, what is declared of it or how it is written
    for cell, count in counts.items():
        if kind == TEXT and not declared:  # such columns are long
            meaning[cell] = cell if cell.isascii() else unicodedata.normalize("NFC", cell)
            continue
        form = plain(meaning_of_key.get(key_of(cell), cell) if meaning_of_key else cell)
        form_of[cell], key = form, number_form(form.casefold())
        if kind == TEXT:
            meaning[cell] = meaning_of_key.get(key_of(cell), cell)
        elif not form:
            meaning[cell] = ""
        elif is_missing(key, kind) and key not in kept:
            meaning[cell] = ""
            missing[plain(cell)] += count
        elif kind in VOCABULARIES:
            known = word_of(key, kind)
            meaning[cell] = known or number_form(form)
            if not known:
                unknown[meaning[cell]] += count
        elif kind == NUMBER:
            meaning[cell] = number_form(form)
        else:
            open_.setdefault(key, []).append(cell)
    is_emotion = kind == EMOTION or (kind == CLASS and all(map(emotion_of, open_)))
    same = same_emotions(open_) if is_emotion else {}
    joined: dict[str, list[str]] = {}
    for key, spellings in open_.items():
        joined.setdefault(f"emotion {same[key]}" if key in same else key, []).extend(spellings)
    for spellings in joined.values():
        by_form: Counter[str] = Counter()
        for cell in spellings:
            by_form[form_of[cell]] += counts[cell]
        # Of an emotion the usual one of its whole words, if there are any.
        whole = [form for form in by_form if is_whole(form)] if is_emotion else []
        usual = min(whole or by_form, key=lambda form: (-by_form[form], form != form.lower(), form))
        meaning |= dict.fromkeys(spellings, usual)
    notes = _notes(name, kind, counts, meaning, missing)
    if kind == EMOTION:
        undecided = [key for key in open_ if key in NO_AGREEMENT and key not in kept]
        notes += [_undecided(name, open_[key], counts) for key in undecided]
    if is_emotion and (doubtful := doubtful_letters(open_, same)):
        cells_of = ", ".join(form_of[open_[letter][0]] for letter in doubtful)
        letter = form_of[open_[doubtful[0]][0]]
        notes.append(
            f"{name}: {cells_of} may abbreviate other values of the column, which of them is not "
            f"known, and were kept apart; if so, --values={pasted(f'{name}:{letter}=NAME')}."
        )
    return Unified([meaning[cell] for cell in cells], notes, dict(unknown))


def _undecided(name: str, spellings: Sequence[str], counts: Mapping[str, int]) -> str:
    """The note on a class of emotion that corpora use where raters did not agree."""
    word = plain(spellings[0])
    corpus, count = NO_AGREEMENT[key_of(word)], sum(counts[cell] for cell in spellings)
    out, in_ = (pasted(f"{name}:{word}={meaning}") for meaning in ("", word))
    return (
        f"{name}: {shown(word)} ({count:,}) is taken as a class; in {corpus} it says that the "
        f"raters did not agree. To leave it out: --values={out}; to keep it: --values={in_}."
    )


def not_there(name: str, cells: Iterable[str], declared: Mapping[str, str]) -> dict[str, str]:
    """{declared value that no cell holds: a sentence on it and on the values there are}."""
    if not declared:
        return {}
    counts = Counter(cell for cell in cells if cell)
    held_keys = {*map(key_of, counts)}
    values = dict.fromkeys(plain(cell) for cell, _ in counts.most_common())
    return {
        word: f"no cell of {name} is {shown(word)}. It has: "
        f"{first([*values], most=_LISTED) or 'no value'}{nearest(word, values)}"
        for word in declared
        if key_of(word) not in held_keys
    }


def _notes(
    name: str,
    kind: str,
    counts: Mapping[str, int],
    meaning: Mapping[str, str],
    missing: Mapping[str, int],
) -> list[str]:
    notes = []
    if missing:
        words = first([f"{shown(word)} ({count:,})" for word, count in missing.items()])
        notes.append(
            f"{name}: {words} {'is' if len(missing) == 1 else 'are'} taken to be missing, and no "
            f"value (if it is one: --values={pasted(f'{name}:{next(iter(missing))}=NAME')})."
        )
    if kind in (NUMBER, TEXT):
        return notes
    spellings: dict[str, list[str]] = {}
    for cell in sorted(counts, key=lambda cell: -counts[cell]):
        spellings.setdefault(meaning[cell], []).append(cell)
    spellings.pop("", None)
    merged = {value: cells for value, cells in spellings.items() if len(cells) > 1}
    if merged:
        changed = sum(counts[c] for value, cells in merged.items() for c in cells if c != value)
        examples = "; ".join(
            f"{value}: {first([f'{shown(cell)} ({counts[cell]:,})' for cell in cells], most=8)}"
            for value, cells in list(merged.items())[:3]
        )
        more = f"; and {len(merged) - 3:,} more" if len(merged) > 3 else ""
        total = sum(map(len, merged.values()))
        notes.append(
            f"{name}: {total:,} spellings were merged into {len(merged):,} values, {changed:,} "
            f"cells: {examples}{more}."
        )
    if kind == SPEAKER and (padded := _padded(spellings)):
        alike = first([f"{a} and {b}" for a, b in padded], most=3)
        flags = [f"{name}:{b}={a}" for a, b in padded]
        flag = ",".join(flags if len(flags) <= _PASTED else [flags[0], "…"])
        notes.append(
            f"{name}: {alike} are counted as two; if they are one, --values={pasted(flag)}."
        )
    return notes


def _padded(values: Iterable[str]) -> list[tuple[str, str]]:
    """Pairs of values that differ in leading zeros, and in 1 and 1.0 and case besides, alone."""
    seen: dict[str, str] = {}
    pairs = []
    for value in sorted(values):
        if (before := seen.setdefault(_without_zeros(key_of(value)), value)) != value:
            pairs.append((before, value))
    return pairs


def not_known(
    place: str, name: str, kind: str, unknown: Mapping[str, int], with_flags: bool = True
) -> ValueError:
    """The error for values that a closed vocabulary does not know: all of them, with counts."""
    words = first([f"{shown(word)} ({count:,})" for word, count in unknown.items()], most=12)
    hints = [
        f"{key} may mean {_MAY_MEAN[key]}"
        for key in dict.fromkeys(map(key_of, unknown))
        if kind == GENDER and key in _MAY_MEAN
    ]
    valid = "train, val, test" if kind == SPLIT else ", ".join(dict.fromkeys(GENDERS.values()))
    keys = list(dict.fromkeys(map(key_of, unknown)))
    example = pasted(",".join(f"{name}:{key}=…" for key in keys[:2]))
    advice = (
        f". Say what is meant, --values={example} ({valid}, or nothing where it is missing), or "
        f"leave the column out, --columns={pasted(name)}="
    )
    known = "Train, Validation, Development, Test1, Test2, … or Test" if kind == SPLIT else valid
    return ValueError(
        f"{place}, column {name}: {words} {'is' if len(unknown) == 1 else 'are'} not known as a "
        f"{kind}; expected {known} or a usual word for it"
        + (f" ({'; '.join(hints)})" if hints else "")
        + (advice if with_flags else "")
    )


def like(value: str, present: Iterable[str | None], kind: str = CLASS) -> str:
    """The one of `present` that `value` is a spelling of; `value` itself where none is.

    >>> like("F", ["female", "male"], GENDER), like("North", ["north"])
    ('female', 'north')
    """
    values = dict.fromkeys(cell for cell in present if cell)
    if value in values:
        return value
    (meant,) = unify("", kind, [value]).cells
    key = key_of(meant or value)
    same = {key_of(cell): cell for cell in values}
    if key not in same and kind in (CLASS, EMOTION) and emotion_of(key):
        by_emotion = {emotion_of(word): cell for word, cell in same.items()}
        return by_emotion.get(emotion_of(key), value)
    return same.get(key, value)


def finite(text: str, place: str, expected: str) -> float | None:
    """The number in `text`; None where it is NaN.

    Args:
      text: the cell.
      place: "path:number", and expected: what stands there else, for the error messages.

    Raises:
      ValueError: `text` is no number, or infinite.
    """
    try:
        value = float(text)
    except ValueError:
        raise misread(place, text, expected) from None
    if math.isinf(value):
        raise ValueError(f"{place}: {text!r} is not a valid value; expected a finite number")
    return None if math.isnan(value) else value


def seconds(text: str, place: str) -> float | None:
    """A time in seconds; None where the cell is empty.

    Args:
      text: a number of seconds, or a time such as 00:00:03.795, 1:02 or 0 days 00:00:01.5.
      place: "path:number", for the error message.

    Raises:
      ValueError: it is neither, or below 0.

    >>> seconds("0 days 00:01:01.5", "m.csv:2")
    61.5
    """
    if not text:
        return None
    if match := _CLOCK.fullmatch(text):
        days, hours, minutes, rest = match.groups()
        whole = (int(days or 0) * 24 + int(hours or 0)) * 60 + int(minutes)
        return whole * 60 + float(rest.replace(",", "."))
    value = finite(text, place, "a number of seconds, or a time such as 00:00:03.795")
    if value is not None and value < 0:
        raise ValueError(f"{place}: {text!r} is too small; expected at least 0")
    return value


def _without_zeros(name: str) -> str:
    return _ZEROS.sub("", number_form(name))


def _stem(name: str) -> str:
    return str(PurePosixPath(name.replace("\\", "/")).with_suffix("")) if name else name


def _base(name: str) -> str:
    return PurePosixPath(_stem(name)).name if name else name


# How names of two tables are compared, in this order, and what of them is then not looked at.
_COMPARED: tuple[tuple[str, Callable[[str], str]], ...] = (
    ("", lambda name: name),
    ("blanks and composed letters", plain),
    ("1 and 1.0", lambda name: number_form(plain(name))),
    ("leading zeros", lambda name: _without_zeros(plain(name))),
    ("upper and lower case", lambda name: _without_zeros(plain(name).casefold())),
    ("the ending of a path", lambda name: _stem(plain(name))),
    ("folder and ending of a path", lambda name: _base(plain(name))),
)


class Paired(NamedTuple):
    """Names of one table found in another.

    Attributes:
      pairs: {name wanted: name there}.
      differ: in what the names of a pair may differ; "" where they are equal.
      changed: how many are not equal.
    """

    pairs: dict[str, str]
    differ: str
    changed: int


def paired(wanted: Iterable[str], available: Iterable[str]) -> Paired:
    """Finds names in another table by the strictest comparison that finds the most of them.

    A comparison by which two names of one table would be the same is not used.

    >>> paired(["01", "2"], ["1", "2", "3"]).pairs
    {'01': '1', '2': '2'}
    """
    names, others = dict.fromkeys(wanted), dict.fromkeys(available)
    best = Paired({}, "", 0)
    for differ, key in _COMPARED:
        theirs: dict[str, str] = {key(name): name for name in others}
        if len(theirs) < len(others) or len({key(name) for name in names}) < len(names):
            continue
        pairs = {name: theirs[k] for name in names if (k := key(name)) in theirs}
        if len(pairs) > len(best.pairs):
            best = Paired(pairs, differ, sum(a != b for a, b in pairs.items()))
        if len(pairs) == len(names):
            break
    return best
