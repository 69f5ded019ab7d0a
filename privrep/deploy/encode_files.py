"""Implementation of `privrep encode` and `privrep enrol`: files of one person in, a file out."""

import contextlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from privrep.deploy.description import FRAMES, STATE
from privrep.deploy.encoder import Encoded, Encoder, load
from privrep.deploy.outputs import Output, check_output, check_writable, is_encoded
from privrep.deploy.person_file import Person, read_person, write_person
from privrep.deploy.recordings import MissingInput, Recordings, UnusableRecordings
from privrep.files import replace_arrays
from privrep.formats.ids import matched, without_ending
from privrep.formats.sequences import files_of, is_by_file, open_sequences, sources_of
from privrep.formats.tables import read_table
from privrep.formats.vectors import array_names
from privrep.inputs.audio import UnusableUtterance
from privrep.inputs.ready_features import open_ready, read_features
from privrep.messages import first

Say = Callable[[str], None]
_FLAG = {  # of the arguments of `Recordings`
    "audio": "their names behind that of the model",
    "transcripts": "--transcripts=FILE",
    "frames": "--acoustic_features=SOURCE",
    "words": "--lexical_features=SOURCE",
}


@dataclass(frozen=True)
class RecordingFiles:
    """The files that a command names; None and () where there are none.

    Attributes:
      audio: audio files, whose names without the ending are the ids.
      transcripts: a table with the columns id and transcript.
      acoustic_features, lexical_features: sources of ready features, see `formats.sequences`.
      word_vectors: the file that the model was trained with.
      unusable: "stop" or "drop".
    """

    audio: tuple[str, ...] = ()
    transcripts: str | None = None
    acoustic_features: str | None = None
    lexical_features: str | None = None
    word_vectors: str | None = None
    unusable: str = "stop"


def encode_files(
    model: Path,
    recordings: RecordingFiles,
    output: Path,
    person_file: Path | None,
    is_update: bool,
    say: Say,
) -> None:
    """Encodes files of one person to `output`, an .npz of h, id, emotion and probabilities.

    Args:
      person_file: of the person, where the model needs one.
      is_update: whether the person file then takes the utterances in, for the next ones.

    Raises:
      ValueError, FileNotFoundError: see `encoder.load` and `Encoder.encode`; then neither file was
        written.
    """
    flag = f"--output={output}"
    if output.suffix != ".npz":
        raise ValueError(f"{flag}: a name that ends in .npz expected")
    _check_apart(flag, output, model)
    check_output(Output(flag, output, is_encoded), _read_by(recordings, person_file))
    if is_update and person_file is None:
        raise ValueError("--update: of which person? Name the file by --person")
    if is_update and person_file is not None:
        check_writable(f"--person={person_file}", person_file)
    encoder = load(model)
    person = None if person_file is None else read_person(person_file)
    if person is not None and not encoder.needs:
        say(f"{model} needs no statistics of a person: --person has no effect")
    for note in _small_state(encoder, person):
        say(note)
    if encoder.description.running and not is_update:
        say("the model was measured with a state that goes on with every utterance: use --update")
    inputs = _read(recordings)
    with _advice_of_flags():
        encoded = encoder.encode(inputs, person=person, progress=True)
    for note in encoded.notes:
        say(note)
    # Before anything is written: what fails here leaves both files as they were.
    updated = encoder.enrol(inputs, person=person) if is_update and encoder.needs else None
    output.parent.mkdir(parents=True, exist_ok=True)
    replace_arrays(output, _arrays(encoder, encoded))
    if updated is not None and person_file is not None:
        write_person(person_file, updated)
    say(f"{_summary(encoded)}: {output}")


def _check_apart(flag: str, path: Path, model: Path) -> None:
    """Refuses a file in the model folder, which is passed on as a whole."""
    if model.resolve() in path.resolve().parents:
        raise ValueError(f"{flag}: it lies in the model folder; choose another place")


def _read_by(recordings: RecordingFiles, person_file: Path | None = None) -> list[Path]:
    """The files that a command names as inputs."""
    sources = (recordings.acoustic_features, recordings.lexical_features)
    joined = [part for source in sources if source is not None for part in sources_of(source)]
    named = [*recordings.audio, recordings.transcripts, recordings.word_vectors, person_file]
    return [Path(name) for name in (*named, *joined) if name is not None]


def enrol_files(
    model: Path, recordings: RecordingFiles, person_file: Path, is_update: bool, say: Say
) -> None:
    """Enrols a person from files of this person; writes a person file.

    Args:
      is_update: whether the file is there and takes the utterances in.

    Raises:
      ValueError, FileNotFoundError: see `encoder.load` and `Encoder.enrol`, or the person file is
        there already; then nothing was written.
    """
    flag = f"--person={person_file}"
    if person_file.suffix != ".npz":
        raise ValueError(f"{flag}: a name that ends in .npz expected")
    _check_apart(flag, person_file, model)
    check_output(Output(flag, person_file, lambda _: True), _read_by(recordings))
    if person_file.exists() and not is_update:
        raise ValueError(
            f"{person_file} is there already: add the recordings to it with --update, or name "
            "another file"
        )
    encoder = load(model)
    before = read_person(person_file) if is_update else None
    inputs = _read(recordings)
    with _advice_of_flags():
        person = encoder.enrol(inputs, person=before, progress=True)
    person_file.parent.mkdir(parents=True, exist_ok=True)
    write_person(person_file, person)
    for note in _small_state(encoder, person):
        say(note)
    if FRAMES in encoder.needs:
        say(
            "the model's verdict was measured with units of all utterances of a person; those of "
            "few are others"
        )
    say(f"{person.utterances:,} recordings are enrolled: {person_file}")
    say("It says how this person sounds: keep it on the device.")


