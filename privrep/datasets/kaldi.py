"""Reader of a Kaldi data directory: any corpus, described by lists of `key value` lines.

    wav.scp     recording  path of its audio
    segments    utterance  recording  start  end     (else each recording is an utterance)
    utt2spk     utterance  speaker                   (or spk2utt)
    text        utterance  words
    spk2gender  speaker    f or m

Every other utt2* and spk2* file is a column of the same name, as in a manifest (utt2emo is emotion,
utt2ses session, utt2split the official part). Relative paths are looked for from the working
directory, as Kaldi does, from the directory itself, and from the one above. Nothing is run: audio
that a command writes to a pipe, and audio in archives (.ark), are refused by name. A folder of such
directories that are named train, dev and test is read as one corpus with an official split.
"""

import re
import warnings
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from privrep.datasets.manifest import TableRows, utterances_of
from privrep.datasets.parsing import PARTS, locate, not_found
from privrep.formats.text_files import read_lines
from privrep.messages import first, misread
from privrep.types import Utterance

OBTAIN = (
    "A Kaldi data directory has wav.scp, utt2spk and, besides, labels such as utt2emo and "
    "spk2gender, one 'key value' a line"
)
SPEAKERS = ["utt2spk", "spk2utt"]
COLUMNS = {  # by what follows utt2 or spk2; any other names itself
    "emo": "emotion",
    "ses": "session",
    "sess": "session",
    "sex": "gender",
    "arousal": "activation",
    "val": "valence",
    "dom": "dominance",
    "subset": "split",
}
# What Kaldi writes about lengths and copies, and the lists that are read by themselves.
NO_LABELS = {"utt2dur", "utt2num_frames", "utt2max_frames", "utt2uniq", "reco2dur", *SPEAKERS}
_Cells = dict[str, tuple[str, str]]  # {key: ("path:number", value)}


def read(root: Path) -> list[Utterance]:
    """Reads the data directory `root`, or the one below or above it.

    Categories and private attributes are the columns that are no ratings, as of a manifest.

    Raises:
      FileNotFoundError: no utt2spk or spk2utt there.
      ValueError: a line does not parse, names a key twice or audio in a pipe or archive, or no
        label is there.
    """
    root = Path(root)
    parts = [path for path in sorted(root.glob("*/")) if path.name.capitalize() in PARTS]
    parts = [path for path in parts if _is_directory(path)]
    if parts and not _is_directory(root):
        folders = {path: path.name for path in parts}
        warnings.warn(
            f"{root}: read the directories {', '.join(folders.values())} as the parts of an "
            "official split",
            stacklevel=2,
        )
    else:
        root = locate(root, _is_directory)
        if not _is_directory(root):
            raise not_found("a Kaldi directory", root, ["wav.scp with utt2spk"], OBTAIN)
        folders = {root: ""}
    rows = [row for folder, part in folders.items() for row in _rows(folder, part)]
    names = dict.fromkeys(name for _, row in rows for name in row)
    return utterances_of(
        [(place, {name: row.get(name, "") for name in names}) for place, row in rows], root
    )


def _is_directory(folder: Path) -> bool:
    return any((folder / name).is_file() for name in SPEAKERS)


def _rows(folder: Path, part: str) -> TableRows:
    speakers = _speakers(folder)
    audio = _audio(folder)
    segments = _read(folder / "segments")
    utterances = segments or audio or speakers
    columns = {
        "speaker": speakers,
        **_columns(folder, {utterance: speaker for utterance, (_, speaker) in speakers.items()}),
    }
    if (folder / "text").is_file():
        columns["transcript"] = _read(folder / "text")
    _warn_of_others(folder, columns, utterances)
    rows = []
    for utterance, (place, value) in utterances.items():
        row = {"id": utterance, "speaker": ""} | ({"split": part} if part else {})
        if segments:
            row |= _segment(value, place, audio)
        elif audio:
            row["audio"] = value
        row |= {
            name: cells[utterance][1] if utterance in cells else ""
            for name, cells in columns.items()
        }
        rows.append((place, row))
    return rows


