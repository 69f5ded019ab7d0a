"""Every setting of an experiment, once: its default, what it means, what the paper tried.

The flags of `experiments.main`, the columns of runs.csv and the help text are all made from the
fields of `Config`. A flag may hold a comma list and is then swept.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from experiments.config.lambdas import Strengths, by_attribute
from experiments.config.recipes import (
    DEFAULT,
    DEFAULT_WITHOUT_POSTERIOR,
    LEFT,
    RECIPES,
    STATELESS,
)
from privrep.attacks.trained.fresh_attackers import ATTACKER_NAMES
from privrep.datasets import DATASETS
from privrep.formats.numbers import QUANTILES
from privrep.inputs.extraction import UNUSABLE
from privrep.inputs.labels import CONTINUOUS
from privrep.inputs.normalisation import NORMALISATIONS
from privrep.inputs.packing import CLASS_WEIGHTS
from privrep.inputs.selection import DUPLICATES, TWO_GENDERS
from privrep.networks.emotion_net import GIVEN, INPUTS, PLACEMENTS
from privrep.networks.encoders import ACTIVATIONS, LOOP, MODALITIES, POOLINGS, RECURRENCES
from privrep.training.epoch import OPTIMISERS
from privrep.training.regression import LOSSES
from privrep.training.schedules import SCHEDULES
from privrep.training.selection import SELECTIONS
from privrep.unlearning.defences import DEFENCES, MATCHED
from privrep.unlearning.objective import LEAKS, PRECISIONS
from privrep.unlearning.releases import NAMES

AUTO = "auto"  # a flag's value: by what the input is


@dataclass(frozen=True)
class Setting:
    """What is known of a field of `Config` and of its flag.

    Attributes:
      default: the field's value unless a flag says otherwise; gives its type.
      meaning: the sentence of the help text.
      valid: the values it can have; () where they are no list.
      paper: the paper's grid, for the help text.
      swept: the flag takes a comma list.
      per_run: runs that differ in it share a compiled program.
      least, below: the smallest number allowed, and the first that is too large.
      flag: the flag's default, which may be a comma list; `default` as text if not given.
      modality: the one it concerns, if it is one.
    """

    default: Any
    meaning: str
    valid: Sequence[Any] = ()
    paper: str = ""
    swept: bool = True
    per_run: bool = False
    least: float | None = None
    below: float = float("inf")
    flag: str = ""
    modality: str = ""

    def __post_init__(self) -> None:
        text = f"{self.default:g}" if isinstance(self.default, float) else str(self.default)
        object.__setattr__(self, "flag", self.flag or text)
        object.__setattr__(self, "valid", tuple(self.valid))

    @property
    def help(self) -> str:
        """The help text of the flag."""
        notes = [f"one of {', '.join(map(str, self.valid))}"] if self.valid else []
        if self.flag == LEFT:
            notes.append(f"or {LEFT}: the value of --recipe, else {self.default}")
        if self.paper:
            notes.append(f"the paper: {self.paper}")
        return self.meaning + (f" ({'; '.join(notes)})" if notes else "")


def _setting(default: Any, meaning: str, valid: Sequence[Any] = (), **more: Any) -> Any:
    """A field of Config, described by a `Setting` of these values."""
    setting = Setting(default, meaning, valid, **more)
    return dataclasses.field(default=default, metadata={"setting": setting})


@dataclass(frozen=True)
class Config:
    """One point of a sweep. `lambda_` is the flag --lambda; every other name is its flag's."""

    # What is computed on what
    dataset: str = _setting("demo", "the corpus", tuple(DATASETS), swept=False)
    data_dir: str = _setting(
        "",
        "folder of the corpus (of a manifest its table, or a comma list of the tables of a split: "
        "train=A.csv,val=B.csv,test=C.csv; the demo needs none)",
        swept=False,
    )
    modality: str = _setting(
        "acoustic", "what the network reads", tuple(MODALITIES), paper="all three"
    )
    task: str = _setting(
        "activation",
        "the rating or category that the network recognises: activation, valence, emotion, …",
        paper="activation, valence",
    )
    further_tasks: str = _setting(
        "",
        "tasks that heads of their own learn besides --task, joined by + (activation+valence): "
        "what a head asks for, h keeps",
    )
    private: str = _setting(
        "gender",
        "private attributes to unlearn, joined by + (gender+speaker trains two adversaries)",
        paper="gender, gender+speaker",
    )
    lambda_: Strengths = _setting(  # noqa: RUF009, immutable
        by_attribute([1.0], ["gender"]),
        "strength of the adversary: one number, or one per attribute joined by + (0.5+1); 0 trains "
        "the ordinary network",
        paper="0.3, 0.5, 0.75, 1",
        per_run=True,
        flag="0,1",
    )
    placement: str = _setting(
        "joint",
        "where the adversary is placed: on the joint h, on each modality's part, or on one "
        "modality's; one for all attributes, or one per attribute joined by + (acoustic+lexical); "
        "made of " + ", ".join(PLACEMENTS),
        paper="joint, modality",
    )
    recipe: str = _setting(
        DEFAULT[0],
        "how the attribute is kept out of h where lambda is not 0: a name for the values of the "
        f"flags whose default is recipe; auto: {' and '.join(DEFAULT)}, of a regression "
        f"or with --head_layers=2 {' and '.join(DEFAULT_WITHOUT_POSTERIOR)}; {STATELESS}: as auto, "
        "with posterior or strong in place of what keeps a state of each speaker, which auto means "
        "where speakers have too few utterances for one",
        tuple(RECIPES),
        paper="paper",
        per_run=True,
        flag=AUTO,
    )
    defence: str = _setting(
        "none",
        "the defence against the adversary in training",
        tuple(DEFENCES),
        paper="grl",
        per_run=True,
        flag=LEFT,
    )
    release: str = _setting(
        "posterior",
        "how h is transformed after training, before it is released",
        NAMES,
        paper="none",
        per_run=True,
        flag=LEFT,
    )
    folds: str = _setting(
        "5",
        "number of speaker-independent folds, official for the split that the corpus defines, or a "
        "table of folds that were published, FILE.csv with id,part,fold (part: train, val, test; "
        "speaker or session may take the place of id), as a result directory's folds.csv",
        paper="5",
    )
    test_set: str = _setting(
        "all",
        "with --folds=official, the test sets of the corpus that make the test part: all, or names "
        "joined by + (Test1+Test2)",
    )
    fold_seed: int = _setting(0, "seed by which speakers are assigned to folds", least=0)
    seed: int = _setting(
        0,
        "seed of the networks' initial parameters and of the order of their batches",
        per_run=True,
        least=0,
        below=2**32,
    )

    # Labels and inputs
    columns: str = _setting(
        "",
        "what columns are called in a manifest: audio=file,activation=arousal; nothing after = "
        "leaves a column out",
        swept=False,
    )
    id: str = _setting("", "column of the utterances' ids in a manifest", swept=False)
    speaker_from: str = _setting(
        "",
        "regular expression whose first group in the path, or id, of an utterance of a manifest is "
        "its speaker",
        swept=False,
    )
    speakers: str = _setting(
        "", "table of facts about the speakers of a manifest, to be joined", swept=False
    )
    values: str = _setting(
        "",
        "what values of a manifest mean: gender:1=female,gender:0=male; nothing after = is missing",
        swept=False,
    )
    bins: str = _setting(
        "midpoint",
        "how a rating becomes a level: midpoint, thirds, tertiles, or LOW:HIGH such as 2.5:3.5; "
        "continuous: not at all, the rating itself is predicted (regression, scored by CCC)",
    )
    ratings_from: str = _setting(
        "corpus",
        "where activation and valence come from: the corpus' own ratings or, in one without, the "
        "levels that privrep/datasets/categories.py assigns to its emotions",
        ("corpus", "emotion"),
        swept=False,
    )
    only: str = _setting(
        "",
        "the utterances that are used, COLUMN=VALUE,VALUE of a category, private attribute, "
        "speaker, session or split: scenario=improvised; several columns by further commas",
        swept=False,
    )
    classes: str = _setting(
        "",
        "the classes of a task of categories, joined by +; utterances of others are left out: "
        "angry,happy+excited,neutral,sad",
        swept=False,
    )
    private_bins: str = _setting(
        "",
        "how a private attribute that is a number becomes a class, ATTRIBUTE=BINS joined by ;, "
        "made once over all speakers: "
        + ", ".join(QUANTILES)
        + ", or intervals such as age=<30,30-50,>50",
        swept=False,
    )
    class_weights: str = _setting(
        "balanced", "how the classes are weighted in the losses", CLASS_WEIGHTS
    )
    normalise: str = _setting(
        "speaker",
        "whose statistics normalise acoustic frames; auto: speaker, and train for ready features",
        NORMALISATIONS,
        flag=AUTO,
        modality="acoustic",
    )
    sample_rate: int = _setting(
        16000, "sample rate in Hz to which audio is resampled", least=1000, modality="acoustic"
    )
    num_mel_bands: int = _setting(40, "number of Mel bands", least=3, modality="acoustic")
    frame_length_ms: float = _setting(
        25.0, "length of the analysis window in ms", least=1, modality="acoustic"
    )
    frame_shift_ms: float = _setting(
        10.0, "step from one analysis window to the next in ms", least=1, modality="acoustic"
    )
    mel_low_hz: float = _setting(
        20.0, "lower end of the Mel bands in Hz", least=0, modality="acoustic"
    )
    mel_high_hz: float = _setting(
        8000.0,
        "upper end of the Mel bands in Hz; 0 is half the sample rate",
        least=0,
        modality="acoustic",
    )
    max_seconds: float = _setting(
        0.0, "longer utterances are cut to this length; 0 cuts none", least=0, modality="acoustic"
    )
    acoustic_features: str = _setting(
        "",
        "acoustic frames [T, F] or vectors [F] to use in place of Mel frames: a folder of "
        "<utterance>.npy, a pattern DIR/{id}.x.npy, .npz, .h5, .ark, .scp, .parquet, .arrow, or "
        ".npy with .lengths; joined by + they stand side by side",
        swept=False,
        modality="acoustic",
    )
    lexical_features: str = _setting(
        "",
        "word vectors [L, E] to use in place of transcripts, from sources as of "
        "--acoustic_features",
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
        "what to do about utterances whose audio or transcript is missing or broken; drop leaves "
        "out silent and constant sound too, drop_repaired also channels of opposite phase, of "
        "which else the loudest is taken",
        UNUSABLE,
        swept=False,
    )
    duplicates: str = _setting(
        "stop",
        "what to do about recordings that are there twice, equal in content: merge makes one "
        "speaker of those who share one, drop leaves it out where speakers differ; both keep one "
        "copy of each",
        DUPLICATES,
        swept=False,
    )
    two_genders: str = _setting(
        "stop",
        "what to do about speakers with two genders: leave them out, or give each that of most of "
        "the speaker's utterances",
        TWO_GENDERS,
        swept=False,
    )
    unlabelled: str = _setting(
        "drop",
        "what to do about utterances without speaker, task label or private attribute",
        ("drop", "stop"),
        swept=False,
    )

    # Network
    conv_layers: int = _setting(
        3,
        "number of convolutions over time",
        paper="3, 4",
        least=1,
        below=17,
        modality="acoustic",
    )
    kernel_width: int = _setting(
        3, "width of the convolutions in frames", paper="2, 3", least=1, modality="acoustic"
    )
    num_kernels: int = _setting(
        64, "number of kernels of a convolution", paper="32, 64, 128", least=1, modality="acoustic"
    )
    conv_pool: int = _setting(
        2,
        "2 halves the frame rate after every convolution but the last, 1 keeps it",
        (1, 2),
        modality="acoustic",
    )
    gru_layers: int = _setting(2, "number of GRU layers", paper="2, 3", least=1)
    gru_width: int = _setting(32, "width of the GRU layers", paper="32", least=1)
    pooling: str = _setting(
        "mean", "how the GRU states of an utterance become one vector", tuple(POOLINGS)
    )
    dense_layers: int = _setting(1, "number of dense layers", paper="1, 2", least=1)
    dense_width: int = _setting(
        64, "width of the dense layers, the size of h per modality", paper="32, 64", least=1
    )
    head_layers: int = _setting(
        1,
        "layers of the emotion head: 1 is linear, 2 has a hidden layer of --dense_width; the "
        "releases posterior and subspace need a linear one, and heads of --further_tasks are",
        (1, 2),
    )
    activation: str = _setting(
        "relu", "activation function of convolutions and dense layers", tuple(ACTIVATIONS)
    )
    dropout: float = _setting(
        0.0, "share of dense units and word vectors that are dropped in training", least=0, below=1
    )
    time_masks: int = _setting(
        0,
        "masks over time in every training utterance, as in SpecAugment: the frames are 0, the "
        "mean of normalised ones; words have --dropout",
        least=0,
        below=65,
        modality="acoustic",
    )
    time_mask_frames: int = _setting(
        16,
        "frames of the longest mask over time; the length is drawn evenly from 0 on, and never "
        "leaves an utterance without a frame",
        least=1,
        modality="acoustic",
    )
    band_masks: int = _setting(
        0,
        "masks over neighbouring Mel bands, or features, of all frames of a training utterance",
        least=0,
        below=65,
        modality="acoustic",
    )
    band_mask_bands: int = _setting(
        6,
        "bands of the widest mask over bands; the width is drawn evenly from 0 on",
        least=1,
        modality="acoustic",
    )
    word_size: int = _setting(64, "size of learned word vectors", least=1, modality="lexical")
    adversaries: int = _setting(
        1,
        "number of adversaries of each depth that predict the same attribute from different "
        "initial parameters; their losses are averaged",
        least=1,
    )
    adversary_layers: str = _setting(
        "1",
        "number of hidden layers of an adversary; joined by + (0+1+2) an adversary of each depth",
    )
    adversary_width: int = _setting(
        64, "width of the hidden layers of an adversary", least=1, flag=LEFT
    )
    adversary_input: str = _setting(
        "plain",
        "what an adversary reads: h unchanged, or in units of its standard deviation",
        INPUTS,
        flag=LEFT,
    )
    adversary_given: str = _setting(
        "none",
        "what an adversary is given in addition to h; the defences mmd and hsic condition on it",
        GIVEN,
    )

    # Training
    regression_loss: str = _setting(
        "ccc", "the loss of a regression, with --bins=continuous", tuple(LOSSES)
    )
    relative: str = _setting(
        "none",
        "speaker: the mean of h over the speaker's utterances is taken off, in training over those "
        "of the batch and --memory, else over all of the speaker's",
        ("none", "speaker"),
        per_run=True,
        flag=LEFT,
    )
    enrolment: int = _setting(
        0,
        "utterances of each person from which the state of a person is taken, where h is relative "
        "or --release is whitened or mean_off; only the others are scored, of all networks. 0: "
        "from all, the scored ones too, which is transductive; auto: 20 where some run has a state",
        least=0,
        flag=AUTO,
    )
    enrolled_moods: str = _setting(
        "uneven",
        "how these are drawn: evenly, or unevenly over a person's emotions, by a mixture that is "
        "drawn from Dirichlet(1)",
        ("uneven", "even"),
    )
    state: str = _setting(
        "enrolled",
        "what the state of a person is made of: the enrolment; or running, the enrolment and what "
        "the person has said before the utterance that is scored, in the order of the corpus",
        ("enrolled", "running"),
    )
    n0: float = _setting(
        5.0,
        "the release whitened: the covariance of a person of n utterances has the weight "
        "n / (n + n0), that of the training speakers the rest",
        least=0,
    )
    defence_weight: float = _setting(
        1.0,
        "factor of lambda in the objective, so that --lambda=1 is a usual strength",
        per_run=True,
        least=0,
        flag=LEFT,
    )
    memory: int = _setting(
        256,
        "number of latest utterances, the batch among them, over which the means of --relative and "
        "the defences mmd and hsic are taken and from which the further steps of the adversaries "
        "draw",
        least=0,
    )
    matched: str = _setting(
        "attribute",
        "what the defences mmd and hsic match: the classes of the attribute, or all speakers, for "
        "which training needs no labels of the attribute",
        MATCHED,
    )
    optimiser: str = _setting("adam", "the optimiser", tuple(OPTIMISERS))
    learning_rate: float = _setting(
        2e-3, "learning rate of encoders and emotion head", per_run=True, least=0
    )
    adversary_learning_rate: float = _setting(
        2e-3, "learning rate of the adversaries", per_run=True, least=0, flag=LEFT
    )
    adversary_steps: int = _setting(
        1, "steps of the adversaries for each step of the encoders", least=1, flag=LEFT
    )
    adversary_restart: int = _setting(
        0,
        "number of steps after which the next of the adversaries is initialised anew; 0: never",
        least=0,
    )
    weight_decay: float = _setting(0.0, "decoupled weight decay", per_run=True, least=0)
    clip_norm: float = _setting(
        1.0, "norm to which longer gradients are clipped; 0 clips none", least=0
    )
    batch_size: int = _setting(128, "utterances per step, a multiple of 4", least=4)
    max_epochs: int = _setting(
        60, "largest number of epochs, passes over the training part", least=1
    )
    min_epochs: int = _setting(
        30,
        "number of the first epoch that may be chosen and that --patience counts; auto: half of "
        "--max_epochs",
        least=0,
        flag=AUTO,
    )
    max_steps: int = _setting(
        0,
        "largest number of steps, rounded up to whole epochs, in place of --max_epochs; 0: by "
        "--max_epochs",
        least=0,
    )
    min_steps: int = _setting(
        0,
        "steps before the first epoch that may be chosen, in place of --min_epochs; 0: by "
        "--min_epochs; auto: half of --max_steps",
        least=0,
        flag=AUTO,
    )
    patience: int = _setting(
        15, "number of epochs without a better selection score after which a run stops", least=1
    )
    lambda_schedule: str = _setting(
        "constant", "how lambda changes in training", tuple(SCHEDULES), flag=LEFT
    )
    selection: str = _setting(
        "emotion_within_leak",
        "the score on validation data by which an epoch of a protected network is chosen: the best "
        "emotion within a leak of 0.10, else the least leak; paper: emotion less the leak; emotion",
        tuple(SELECTIONS),
    )
    selection_leak: str = _setting(
        "fresh",
        "whose UAR counts as the leak in --selection: that of a freshly trained linear attacker on "
        "h after every epoch, or of the training adversary, which the paper chooses by",
        LEAKS,
    )

    precision: str = _setting(
        "float32",
        "precision of matrix products in the network; float32 is exact, the others are faster on "
        "accelerators",
        PRECISIONS,
    )
    recurrence: str = _setting(
        LOOP,
        "how a GPU computes the GRU: a loop of XLA's, or one Pallas kernel for widths up to 64, "
        "which no GPU has been measured with yet",
        tuple(RECURRENCES),
    )

    # Attack
    attackers: str = _setting(
        "all",
        "the attackers that are trained on h after training: all, or names joined by +: "
        + ", ".join(ATTACKER_NAMES),
        paper="2 to 4 layers of 32 or 64, all that start with mlp",
    )
    membership: str = _setting(
        "on",
        "whether to measure if h reveals which speakers a network was trained on",
        ("on", "off"),
        swept=False,
    )
    validation_scores: str = _setting(
        "off",
        "whether the leak, emotion and other tasks are measured on validation speakers too, in "
        "columns validation_..., for whoever chooses between recipes",
        ("off", "on"),
        swept=False,
    )

    @property
    def attributes(self) -> tuple[str, ...]:
        """The private attributes, in the order of the flag."""
        return tuple(self.private.split("+"))

    @property
    def further(self) -> tuple[str, ...]:
        """The tasks that have heads of their own besides the task, in the order of the flag."""
        return tuple(filter(None, self.further_tasks.split("+")))

    @property
    def is_regression(self) -> bool:
        """Whether the rating itself is predicted."""
        return self.bins == CONTINUOUS

    @property
    def attacker_names(self) -> tuple[str, ...]:
        """Names in ATTACKER_NAMES."""
        return ATTACKER_NAMES if self.attackers == "all" else tuple(self.attackers.split("+"))


FIELDS: Mapping[str, Setting] = {
    field.name: field.metadata["setting"] for field in dataclasses.fields(Config)
}


def flag_name(field: str) -> str:
    """The flag of a field: `lambda` for lambda_, which Python keeps for itself."""
    return field.rstrip("_")


def flag_default(field: str) -> str:
    """The default as it would stand on the command line."""
    return FIELDS[field].flag
