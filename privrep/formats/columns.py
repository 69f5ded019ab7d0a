"""The column names of users' tables, and the one way from files to labels (host).

Manifest and audit read their tables by `labels`: columns get the names that this project uses, rows
an id, speakers the facts of another table, and values one spelling.
"""

import re
import unicodedata
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from privrep.formats.emotions import emotion_of
from privrep.formats.numbers import AGES, implausible_ages, loose_numbers, number_of
from privrep.formats.ratings import abbreviated, divided
from privrep.formats.tables import ID, TABLES, Table, read_table
from privrep.formats.values import (
    CLASS,
    EMOTION,
    GENDER,
    GENDERS,
    NUMBER,
    SPEAKER,
    SPLIT,
    SPLITS,
    TEXT,
    check_declared,
    key_of,
    like,
    not_known,
    not_there,
    paired,
    plain,
    unify,
)
from privrep.messages import first, nearest, pasted, shown

# By our names, the best first; letters and digits alone count, in any case.
SYNONYMS: dict[str, tuple[str, ...]] = {
    "id": ("id", "uttid", "utteranceid", "utterance", "key", "segmentid", "clipid", "sampleid")
    + ("fileid", "utt", "segment", "utterancename", "uttname", "segmentname"),
    "audio": ("audio", "audiopath", "audiofilepath", "audiofile", "wav", "wavpath", "wavfile")
    + ("path", "filepath", "file", "filename", "audiofilename", "wavname", "recording", "clip"),
    "transcript": ("transcript", "transcription", "text", "sentence", "utterance", "transcripts")
    + ("transcriptions", "words", "normalizedtext", "rawtext"),
    "speaker": ("speaker", "speakerid", "speakers", "spk", "spkid", "spkr", "spkrid", "clientid")
    + ("actor", "actorid", "talker", "talkerid", "subject", "subjectid", "participant")
    + ("participantid", "speakername", "userid", "sprecher", "locuteur"),
    "gender": ("gender", "sex", "speakergender", "genderlabel", "spkgender", "geschlecht", "sexe")
    + ("sexo", "genero"),
    "emotion": ("emotion", "emo", "emotionlabel", "emoclass", "emotionclass", "emotions")
    + ("emotioncategory", "emotionname", "emolabel", "emocat", "emotioncode"),
    # Of ratings, `ratings` knows abbreviations as well, where they stand together.
    "activation": ("activation", "arousal", "emoact", "act", "aro", "activationmean", "emoaro")
    + ("arousalmean", "meanarousal", "meanactivation", "arousalscore", "activationscore")
    + ("arousalrating", "activationrating", "avgarousal", "avgactivation", "arousallabel"),
    "valence": ("valence", "emoval", "valencemean", "meanvalence", "valencescore")
    + ("valencerating", "avgvalence", "valencelabel"),
    "dominance": ("dominance", "emodom", "dom", "dominancemean", "meandominance")
    + ("dominancescore", "dominancerating", "avgdominance", "dominancelabel"),
    "session": ("session", "sessionid", "recordingsession"),
    "split": ("split", "splitset", "subset", "partition"),
    # StartTime is left alone: it is a place in the film from which a file was cut.
    "start": ("start", "begin", "startseconds", "starts", "startsec"),
    "end": ("end", "stop", "endseconds", "ends", "endsec"),
    "scale": ("scale",),
}
KINDS = {
    "emotion": EMOTION,
    "gender": GENDER,
    "speaker": SPEAKER,
    "split": SPLIT,
    **dict.fromkeys(("id", "audio", "transcript", "scale"), TEXT),
    **dict.fromkeys(("start", "end", "activation", "valence", "dominance", "num_frames"), NUMBER),
}
AGE = ("age", "speakerage", "spkage", "ageyears", "ageinyears", "alter", "edad")
_CODES = 5  # values of one flag that a note proposes
_SOUNDS = (".wav", ".flac", ".mp3", ".ogg", ".opus", ".m4a", ".sph", ".aiff", ".aif")
_PEOPLE = re.compile(r"spk|speak|actor|subj|pers|talk|client|user|particip|who|name|author")
_SCALE = re.compile(r"(?<=\S)\s*[(\[]\s*(\d[\d\s.,–-]*|[a-z])\s*[)\]]$", re.IGNORECASE)
_NAMED = 200  # rows that are looked at to guess what a column is
_CUT = 60  # letters of a column's name in a message