def _read(path: Path) -> _Cells:
    """The values of a list, by their keys; {} where there is no such file."""
    cells: _Cells = {}
    for place, line in read_lines(path) if path.is_file() else ():
        key, *rest = line.split(maxsplit=1)
        if not key:
            continue
        if key in cells:
            raise ValueError(f"{place}: {key} is described twice, first in {cells[key][0]}")
        cells[key] = (place, rest[0].strip() if rest else "")
    return cells


def _speakers(folder: Path) -> _Cells:
    if (folder / SPEAKERS[0]).is_file():
        return _read(folder / SPEAKERS[0])
    return {
        utterance: (place, speaker)
        for speaker, (place, utterances) in _read(folder / SPEAKERS[1]).items()
        for utterance in utterances.split()
    }


def _columns(folder: Path, speaker_of: Mapping[str, str]) -> dict[str, _Cells]:
    """{column: values of the utterances} of all utt2* and spk2* files that hold labels."""
    columns: dict[str, _Cells] = {}
    left_out = []
    for path in sorted([*folder.glob("spk2*"), *folder.glob("utt2*")]):
        kind, name = path.name[:3], path.name[4:]
        if path.name in NO_LABELS or not path.is_file():
            left_out += [path.name] * (path.name not in SPEAKERS)
            continue
        column, cells = COLUMNS.get(name, name), _read(path)
        if kind == "spk":
            unknown = sorted(set(cells) - set(speaker_of.values()))
            if unknown:
                warnings.warn(
                    f"{path}: left out {len(unknown)} speakers of no utterance: {first(unknown)}",
                    stacklevel=5,
                )
            cells = {u: cells[speaker] for u, speaker in speaker_of.items() if speaker in cells}
        for utterance, (place, value) in cells.items():
            known = columns.setdefault(column, {}).setdefault(utterance, (place, value))
            if known[1] != value:
                raise ValueError(
                    f"{utterance}: {column} is {known[1]} in {known[0]} and {value} in {place}"
                )
    if left_out:
        warnings.warn(f"{folder}: {', '.join(left_out)} hold no labels, left out", stacklevel=5)
    return columns


def _warn_of_others(folder: Path, columns: Mapping[str, _Cells], utterances: _Cells) -> None:
    for name, cells in columns.items():
        others = sorted(set(cells) - set(utterances))
        if others:
            warnings.warn(
                f"{folder}: left out the {name} of {len(others):,} utterances that are not in the "
                f"list of utterances: {first(others)}",
                stacklevel=5,
            )


def _audio(folder: Path) -> _Cells:
    """wav.scp with its paths where the files are."""
    cells, bases = _read(folder / "wav.scp"), Counter[Path]()
    places = dict.fromkeys((Path.cwd(), folder.absolute(), folder.absolute().parent))
    resolved = {}
    for key, (place, text) in cells.items():
        path = Path(_checked(text, place))
        if not path.is_absolute():
            base = next((base for base in places if (base / path).exists()), None)
            # Of a file that is nowhere: where the others are.
            base = base or max(bases, key=bases.__getitem__, default=folder.absolute())
            bases[base] += 1
            path = base / path
        resolved[key] = (place, str(path))
    if bases:
        counts = " and ".join(f"{count:,} below {base}" for base, count in bases.most_common())
        warnings.warn(f"{folder / 'wav.scp'}: its relative paths lie {counts}", stacklevel=5)
    return resolved


def _checked(text: str, place: str) -> str:
    if text.endswith("|") or text.startswith("|"):
        raise ValueError(
            f"{place}: {text!r} is a command that writes to a pipe, which is never run here: write "
            "the audio to files and name these (in Kaldi, wav-copy scp:wav.scp scp:new.scp)"
        )
    if re.search(r"\.ark(:\d+)?$", text):
        raise ValueError(
            f"{place}: {text!r} lies in an archive of audio: write it to .wav files and name these"
        )
    if not text or text == "-":
        raise misread(place, text, "'recording path'")
    return text


def _segment(value: str, place: str, audio: _Cells) -> dict[str, str]:
    cells = value.split()
    if len(cells) != 3:
        raise misread(place, value, "'utterance recording start end'")
    recording, start, end = cells
    if audio and recording not in audio:
        raise ValueError(f"{place}: the recording {recording} is not in wav.scp")
    end = "" if end.startswith("-") else end  # -1: to the end of the recording
    row = {"start": start, "end": end}
    return row | ({"audio": audio[recording][1]} if audio else {})
