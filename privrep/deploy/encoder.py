"""A trained network that is applied to recordings: `privrep.load` a model folder and encode."""

import os
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np
import scipy.linalg  # noqa: F401  # loads the BLAS that jax calls, which is limited below
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from privrep.deploy import network
from privrep.deploy.blocks import SIZES, corpus_of, divided
from privrep.deploy.check_arrays import check_arrays
from privrep.deploy.description import FRAMES, STATE, Description
from privrep.deploy.model_folder import Model, read_model
from privrep.deploy.person_file import Person, read_person
from privrep.deploy.prepared import PreparedRecordings, prepared, recordings_of
from privrep.deploy.recordings import Audio, Recordings
from privrep.inputs.normalisation import moments_of, normalise_by
from privrep.messages import first
from privrep.types import FoldTransform
from privrep.unlearning.person_release import PersonState
from privrep.unlearning.releases import from_arrays
from privrep.unlearning.rows import LEAST as LEAST_OF_MEAN

_NEEDS = {
    FRAMES: "mean and deviation of each feature over the person's frames (--normalise=speaker)",
    STATE: "mean and covariance of the person's h, which the release takes off",
}


@dataclass(frozen=True, eq=False, repr=False)
class Encoded:
    """What a model sends of N utterances, and what it recognises from that.

    Attributes:
      ids: N names.
      h: float32[N, D], as released: what may leave the device.
      emotion: N names of classes, recognised from h; of a regression the ratings, float64[N].
      probabilities: float32[N, C] of the classes; None of a regression.
      classes: C names; () of a regression.
      notes: sentences about what was repaired, left out, unknown or unlike the training data.
    """

    ids: tuple[str, ...]
    h: np.ndarray
    emotion: np.ndarray
    probabilities: np.ndarray | None
    classes: tuple[str, ...]
    notes: tuple[str, ...]

    def __repr__(self) -> str:
        """One line: how much it is."""
        shape = list(self.h.shape)
        return f"Encoded(utterances={len(self.ids)}, h={shape}, classes={self.classes})"


def load(folder: str | Path) -> "Encoder":
    """Loads a model folder, which `python -m experiments.export_model` writes.

    Args:
      folder: it holds model.json. It is read once, and checked against its checksums.

    Returns:
      The model, whose `encode` and `enrol` are functions of their arguments: they keep no corpus
      and no state.

    Raises:
      FileNotFoundError: there is no such folder, or no model in it.
      ValueError: a file of it is missing or not as it was written, it is of another version, or
        its description does not fit its arrays.

    Example: one second of a tone, by a model whose frames are in units of its training part.
      >>> model = load("model")
      >>> wave = np.sin(np.arange(16000) * 2 * np.pi * 440 / 16000)
      >>> result = model.encode(Recordings([wave], sample_rate=16000, ids=["tone"]))
      >>> result.h.shape, result.h.dtype, result.probabilities.shape
      ((1, 8), dtype('float32'), (1, 3))
      >>> result.emotion[0] in model.description.task.classes
      True
    """
    model = read_model(Path(folder))
    check_arrays(model)
    return Encoder(model)