@contextlib.contextmanager
def _advice_of_flags() -> Iterator[None]:
    """Names the flag where the library advises an argument."""
    try:
        yield
    except UnusableRecordings as error:
        remedy = "\nRepair them, or leave them out with --unusable=drop." * error.can_drop
        raise ValueError(error.what + remedy) from None
    except MissingInput as error:
        raise ValueError(f"{error}, by {_FLAG[error.name]}") from None


def _small_state(encoder: Encoder, person: Person | None) -> list[str]:
    """A sentence where the state is of fewer utterances than those of the measurement."""
    if person is None or STATE not in encoder.needs or person.state is None:
        return []
    rows = int(person.state[0])
    measured = encoder.description.training.get("settings", {}).get("enrolment", 0)
    if not isinstance(measured, int) or rows >= measured:
        return []
    return [
        f"{rows} utterances are enrolled, and the model's verdict was measured with {measured}: it "
        "may reveal more with fewer"
    ]


def _summary(encoded: Encoded) -> str:
    count = f"{len(encoded.ids):,} recordings"
    if not encoded.classes:
        return f"{count}, ratings {encoded.emotion.min():.2f} to {encoded.emotion.max():.2f}"
    counts = Counter(encoded.emotion.tolist())
    return f"{count}, " + ", ".join(f"{name} {counts[name]:,}" for name in encoded.classes)


def _arrays(encoder: Encoder, encoded: Encoded) -> dict[str, np.ndarray]:
    arrays = {
        "h": encoded.h,
        "id": np.array(encoded.ids),
        "emotion": encoded.emotion,
        "model": np.array(encoder.model.identity),
    }
    if encoded.probabilities is not None:
        arrays["probabilities"] = encoded.probabilities
        arrays["classes"] = np.array(encoded.classes)
    return arrays


def _read(files: RecordingFiles) -> Recordings:
    """The recordings that these files are.

    Raises:
      ValueError, FileNotFoundError: nothing is named, a file cannot be read, or has nothing of an
        utterance.
    """
    texts = _transcripts(files.transcripts)
    ids = _ids(files, texts)
    return Recordings(
        [*files.audio] or None,
        ids=ids,
        transcripts=None if texts is None else _of_ids(texts, ids, files.transcripts),
        frames=_features(files.acoustic_features, ids),
        words=_features(files.lexical_features, ids),
        unusable=files.unusable,
        word_vectors=files.word_vectors,
    )


def _ids(recordings: RecordingFiles, texts: dict[str, str] | None) -> list[str]:
    """The utterances: audio files, else rows of the transcripts, else arrays of ready features."""
    if recordings.audio:
        return [Path(path).stem for path in recordings.audio]
    if texts is not None:
        return [*texts]
    for source in (recordings.acoustic_features, recordings.lexical_features):
        if source is not None:
            return _names_in(source)
    raise ValueError("name what is to be encoded: audio files, --transcripts or ready features")


def _transcripts(table: str | None) -> dict[str, str] | None:
    """{id: transcript}."""
    if table is None:
        return None
    cells = read_table(table, ("id", "transcript")).cells
    texts: dict[str, str] = {}
    for id_, text in zip(map(without_ending, cells["id"]), cells["transcript"]):
        if id_ in texts:
            raise ValueError(f"{table}: two rows have the id {id_}")
        texts[id_] = text
    return texts


def _of_ids(texts: dict[str, str], ids: Sequence[str], table: str | None) -> list[str]:
    name_of = {id_: name for name, id_ in matched(ids, texts, str(table)).items()}
    missing = [id_ for id_ in ids if id_ not in name_of]
    if missing:
        raise ValueError(f"{table} has no transcript of {first(missing)}")
    return [texts[name_of[id_]] for id_ in ids]


def _features(source: str | None, ids: Sequence[str]) -> list[np.ndarray] | None:
    if source is None:
        return None
    opened, faults = open_ready(source, ids), []
    arrays = []
    for id_ in ids:
        try:
            arrays.append(read_features(opened, id_))
        except UnusableUtterance as fault:
            faults.append(str(fault))
    if faults:
        raise ValueError("; ".join(faults[:5]) + f" ({len(faults):,} in all)" * (len(faults) > 5))
    return arrays


def _names_in(source: str) -> list[str]:
    """The names of the arrays in the first source of a text."""
    part = sources_of(source)[0]
    if is_by_file(part):
        names = [path.stem for path in files_of(part)]
    elif Path(part).suffix.lower() == ".npz" and not {"h", "id"} <= {*array_names(Path(part))}:
        names = array_names(Path(part))
    else:
        names = [id_ for id_ in open_sequences(part, None).ids or () if id_ is not None]
    if not names:
        raise ValueError(
            f"{source}: does not say which utterances it is of: name them by --transcripts, a "
            "table with the columns id and transcript, or use a source with ids"
        )
    return names
