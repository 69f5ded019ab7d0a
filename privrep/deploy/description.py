"""The description of a model: all that a network's arrays do not say by themselves (host)."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from privrep.inputs.audio import FEATURES_VERSION, FeatureSettings
from privrep.inputs.normalisation import NORMALISATIONS

SCHEMA_VERSION = 1  # of model.json; incremented when a reader of the version before would misread
WORDS = ("learned", "vectors", "ready")
OF_PERSON = ("whitened", "mean_off")  # releases with a state per person
FRAMES = "frames"  # needs of a model: mean and deviation of each band of the person's frames
STATE = "state"  # the mean and covariance of the person's h


@dataclass(frozen=True)
class AcousticInput:
    """What the acoustic encoder reads.

    Attributes:
      num_features: F, of a frame.
      normalise: one of `normalisation.NORMALISATIONS`.
      log_mel: settings of the frames that are computed from audio; None of ready features.
    """

    num_features: int
    normalise: str
    log_mel: FeatureSettings | None


@dataclass(frozen=True)
class LexicalInput:
    """What the lexical encoder reads.

    Attributes:
      kind: one of WORDS: words whose vectors the network has learned, words whose vectors came from
        a file, or ready vectors.
      size: E, of a vector.
      digest: of the file of word vectors, 64 hex digits of its SHA-256; "" without one.
    """

    kind: str
    size: int
    digest: str = ""


@dataclass(frozen=True)
class TaskOutput:
    """What the emotion head answers.

    Attributes:
      name: the task, such as activation.
      classes: C names, in the order of the outputs; () of a regression.
      mean, deviation: of a regression, whose output is (rating - mean) / deviation.
    """

    name: str
    classes: tuple[str, ...]
    mean: float = 0.0
    deviation: float = 1.0

    @property
    def num_outputs(self) -> int:
        """Outputs of the emotion head."""
        return len(self.classes) or 1


@dataclass(frozen=True)
class Description:
    """A model, as model.json describes it.

    Attributes:
      encoders: {modality: settings of its Flax module}.
      head_layers, head_width: of the emotion head, see `emotion_net.EmotionNet`.
      precision: of matrix products, see `objective.PRECISIONS`.
      release: how h is transformed before it is sent, a name in `releases.NAMES`.
      relative: whether the person's mean is taken off h.
      running: whether the state goes on with every utterance that is encoded, see
        `unlearning/running_state.py`; else it is that of the enrolment.
      n0: see `person_release.Shrinkage`.
      acoustic, lexical: the inputs; None of a modality that is not read.
      task: the outputs.
      private: {attribute that was to be kept out of h: its values}; those of speaker are left out.
      training: how it was trained: recipe, lambda, seed, fold, settings, versions, hashes of the
        data.
      privacy: {column of runs.csv: value}, the measurement of the procedure that made this model,
        over the networks of all folds.
    """

    encoders: Mapping[str, Mapping[str, Any]]
    head_layers: int
    head_width: int
    precision: str
    release: str
    relative: bool
    running: bool
    n0: float
    acoustic: AcousticInput | None
    lexical: LexicalInput | None
    task: TaskOutput
    private: Mapping[str, tuple[str, ...]]
    training: Mapping[str, Any]
    privacy: Mapping[str, Any]

    @property
    def needs(self) -> tuple[str, ...]:
        """What must be known of a person before an utterance can be encoded: FRAMES, STATE."""
        of_frames = self.acoustic is not None and self.acoustic.normalise == "speaker"
        of_state = self.relative or self.release in OF_PERSON
        return (FRAMES,) * of_frames + (STATE,) * of_state


def to_json(description: Description) -> dict[str, Any]:
    """The description as JSON can hold it, without the files."""
    plain = dataclasses.asdict(description)
    return {
        "schema_version": SCHEMA_VERSION,
        "features_version": FEATURES_VERSION,
        "needs_of_person": list(description.needs),
        **plain,
    }


def from_json(content: Any, place: str) -> Description:
    """The description that `to_json` has made JSON of; keys that it does not know are left out.

    Args:
      place: the file, for messages.

    Raises:
      ValueError: it is of another version, or no description.
    """
    version = content.get("schema_version") if isinstance(content, dict) else None
    if version is None:
        raise ValueError(f"{place} describes no model of privrep: it has no schema_version")
    if version != SCHEMA_VERSION:
        raise ValueError(
            f"{place}: schema version {version}, and this privrep reads {SCHEMA_VERSION}: use the "
            "version of privrep that wrote it, or export the model again with this one"
        )
    try:
        description = _described(content)
    except KeyError as error:
        raise ValueError(f"{place} describes no model of privrep: {error} is missing") from None
    except (AttributeError, TypeError, ValueError) as error:
        raise ValueError(f"{place} describes no model of privrep: {error}") from None
    log_mel = description.acoustic is not None and description.acoustic.log_mel is not None
    if log_mel and content.get("features_version") != FEATURES_VERSION:
        raise ValueError(
            f"{place}: its network reads log-Mel frames of version "
            f"{content.get('features_version')}, and this privrep computes {FEATURES_VERSION}, "
            "which differ: use the version of privrep that wrote it"
        )
    return description


def _described(content: Mapping[str, Any]) -> Description:
    values = {field.name: content[field.name] for field in dataclasses.fields(Description)}
    acoustic, lexical, task = (values[name] for name in ("acoustic", "lexical", "task"))
    if acoustic is not None:
        log_mel = acoustic["log_mel"] and FeatureSettings(**acoustic["log_mel"])
        acoustic = AcousticInput(acoustic["num_features"], acoustic["normalise"], log_mel)
        if acoustic.normalise not in NORMALISATIONS:
            raise ValueError(f"unknown normalisation {acoustic.normalise}")
    if lexical is not None:
        lexical = LexicalInput(**lexical)
        if lexical.kind not in WORDS:
            raise ValueError(f"unknown kind of words {lexical.kind}")
    output = TaskOutput(task["name"], tuple(task["classes"]), task["mean"], task["deviation"])
    private = {name: tuple(names) for name, names in values["private"].items()}
    changes = {"acoustic": acoustic, "lexical": lexical, "task": output, "private": private}
    return Description(**(values | changes))
