"""Every setting of an experiment, once: its default, what it means, what the paper tried.

The flags of `experiments.main`, the columns of runs.csv and the help text are all made from the
fields of `Config`. A flag may hold a comma list and is then swept.
"""

import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from experiments.config.recipes import DEFAULT, LEFT, RECIPES
from privrep.attacks.trained.fresh_attackers import ATTACKER_NAMES
from privrep.datasets import DATASETS
from privrep.inputs.normalisation import NORMALISATIONS
from privrep.inputs.packing import CLASS_WEIGHTS
from privrep.networks.emotion_net import GIVEN, INPUTS, PLACEMENTS
from privrep.networks.encoders import ACTIVATIONS, MODALITIES, POOLINGS
from privrep.training.epoch import OPTIMISERS
from privrep.training.schedules import SCHEDULES
from privrep.training.selection import SELECTIONS
from privrep.unlearning.defences import DEFENCES
from privrep.unlearning.objective import LEAKS, PRECISIONS
from privrep.unlearning.releases import RELEASES


def _setting(
    default: Any,
    meaning: str,
    valid: Sequence = (),
    paper: str = "",
    swept: bool = True,
    per_run: bool = False,
    least: float | None = None,
    below: float = float("inf"),
    flag: str | None = None,
    modality: str = "",
) -> Any:
    """A field of Config.

    Args:
      default: gives the type, and the flag's default unless `flag` says another (a sweep).
      valid: the values it can have.
      paper: the paper's grid, for the help text.
      swept: the flag takes a comma list.
      per_run: runs that differ in it share a compiled program.
      least, below: the smallest number allowed, and the first that is too large.
      modality: the one it concerns, if it is one.
    """
    notes = [f"one of {', '.join(map(str, valid))}"] if valid else []
    notes += [f"or {LEFT}: as it says, else {default}"] if flag == LEFT else []
    notes += [f"the paper: {paper}"] if paper else []
    text = meaning + (f" ({'; '.join(notes)})" if notes else "")
    return dataclasses.field(
        default=default,
        metadata={
            "help": text,
            "valid": tuple(valid),
            "swept": swept,
            "per_run": per_run,
            "least": least,
            "below": below,
            "modality": modality,
            "flag": (f"{default:g}" if isinstance(default, float) else str(default))
            if flag is None
            else flag,
        },
    )