@dataclass(frozen=True)
class Naming:
    """What a user says of the tables.

    Attributes:
      columns: {our name: name in the table, "" to leave the column out}.
      speaker_from: regular expression of which the first group (or all of it) in the path, or id,
        is the speaker; "" where a column says it.
      speakers: a table of facts about the speakers, to be joined; None without.
      values: {our column: {value in the table: what it means}}.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    speaker_from: str = ""
    speakers: str | Path | None = None
    values: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


_NOTHING = Naming()
_NONE: Mapping[str, str] = {}


def naming_of(
    columns: str = "",
    id_: str = "",
    speaker_from: str = "",
    speakers: str | Path | None = None,
    values: str = "",
) -> Naming:
    """The `Naming` of flags.

    Args:
      columns: "audio=file,activation=arousal"; nothing after = leaves the column out.
      id_: the column of ids, as "id=COLUMN" in `columns`.
      speaker_from, speakers: as in `Naming`.
      values: "gender:1=female,gender:0=male"; nothing after = means missing.

    Raises:
      ValueError: a text has another form, names a column twice, or is no regular expression.

    >>> naming_of("audio=file", values="gender:1=female").values
    {'gender': {'1': 'female'}}
    """
    named: dict[str, str] = {}
    for ours, theirs in _pairs("columns", columns, "audio=file,activation=arousal"):
        if ours in named:
            raise ValueError(f"--columns={columns}: {ours} is named twice")
        named[ours] = theirs
    if id_ and named.setdefault(ID, id_) != id_:
        raise ValueError(f"--id={id_} and --columns={columns} name different columns")
    meant: dict[str, dict[str, str]] = {}
    for place, meaning in _pairs("values", values, "gender:1=female,gender:0=male"):
        column, mark, word = place.partition(":")
        if not mark or not column or not word:
            raise ValueError(f"--values={values}: COLUMN:VALUE=MEANING expected, not {place!r}")
        meant.setdefault(column.strip(), {})[word.strip()] = meaning
    try:
        re.compile(speaker_from)
    except re.error as error:
        raise ValueError(f"--speaker_from={speaker_from}: no regular expression: {error}") from None
    return Naming(named, speaker_from, speakers or None, meant)


def flags_of(naming: Naming) -> list[str]:
    """The flags of a `Naming`, but for the table of speakers."""
    columns = ",".join(f"{ours}={theirs}" for ours, theirs in naming.columns.items())
    values = ",".join(
        f"{column}:{word}={meaning}"
        for column, words in naming.values.items()
        for word, meaning in words.items()
    )
    flags = {"columns": columns, "speaker_from": naming.speaker_from, "values": values}
    return [f"--{name}={text}" for name, text in flags.items() if text]


def _pairs(flag: str, text: str, example: str) -> Iterator[tuple[str, str]]:
    for part in filter(None, map(str.strip, text.split(","))):
        name, mark, value = part.partition("=")
        if not mark or not name.strip():
            raise ValueError(f"--{flag}={text}: {part!r} is no pair; expected such as {example}")
        yield name.strip(), value.strip()


@dataclass(frozen=True)
class Labels:
    """Tables of labels under this project's names.

    Attributes:
      tables: as they were read, with our names of columns.
      cells: {column: N cells} of all tables, one after the other, with one spelling per value; ""
        where a cell is empty or missing.
      notes: sentences on what was mapped, joined, merged and left out.
      unknown: {column: {value: rows}} of closed vocabularies that do not know them.
      absent: {"column:value=meaning": a sentence} of what is declared of values that no cell holds.
    """

    tables: tuple[Table, ...]
    cells: dict[str, list[str]]
    notes: tuple[str, ...]
    unknown: dict[str, dict[str, int]]
    absent: dict[str, str]

    @property
    def table(self) -> Table:
        """The first table, with the cells of all."""
        return replace(self.tables[0], cells=self.cells, notes=self.notes)

    def rows(self) -> Iterator[tuple[Table, str, dict[str, str]]]:
        """Yields (its table, "path:line", {column: cell}) of each row that is not empty."""
        places = ((table, row) for table in self.tables for row in range(len(table)))
        for (table, row), cells in zip(places, zip(*self.cells.values())):
            if any(cells):
                yield table, table.place(row), dict(zip(self.cells, cells))

    def check_known(self, name: str, with_flags: bool = True) -> None:
        """Makes sure that the vocabulary of a column knows all of its values.

        Args:
          name: of the column.
          with_flags: whether there are flags that say what values mean.

        Raises:
          ValueError: it does not; the message names them and what they may mean.
        """
        if name in self.unknown:
            places = (table.place(row) for table in self.tables for row in range(len(table)))
            unknown = self.unknown[name]
            place = next(place for place, c in zip(places, self.cells[name]) if c in unknown)
            raise not_known(place, name, kind_of(name), unknown, with_flags)


def labels(tables: Sequence[Table], naming: Naming, keep: Collection[str] = ()) -> Labels:
    """Names columns, ids, speakers and values of tables that were read.

    Args:
      tables: as they were read, one or more.
      naming: what the user says of them.
      keep: names by which the user calls columns of the tables, whatever they are.

    Raises:
      FileNotFoundError, ValueError: a column that the user names is not there, no speaker can be
        found by `speaker_from`, or the table of speakers does not fit.
    """
    named = [_named(table, naming, keep) for table in tables]
    read = unified(named, naming)
    if not read.absent:
        return read
    # A cell that is declared to be missing may have been filled by the table of speakers.
    original = {name: {n.original.get(name, name) for n in named} for name in naming.values}
    sources = [*tables, *([read_table(naming.speakers)] if naming.speakers else [])]
    absent = dict(read.absent)
    for name, declared in naming.values.items():
        source_cells = [
            cell
            for table in sources
            for column, cells in table.cells.items()
            if column in original[name] or _letters(column) in SYNONYMS.get(name, ())
            for cell in cells
        ]
        gone = not_there(name, source_cells, declared)
        for word, meaning in declared.items():
            if word not in gone:
                absent.pop(_declaration(name, word, meaning), None)
    return replace(read, absent=absent)


def check_values_there(read: Sequence[Labels]) -> None:
    """Makes sure that what is declared of values is declared of some that are there.

    Args:
      read: labels under one `Naming`; it is enough if a value is in one of them.

    Raises:
      ValueError: a value is in none of them; the message lists those that are there.
    """
    for declaration, sentence in read[0].absent.items():
        if all(declaration in labels_.absent for labels_ in read):
            path = read[0].tables[0].path
            raise ValueError(f"--values={pasted(declaration)}: {path}: {sentence}")


def _declaration(name: str, word: str, meaning: str) -> str:
    return f"{name}:{word}={meaning}"


def unified(tables: Sequence[Table], naming: Naming = _NOTHING) -> Labels:
    """Gives one spelling to the values of tables whose columns have this project's names.

    Raises:
      ValueError: `naming` says of a column what its values mean, and there is no such column, or
        the meaning is no word of a closed vocabulary.
    """
    columns = dict.fromkeys(name for table in tables for name in table.cells)
    for name in naming.values:
        if name not in columns:
            raise ValueError(
                f"--values={name}:…: {tables[0].path} has no column {name!r}. It has: "
                f"{', '.join(columns)}{nearest(name, columns)}"
            )
    cells, unknown, absent = {}, {}, {}
    notes = [note for table in tables for note in table.notes]
    for name in columns:
        joint = [cell for table in tables for cell in table.cells.get(name, [""] * len(table))]
        declared = naming.values.get(name, {})
        check_declared(name, kind_of(name), declared)
        of_column = unify(name, kind_of(name), joint, declared)
        for word, sentence in not_there(name, joint, declared).items():
            absent[_declaration(name, word, declared[word])] = sentence
        cells[name] = of_column.cells
        notes += of_column.notes
        if _letters(name) in AGE:
            notes += _on_ages(name, of_column.cells, tables)
        if of_column.unknown:
            unknown[name] = of_column.unknown
    return Labels(tuple(tables), cells, tuple(dict.fromkeys(notes)), unknown, absent)


def _on_ages(name: str, cells: Sequence[str], tables: Sequence[Table]) -> list[str]:
    """Notes on ages that may be codes for a missing one, and on ages with a comma or a unit."""
    odd = implausible_ages(cells)
    low, high = AGES
    place_of = [table.place(row) for table in tables for row in range(len(table))] if odd else []
    codes = [f"{shown(c)} ({place_of[rows[0]]}; {len(rows):,})" for c, rows in odd.items()]
    notes = []
    if codes:
        flag = pasted(",".join(f"{name}:{cell}=" for cell in [*odd][:_CODES]))
        notes.append(
            f"{name}: {first(codes)} {'is' if len(codes) == 1 else 'are'} outside {low} to {high} "
            f"years and counted as ages; where that says that the age is missing: --values={flag}."
        )
    words = [cell for cell in cells if cell and number_of(cell) is None]
    if words and loose_numbers(cells) is not None:
        notes.append(
            f"{name}: {shown(words[0])} ({len(words):,} such cells) might be a number, but is read "
            "as a word; write numbers alone and with a point, as 45 or 19.5."
        )
    return notes


def _named(table: Table, naming: Naming, keep: Collection[str]) -> Table:
    table = _with_ids(_renamed(_with_ratings(table, naming, keep), naming, keep))
    if naming.speaker_from:
        table = _with_speakers(table, naming.speaker_from)
    return table if naming.speakers is None else _with_facts(table, naming)


def _with_ratings(table: Table, naming: Naming, keep: Collection[str]) -> Table:
    """The table with a column for each rating where one column holds several, as V/A/D does."""
    cells: dict[str, list[str]] = {}
    notes = list(table.notes)
    used = {*keep, *naming.columns, *naming.columns.values()}
    for name, column in table.cells.items():
        parts = {} if name in used else divided(name, column)
        if not parts or {*parts} & {*table.cells, *cells}:
            cells[name] = column
            continue
        cells |= parts
        notes.append(f"{table.path}: {name} was divided into {', '.join(parts)}.")
    return replace(table, cells=cells, notes=tuple(notes))


def kind_of(name: str) -> str:
    """The kind of `values` of a column, by our name for it or by what others call it."""
    if name in KINDS:
        return KINDS[name]
    letters = _letters(name)
    ours = next((o for o in ("gender", "speaker", "emotion") if letters in SYNONYMS[o]), "")
    return KINDS.get(ours, CLASS)


def our_name(name: str) -> str:
    """What a column of this name is called here; "" of an unknown one.

    >>> our_name("Arousal"), our_name("weather")
    ('activation', '')
    """
    letters = _letters(name)
    return next((ours for ours, theirs in SYNONYMS.items() if letters in theirs), "")


def _letters(name: str) -> str:
    """Letters and digits of a name; Valence (1-5) and Valence (V) are called valence."""
    return "".join(c for c in _SCALE.sub("", plain(name)).casefold() if c.isalnum())


def names_of(table: Table, naming: Naming, keep: Collection[str] = ()) -> dict[str, str]:
    """{our name: name in the table} of the columns that are known, those of `naming` first.

    Raises:
      ValueError: the table has no column that `naming` names.
    """
    left_out = {ours for ours, theirs in naming.columns.items() if not theirs}
    names = {ours: theirs for ours, theirs in naming.columns.items() if theirs}
    stay = {*keep} & {*table.cells}
    for ours, theirs in naming.columns.items():
        if theirs and theirs not in table.cells:
            raise ValueError(
                f"--columns={ours}={theirs}: {table.path} has no column {theirs!r}. It has: "
                f"{', '.join(table.cells)}{nearest(theirs, table.cells)}"
            )
    taken = {*names.values()} | stay
    for name in sorted({*keep} - stay - {*names, *left_out}):
        alike = (t for t in table.cells if t not in taken and _letters(t) in _also_called(name))
        theirs_alike = next(alike, None)
        if name not in SYNONYMS and theirs_alike:
            names[name] = theirs_alike
            taken.add(theirs_alike)
    exact = {o for o in SYNONYMS if o in table.cells and o not in taken | {*names}}
    taken |= exact
    for ours, synonyms in SYNONYMS.items():
        if ours in {*names, *left_out, *stay, *exact}:
            continue
        rank_of = {}
        free = {*table.cells} - taken
        if ours == "audio":  # a path may be the id, too
            free |= {names.get(ID, "")}
        for theirs in table.cells:
            if theirs in free and _letters(theirs) in synonyms:
                rank_of[theirs] = synonyms.index(_letters(theirs))
        for theirs in sorted(rank_of, key=rank_of.__getitem__):
            if _is_fit(ours, table.cells[theirs]):
                names[ours] = theirs
                taken.add(theirs)
                break
    free_cells = {name: cells for name, cells in table.cells.items() if name not in stay}
    for ours, theirs in abbreviated(free_cells).items():
        if ours not in {*names, *left_out, *stay, *exact} and theirs not in taken:
            names[ours] = theirs
            taken.add(theirs)
    return names


def _also_called(name: str) -> set[str]:
    """Letters of other names for what the user calls `name`."""
    letters = _letters(name)
    same = (synonyms for synonyms in SYNONYMS.values() if letters in synonyms)
    return {letters, *next(same, ())}


def _is_fit(ours: str, cells: Sequence[str]) -> bool:
    """Whether a column that may be called `ours` by its name may be it by its content."""
    if ours == ID:  # numbers count the utterances of a dialogue
        is_number = all(map(str.isdecimal, cells))
        return not is_number and len(set(cells)) == len(cells) and not any(" " in c for c in cells)
    if ours == "audio":
        return any(cell for cell in cells)
    return True


def _renamed(table: Table, naming: Naming, keep: Collection[str]) -> Table:
    names = names_of(table, naming, keep)
    ours_of: dict[str, list[str]] = {}
    for ours, theirs in names.items():
        ours_of.setdefault(theirs, []).append(ours)
    left_out = [ours for ours, theirs in naming.columns.items() if not theirs]
    for name in left_out:
        by_synonym = (n for n in table.cells if _letters(n) in SYNONYMS.get(name, ()))
        if name not in table.cells and next(by_synonym, None) is None:
            raise ValueError(
                f"--columns={name}=: {table.path} has no such column to leave out. It has: "
                f"{', '.join(table.cells)}{nearest(name, table.cells)}"
            )
    cells: dict[str, list[str]] = {}
    for name, column in table.cells.items():
        is_named = name in ours_of
        if not is_named and (name in left_out or (name in names and name not in keep)):
            continue  # of this name there is another column now
        if not is_named and any(_letters(name) in SYNONYMS.get(o, ()) for o in left_out):
            continue
        cells |= dict.fromkeys(ours_of.get(name, [name]), column)
    original = {ours: theirs for ours, theirs in names.items() if ours != theirs}
    notes = list(table.notes)
    guessed = [f"{o} is {t}" for o, t in original.items() if o not in naming.columns]
    if guessed:
        notes.append(f"{table.path}: of its columns, {', '.join(guessed)}.")
    header = tuple(table.cells)
    return replace(table, cells=cells, notes=tuple(notes), original=original, header=header)


def _with_ids(table: Table) -> Table:
    """The table with slashes in its paths, and with paths for ids where there are none."""
    if "audio" not in table.cells:
        return table
    notes = list(table.notes)
    audio = table.cells["audio"]
    turned = [path.replace("\\", "/") if "\\" in path else path for path in audio]
    changed = sum(a != b for a, b in zip(audio, turned))
    # On this system a name may hold a backslash; then it is no path of another one.
    if changed and not any(Path(table.path.parent, path).exists() for path in audio[:_NAMED]):
        notes.append(f"{table.path}: {changed:,} paths with backslashes were read as with slashes.")
        audio = turned
    cells = {**table.cells, "audio": audio}
    if ID not in cells:
        starts = table.cells.get("start", [""] * len(audio))
        ids = [f"{path}:{start}" if path and start else path for path, start in zip(audio, starts)]
        if len(set(ids) - {""}) == len(ids):
            cells = {ID: ids, **cells}
    return replace(table, cells=cells, notes=tuple(notes))


def _with_speakers(table: Table, pattern: str) -> Table:
    """The table with the speakers that a regular expression finds in the paths, or ids."""
    source = next((name for name in ("audio", ID) if name in table.cells), None)
    flag = f"--speaker_from={pattern}"
    if source is None:
        raise ValueError(f"{flag}: {table.path} has no column of paths and no id to find it in")
    speakers, failed = [], []
    for text in table.cells[source]:
        match = re.search(pattern, text)
        speaker = match and (match[1] if match.re.groups else match[0])
        speakers.append(speaker or "")
        if text and not speaker:
            failed.append(text)
    if failed:
        raise ValueError(
            f"{flag}: no speaker in {len(failed):,} of {len(speakers):,} cells of {source}: "
            f"{first([shown(text) for text in failed], most=3)}"
        )
    counted = f"{len(set(speakers) - {''}):,} speakers were found in {source} by {flag}."
    cells = {**table.cells, SPEAKER: speakers}
    return replace(table, cells=cells, notes=(*table.notes, counted))


def _with_facts(table: Table, naming: Naming) -> Table:
    """The table with the columns of the table of speakers, joined by speaker."""
    facts = read_table(str(naming.speakers))
    names = names_of(facts, Naming())
    key = names.get(SPEAKER) or (SPEAKER if SPEAKER in facts.cells else None)
    key = key or next((name for name in facts.cells if _letters(name) == ID), None)
    if key is None:
        raise ValueError(
            f"--speakers={naming.speakers}: no column says of whom a row is; call it speaker. Its "
            f"columns are {', '.join(facts.cells)}"
        )
    if SPEAKER not in table.cells:
        raise ValueError(
            f"--speakers={naming.speakers}: {table.path} has no column speaker to join it by. Its "
            f"columns are {', '.join(table.cells)}"
        )
    ours_of = {theirs: ours for ours, theirs in names.items() if ours in ("gender", "session")}
    speakers = unify(SPEAKER, SPEAKER, table.cells[SPEAKER]).cells
    row_of: dict[str, int] = {}
    others = [name for name in facts.cells if name != key]
    for row, speaker in enumerate(unify(key, SPEAKER, facts.cells[key]).cells):
        before = row_of.setdefault(speaker, row)
        differ = [n for n in others if facts.cells[n][before] != facts.cells[n][row]]
        if speaker and differ:
            raise ValueError(
                f"{facts.place(row)}: speaker {shown(speaker)} has another {first(differ)} than in "
                f"{facts.place(before)}; a speaker has one row"
            )
    row_of.pop("", None)
    known = paired(set(speakers) - {""}, row_of)
    absent = sorted(set(speakers) - {"", *known.pairs})
    if not known.pairs:
        raise ValueError(
            f"--speakers={naming.speakers}: column {key} holds none of the speakers of "
            f"{table.path}, {first(sorted(set(speakers)))}; it has {first([*row_of])}"
        )
    notes = [
        f"{facts.path}: {', '.join(ours_of.get(n, n) for n in others)} of "
        f"{len(known.pairs):,} speakers were joined to {table.path}."
    ]
    if known.changed:
        notes.append(
            f"{known.changed:,} of {len(known.pairs):,} speakers are written in two ways in "
            f"{table.path} and {facts.path}, which differ in {known.differ}; they were joined."
        )
    if absent:
        notes.append(f"{len(absent):,} speakers have no row in {facts.path}: {first(absent)}.")
    rows = [row_of.get(known.pairs.get(speaker, ""), -1) for speaker in speakers]
    cells = dict(table.cells)
    for name in others:
        ours = ours_of.get(name, name)
        joined = ["" if row < 0 else facts.cells[name][row] for row in rows]
        cells[ours] = _agreed(cells.get(ours), joined, ours, table, facts, naming)
    return replace(table, cells=cells, notes=(*table.notes, *facts.notes, *notes))


def _agreed(
    stated: list[str] | None,
    joined: list[str],
    name: str,
    table: Table,
    facts: Table,
    naming: Naming,
) -> list[str]:
    """A column of the table, its empty cells filled from that of the speakers."""
    if stated is None:
        return joined
    both = unify(name, kind_of(name), [*stated, *joined], naming.values.get(name)).cells
    pairs = [*zip(both[: len(stated)], both[len(stated) :])]
    wrong = [i for i, (a, b) in enumerate(pairs) if a and b and key_of(a) != key_of(b)]
    if wrong:
        i = wrong[0]
        raise ValueError(
            f"{table.place(i)}: {name} is {shown(stated[i])} there and {shown(joined[i])} of the "
            f"same speaker in {facts.path}, so in {len(wrong):,} rows; correct one, or leave it "
            f"out: --columns={name}="
        )
    return [s if a else j for s, j, (a, _) in zip(stated, joined, pairs)]


def proposal(
    table: Table, needed: Sequence[str] = (SPEAKER,), also: Collection[str] = (ID,)
) -> str:
    """The flag by which the table is believed to be read, ready to paste; "" without an idea.

    Args:
      table: of `labels`.
      needed: our names of columns that are missing, to be guessed by spelling and content.
      also: our names of others that the flag holds where they can be guessed.
    """
    names = dict(table.original)
    free = [name for name in table.cells if name not in SYNONYMS or name == ID]
    if ID in table.original or "audio" in table.original:
        free = [name for name in free if name != ID]
    for ours in dict.fromkeys([*needed, *also]):
        guess = next(filter(None, (_guess(ours, name, table) for name in free)), None)
        if guess and ours not in {*table.cells} - {*names.values()}:
            names[ours] = guess
            free.remove(guess)
    if not {*needed} & {*names}:
        return ""
    order = [*SYNONYMS]
    pairs = sorted(names.items(), key=lambda pair: order.index(pair[0]) if pair[0] in order else 99)
    return f"--columns={pasted(','.join(f'{ours}={theirs}' for ours, theirs in pairs))}"


def _guess(ours: str, name: str, table: Table) -> str:
    """`name` if that column may be `ours`, else ""."""
    cells = [cell for cell in table.cells[name][:_NAMED] if cell]
    letters = _letters(name)
    if ours == ID:
        every = table.cells[name]
        return name if letters in SYNONYMS[ID] and len({*every} - {""}) == len(every) else ""
    if ours == EMOTION:
        are_emotions = bool(cells) and all(emotion_of(cell.casefold()) for cell in cells)
        return name if "emo" in letters or are_emotions else ""
    if ours == SPEAKER:
        repeats = len(set(cells)) < len(cells) or len(cells) < 2
        is_likely = letters == ID or bool(_PEOPLE.search(letters))
        return name if is_likely and repeats else ""
    if ours == "audio":
        return name if cells and all(c.lower().endswith(_SOUNDS) for c in cells) else ""
    if ours == GENDER:
        is_likely = bool(cells) and all(
            like(c, ("female", "male"), GENDER) in GENDERS for c in cells
        )
        return name if is_likely else ""
    if ours == SPLIT:
        return name if cells and all(c.lower() in SPLITS for c in cells) else ""
    return ""


def no_speaker(
    table: Table, also: Collection[str] = (), columns: Mapping[str, str] = _NONE
) -> ValueError:
    """The error for a table in which no column says who speaks.

    Args:
      table: of `labels`.
      also: our names of columns that are needed besides, as in `proposal`.
      columns: {our name: name in the table} that the user gave.
    """
    for ours, theirs in columns.items():
        if theirs and ours not in {*SYNONYMS, *also} and nearest(ours, SYNONYMS):
            return ValueError(
                f"--columns={ours}={theirs}: {ours} is no name that privrep reads"
                f"{nearest(ours, SYNONYMS)}, and there is no column speaker"
            )
    guess = proposal(table, also=(ID, *also))
    looks = next((n for n in table.cells if n.lower().endswith(_SOUNDS)), None)
    if looks is not None:
        return ValueError(
            f"{table.path}:1: no header: its first line, {shown(looks)}, is a row. A table needs a "
            "line that names its columns, such as file,speaker,gender,emotion"
        )
    advice = (
        f"believed right: {guess}"
        if guess
        else "name it, --columns=speaker=COLUMN, or take it "
        "from the path, --speaker_from=REGEX, such as '([^/]+)/[^/]+$' for its folder"
    )
    return ValueError(
        f"{table.path}:1: no column speaker in the header; its columns are "
        f"{first([name[:_CUT] for name in table.header], most=30)}. The speakers are the sample: "
        f"without them nothing can be judged; {advice}"
    )


def pieces(text: str) -> list[tuple[str, str]]:
    """[(part, path)] of a comma list of tables, such as train=a.csv,b.csv; of any other text one.

    >>> pieces("train=a.csv, b.csv"), pieces("a, b and c")
    ([('train', 'a.csv'), ('', 'b.csv')], [('', 'a, b and c')])
    """
    named = [piece.strip().partition("=") for piece in text.split(",")]
    pairs = [(part, path) if mark else ("", part) for part, mark, path in named]
    if len(pairs) < 2 or not all(path.lower().endswith(TABLES) for _, path in pairs):
        return [("", text)]
    return pairs


def several(text: str | Path) -> list[tuple[str, Path]]:
    """[(part, file)] of a file, or of a comma list of files that are the parts of a split.

    A part is named before the file, train=a.csv, or by a word in the file's name.

    Raises:
      ValueError: of several files one names no part.
    """
    pairs = pieces(str(text))
    if len(pairs) == 1 or Path(text).exists():
        return [("", Path(text))]
    tables = []
    for named, path in pairs:
        words = re.split(r"[^a-z0-9]+", Path(path).stem.lower())
        part = named.lower() or next((w for w in reversed(words) if w in SPLITS), "")
        if part not in SPLITS:
            raise ValueError(
                f"{path}: which part of the split is it? Several tables are its parts: name them, "
                "train=FIRST.csv,val=SECOND.csv,test=THIRD.csv"
            )
        tables.append((SPLITS[part], Path(path)))
    return tables


def existing(folder: Path, path: str) -> Path:
    """folder/path, in the composed or decomposed letters in which the file is there."""
    whole = folder / path
    if path.isascii() or whole.exists():
        return whole
    forms = (folder / unicodedata.normalize(form, path) for form in ("NFC", "NFD"))
    return next((form for form in forms if form.exists()), whole)