@dataclass(frozen=True, eq=False, repr=False)
class Encoder:
    """A model that was loaded by `load`.

    Attributes:
      model: what its folder holds.
    """

    model: Model

    def __repr__(self) -> str:
        """One line: the folder, and what is sent."""
        task, of = self.description.task, self.description
        return (
            f"Encoder(folder={str(self.model.folder)!r}, task={task.name!r}, "
            f"release={of.release!r}, needs={self.needs})"
        )

    @property
    def description(self) -> Description:
        """What the network is, what it needs, and how its procedure was measured."""
        return self.model.description

    @property
    def needs(self) -> tuple[str, ...]:
        """What it must know of a person: "frames", "state", both or nothing."""
        return self.description.needs

    def encode(
        self,
        recordings: Recordings | Sequence[Audio] | str | os.PathLike,
        *,
        person: Person | str | os.PathLike | None = None,
        progress: bool = False,
    ) -> Encoded:
        """Encodes utterances of one person (of any persons, if the model needs none).

        With a running state every utterance is sent by the state after those before it; the state
        is not kept: `enrol` adds them to `person`.

        Args:
          recordings: N utterances; of a model that reads audio alone the audio files.
          person: statistics of the person, from `enrol`, where the model needs them; or the path
            of a person file.
          progress: whether progress bars are shown.

        Raises:
          ValueError: recordings cannot be used (the message lists them); inputs are missing, are
            not what the network reads, or differ in number; or the model needs statistics of the
            person, and `person` is None, too little, or of another model.
        """
        person = _person(person)
        self.check_person(person)
        return self._sent(self._prepared(recordings, progress), person, progress)

    def enrol(
        self,
        recordings: Recordings | Sequence[Audio] | str | os.PathLike,
        *,
        person: Person | str | os.PathLike | None = None,
        units: Person | str | os.PathLike | None = None,
        progress: bool = False,
    ) -> Person:
        """The statistics of a person, from utterances of this person.

        The arguments are those of `encode`, but for these.

        Args:
          person: statistics that the utterances are added to, or the path of a person file; None
            for a new person.
          units: statistics whose moments of frames are used, and kept, instead of those of these
            utterances: as if they had been enrolled for the frames alone. None: of these.

        Raises:
          ValueError: as `encode`; or the model needs no statistics of a person.
        """
        if not self.needs:
            raise ValueError(
                f"{self.model.folder}: this model needs no statistics of a person: encode without"
            )
        person, units = _person(person), _person(units)
        for before in (person, units):
            if before is not None:
                self._check_model(before)
        return self._enrolled(self._prepared(recordings, progress), person, units, progress)

    def _prepared(
        self, recordings: Recordings | Sequence[Audio] | str | os.PathLike, progress: bool
    ) -> PreparedRecordings:
        given = recordings_of(recordings)
        return prepared(given, self.description, self.model.inputs, progress)

    def _enrolled(
        self,
        inputs: PreparedRecordings,
        person: Person | None,
        units: Person | None,
        progress: bool,
    ) -> Person:
        moments = None if person is None else person.frames
        if units is not None:
            moments = units.frames
        elif FRAMES in self.needs and inputs.frames is not None:
            moments = moments_of(inputs.frames, moments)
        count = len(inputs.ids) + (0 if person is None else person.utterances)
        result = Person(self.model.identity, count, moments)
        if STATE not in self.needs:
            return result
        h = np.concatenate([rows for _, rows in self._blocks(inputs, result, progress)])
        before = None if person is None or person.state is None else PersonState(*person.state)
        state = network.enrolled(h, before)
        num_rows, mean, scatter = map(np.asarray, state)
        return Person(self.model.identity, count, moments, (num_rows, mean, scatter))

    def check_person(self, person: Person | None) -> None:
        """Makes sure that all is known of a person that the model needs.

        Raises:
          ValueError: it is not, or `person` is of another model.
        """
        if not self.needs:
            return
        if person is None:
            needed = "; ".join(_NEEDS[need] for need in self.needs)
            raise ValueError(
                f"{self.model.folder}: this model needs statistics of the person who speaks "
                f"({needed}). Make them from recordings of the person with privrep enrol MODEL "
                "*.wav --person=me.npz, and give them by --person=me.npz. A model that was trained "
                "with --normalise=train and a release without a state needs none"
            )
        self._check_model(person)
        rows = 0 if person.state is None else int(person.state[0])
        least = LEAST_OF_MEAN if self.description.relative else 1
        if STATE in self.needs and rows < least:
            raise ValueError(
                f"the person has {rows} enrolled utterances, and this model needs {least} or more: "
                "enrol further ones"
            )
        if FRAMES in self.needs and person.frames is None:
            raise ValueError("nothing is known of the person's frames: enrol the person anew")

    def _check_model(self, person: Person) -> None:
        if person.model != self.model.identity:
            raise ValueError(
                f"the person was enrolled for another model ({person.model}) than "
                f"{self.model.folder} ({self.model.identity}): enrol the person for this one"
            )

    def _blocks(
        self, inputs: PreparedRecordings, person: Person | None, progress: bool
    ) -> list[tuple[np.ndarray, np.ndarray]]:
        """(rows int[n], h before release float32[n, D]) of blocks, see `blocks.divided`."""
        description = self.description
        net = _network(description)
        of_model = self.model.inputs
        transform = FoldTransform(of_model.get("frame_mean"), of_model.get("frame_scale"))
        inputs = self._in_units(inputs, person)
        bar = tqdm(total=len(inputs.ids), desc="encoding", disable=not progress, delay=2)
        done = []
        with bar:
            for rows, size in divided(inputs.length):
                corpus, longest, index = corpus_of(inputs, rows, size)
                reading = network.Reading(description.precision, longest, network.fill())
                h = network.encoded(net, reading, self.model.params, corpus, transform, index)
                done.append((rows, np.asarray(h)[: len(rows)]))
                bar.update(len(rows))
        return done

    def _in_units(self, inputs: PreparedRecordings, person: Person | None) -> PreparedRecordings:
        """The inputs with frames in the person's units, where the model needs these.

        Raises:
          ValueError: a feature that never varied in what is enrolled does here.
        """
        if FRAMES not in self.needs or inputs.frames is None or person is None:
            return inputs
        assert person.frames is not None  # by `check_person`
        frames = [normalise_by(of, person.frames) for of in inputs.frames]
        wild = [id_ for id_, of in zip(inputs.ids, frames) if not np.isfinite(of).all()]
        if wild:
            infinite = [~np.isfinite(of).all(0) for of in frames]
            features = np.flatnonzero(np.any(infinite, 0))
            raise ValueError(
                f"features {first([str(f) for f in features])} never vary in what is enrolled of "
                f"the person, and do in {first(wild)}: were the enrolled recordings made with "
                "another device, or filtered? Enrol recordings like those to be encoded"
            )
        return inputs._replace(frames=frames)

    def _sent(self, inputs: PreparedRecordings, person: Person | None, progress: bool) -> Encoded:
        description = self.description
        net, learned = _network(description), from_arrays(self.model.release)
        weights = network.Weights(self.model.params, learned)
        sending = network.Sending(description.release, description.relative, description.n0)
        state = None
        if STATE in self.needs and person is not None and person.state is not None:
            state = PersonState(*person.state)
        # Noise that could be drawn again, by whoever tries all seeds, could be taken off.
        entropy = np.frombuffer(secrets.token_bytes(8), np.uint32)
        key = jax.random.wrap_key_data(jax.numpy.asarray(entropy), impl="threefry2x32")
        # The factorisations are small: a BLAS of several threads is slow on busy cores.
        with threadpool_limits(1, "blas"):
            blocks = self._blocks(inputs, person, progress)
            if description.running and state is not None:
                blocks = [_in_order(blocks)]
            results = []
            for number, (rows, h) in enumerate(blocks):
                size = -(-len(rows) // SIZES[-1]) * SIZES[-1]
                padded = np.zeros((size, h.shape[1]), np.float32)
                padded[: len(rows)] = h
                arguments = (net, sending, weights, state, jax.random.fold_in(key, number))
                if description.running and state is not None:
                    sent = network.sent_running(*arguments, padded, np.arange(size) < len(rows))
                else:
                    sent = network.sent(*arguments, padded)
                results.append((rows, *(np.asarray(a)[: len(rows)] for a in sent)))
        order = np.argsort(np.concatenate([rows for rows, *_ in results]))
        h, outputs = (np.concatenate([r[k] for r in results])[order] for k in (1, 2))
        task = description.task
        if not task.classes:
            emotion = outputs[:, 0].astype(np.float64) * task.deviation + task.mean
            return Encoded(inputs.ids, h, emotion, None, (), inputs.notes)
        is_posterior = bool(learned.protects) and _answers_in_posteriors(description)
        emotion = np.array(task.classes)[outputs.argmax(1)]
        probabilities = _probabilities(outputs, is_posterior)
        return Encoded(inputs.ids, h, emotion, probabilities, task.classes, inputs.notes)


def _in_order(
    blocks: Sequence[tuple[np.ndarray, np.ndarray]],
) -> tuple[np.ndarray, np.ndarray]:
    """One block of all, in the order in which they were given."""
    rows, h = (np.concatenate([block[k] for block in blocks]) for k in (0, 1))
    order = np.argsort(rows)
    return rows[order], h[order]


def _network(description: Description) -> Any:
    return network.network(
        description.encoders,
        description.task.num_outputs,
        description.head_layers,
        description.head_width,
    )


def _answers_in_posteriors(description: Description) -> bool:
    """Whether the outputs for the released h are the class posterior up to a constant."""
    return description.release in ("posterior", "decision") and description.head_layers == 1


def _probabilities(outputs: np.ndarray, is_posterior: bool) -> np.ndarray:
    """float32[N, C] of the outputs of the emotion head for the released h."""
    if is_posterior:  # see `releases.posterior_h`
        raised = outputs - outputs.mean(1, keepdims=True) + 1 / outputs.shape[1]
        clipped = np.clip(raised, 0, 1)
        return (clipped / clipped.sum(1, keepdims=True)).astype(np.float32)
    powers = np.exp(outputs - outputs.max(1, keepdims=True))
    return (powers / powers.sum(1, keepdims=True)).astype(np.float32)


def _person(person: Person | str | os.PathLike | None) -> Person | None:
    """The statistics, read if they are a path.

    Raises:
      ValueError: it is neither; or see `person_file.read_person`.
    """
    if isinstance(person, str | os.PathLike):
        return read_person(person)
    if person is not None and not isinstance(person, Person):
        raise ValueError(
            f"person is a {type(person).__name__}: give what `enrol` returns, or the path of a "
            "person file"
        )
    return person