@dataclass(frozen=True)
class Config:
    """One point of a sweep. `lambda_` is the flag --lambda; every other name is its flag's."""

    # What is computed on what
    dataset: str = _setting("demo", "corpus", tuple(DATASETS), swept=False)
    data_dir: str = _setting(
        "", "folder of the corpus (the CSV file of a manifest; unused by demo)", swept=False
    )
    modality: str = _setting("acoustic", "what the network reads", tuple(MODALITIES), "all three")
    task: str = _setting(
        "activation",
        "rating or category to recognise: activation, valence, emotion, …",
        paper="activation, valence",
    )
    private: str = _setting(
        "gender",
        "private attributes to unlearn, joined by + (gender+speaker trains two adversaries)",
        paper="gender, gender+speaker",
    )
    lambda_: str = _setting(
        "1",
        "strength of the adversary; one number, or one per attribute joined by + (0.5+1)",
        paper="0.3, 0.5, 0.75, 1",
        per_run=True,
        flag="0,1",
    )
    placement: str = _setting(
        "joint",
        "adversary on the joint h, on each modality's part, or on one modality's; one for all "
        "attributes, or one per attribute joined by + (acoustic+lexical); made of "
        + ", ".join(PLACEMENTS),
        paper="joint, modality",
    )
    recipe: str = _setting(
        DEFAULT[0],
        "how the attribute is kept out of h, wherever lambda is not 0: a name for the values of "
        "the flags that are left to it",
        tuple(RECIPES),
        "paper",
        per_run=True,
        flag=",".join(DEFAULT),
    )
    defence: str = _setting("none", "in training", tuple(DEFENCES), "grl", per_run=True, flag=LEFT)
    release: str = _setting(
        "posterior", "behind training", tuple(RELEASES), "none", per_run=True, flag=LEFT
    )
    folds: str = _setting("5", "number of speaker-independent folds, or official", paper="5")
    fold_seed: int = _setting(0, "deals the speakers to folds", least=0)
    seed: int = _setting(
        0, "starts the networks and orders their batches", per_run=True, least=0, below=2**32
    )

    # Labels and inputs
    bins: str = _setting(
        "midpoint", "rating to level: midpoint, thirds, tertiles, or LOW:HIGH such as 2.5:3.5"
    )
    class_weights: str = _setting("balanced", "weights of the losses", CLASS_WEIGHTS)
    normalise: str = _setting("speaker", "of frames", NORMALISATIONS, modality="acoustic")
    sample_rate: int = _setting(16000, "of audio, Hz", least=1000, modality="acoustic")
    num_mel_bands: int = _setting(40, "Mel bands", least=3, modality="acoustic")
    frame_length_ms: float = _setting(25.0, "analysis window", least=1, modality="acoustic")
    frame_shift_ms: float = _setting(10.0, "step between windows", least=1, modality="acoustic")
    mel_low_hz: float = _setting(20.0, "lower end of the Mel bands", least=0, modality="acoustic")
    mel_high_hz: float = _setting(
        8000.0, "upper end of the Mel bands; 0 is half the rate", least=0, modality="acoustic"
    )
    max_seconds: float = _setting(
        0.0, "longer utterances are cut; 0 cuts none", least=0, modality="acoustic"
    )
    acoustic_features: str = _setting(
        "",
        "folder of ready frames, <utterance>.npy of [T, F], in place of Mel frames",
        swept=False,
        modality="acoustic",
    )
    lexical_features: str = _setting(
        "",
        "folder of ready word vectors, <utterance>.npy of [L, E], in place of words",
        swept=False,
        modality="lexical",
    )
    word_vectors: str = _setting(
        "",
        "word2vec, GloVe or fastText file; without one the network learns the vectors of the words "
        "of its training part",
        swept=False,
        modality="lexical",
    )
    unusable: str = _setting(
        "stop",
        "utterances whose audio or transcript is missing or broken",
        ("stop", "drop"),
        swept=False,
    )
    unlabelled: str = _setting(
        "drop",
        "utterances without speaker, task label or private attribute",
        ("drop", "stop"),
        swept=False,
    )

    # Network
    conv_layers: int = _setting(
        3, "convolutions over time", paper="3, 4", least=1, below=17, modality="acoustic"
    )
    kernel_width: int = _setting(3, "their width", paper="2, 3", least=1, modality="acoustic")
    num_kernels: int = _setting(
        64, "their number", paper="32, 64, 128", least=1, modality="acoustic"
    )
    conv_pool: int = _setting(
        2,
        "2 halves the frame rate behind every convolution but the last, 1 keeps it",
        (1, 2),
        modality="acoustic",
    )
    gru_layers: int = _setting(2, "GRU layers", paper="2, 3", least=1)
    gru_width: int = _setting(32, "their width", paper="32", least=1)
    pooling: str = _setting("mean", "GRU states to one vector", tuple(POOLINGS))
    dense_layers: int = _setting(1, "dense layers", paper="1, 2", least=1)
    dense_width: int = _setting(
        64, "their width, the size of h per modality", paper="32, 64", least=1
    )
    activation: str = _setting("relu", "of convolutions and dense layers", tuple(ACTIVATIONS))
    dropout: float = _setting(
        0.0, "share of dense units and word vectors dropped", least=0, below=1
    )
    word_size: int = _setting(64, "of learned word vectors", least=1, modality="lexical")
    adversaries: int = _setting(
        1,
        "that read the same attribute from different starts, of each depth; their losses are "
        "averaged",
        least=1,
    )
    adversary_layers: str = _setting(
        "1", "hidden layers of an adversary; joined by + (0+1+2) an adversary of each depth"
    )
    adversary_width: int = _setting(64, "their width", least=1, flag=LEFT)
    adversary_input: str = _setting(
        "plain",
        "what an adversary reads: h as it is, or in units of its deviation",
        INPUTS,
        flag=LEFT,
    )
    adversary_given: str = _setting(
        "none", "what an adversary is told beside h; mmd and hsic look within it", GIVEN
    )

    # Training
    optimiser: str = _setting("adam", "optimiser", tuple(OPTIMISERS))
    learning_rate: float = _setting(1e-3, "of encoders and emotion head", per_run=True, least=0)
    adversary_learning_rate: float = _setting(
        1e-3, "of adversaries", per_run=True, least=0, flag=LEFT
    )
    adversary_steps: int = _setting(
        1, "of the adversaries for each step of the encoders", least=1, flag=LEFT
    )
    adversary_memory: int = _setting(
        256, "latest utterances, of which their further steps draw batches", least=0
    )
    adversary_restart: int = _setting(
        0, "steps after which the next of the adversaries begins anew; 0: none ever", least=0
    )
    weight_decay: float = _setting(0.0, "decoupled", per_run=True, least=0)
    clip_norm: float = _setting(1.0, "longest gradient; 0 for any length", least=0)
    batch_size: int = _setting(32, "utterances per step, a multiple of 4", least=4)
    max_epochs: int = _setting(30, "most epochs", least=1)
    patience: int = _setting(
        5, "epochs without a better selection score before a run stops", least=1
    )
    lambda_schedule: str = _setting(
        "constant", "of lambda over training", tuple(SCHEDULES), flag=LEFT
    )
    selection: str = _setting(
        "emotion_minus_leak", "what chooses the epoch on validation data", tuple(SELECTIONS)
    )
    selection_leak: str = _setting(
        "adversary",
        "who tells it what leaks: the training adversary, or a fresh linear attacker that learns "
        "from h after every epoch",
        LEAKS,
    )

    precision: str = _setting(
        "float32",
        "of products in the network; float32 is exact, the others are faster on accelerators",
        PRECISIONS,
    )

    # Attack
    attackers: str = _setting(
        "all",
        "all, or names joined by +: " + ", ".join(ATTACKER_NAMES),
        paper="2 to 4 layers of 32 or 64, all that start with mlp",
    )
    membership: str = _setting(
        "on",
        "whether to ask which speakers the networks were trained on",
        ("on", "off"),
        swept=False,
    )

    @property
    def attributes(self) -> tuple[str, ...]:
        """The private attributes, in the order of the flag."""
        return tuple(self.private.split("+"))

    @property
    def strengths(self) -> dict[str, float]:
        """{attribute: lambda}."""
        parts = [float(part) for part in self.lambda_.split("+")]
        return dict(zip(self.attributes, itertools.cycle(parts)))

    @property
    def attacker_names(self) -> tuple[str, ...]:
        """Names in ATTACKER_NAMES."""
        return ATTACKER_NAMES if self.attackers == "all" else tuple(self.attackers.split("+"))


FIELDS: Mapping[str, dataclasses.Field] = {f.name: f for f in dataclasses.fields(Config)}


def flag_name(field: str) -> str:
    """The flag of a field: `lambda` for lambda_, which Python keeps for itself."""
    return field.rstrip("_")


def flag_default(field: str) -> str:
    """The default as it would stand on the command line."""
    return FIELDS[field].metadata["flag"]
