"""Help for the flags of `experiments.main`: by group, and for names that other programs use."""

import textwrap
from collections.abc import Iterable, Mapping

from privrep.messages import nearest

_WIDTH = 80

# What a flag decides, in the order in which it is read; every flag stands in one group.
GROUPS: Mapping[str, tuple[str, ...]] = {
    "Corpus: what is read, and which of it": (
        *("dataset", "data_dir", "columns", "id", "speaker_from", "speakers", "values"),
        *("bins", "ratings_from", "only", "classes", "private_bins", "class_weights"),
        *("unusable", "duplicates", "two_genders", "unlabelled"),
    ),
    "Folds and repetitions": ("folds", "test_set", "fold_seed", "seed"),
    "Inputs: frames and words": (
        *("modality", "normalise", "sample_rate", "num_mel_bands", "frame_length_ms"),
        *("frame_shift_ms", "mel_low_hz", "mel_high_hz", "max_seconds", "acoustic_features"),
        *("lexical_features", "word_vectors"),
    ),
    "Task: what the network recognises": ("task", "further_tasks", "regression_loss"),
    "Unlearning: what h must not reveal": (
        *("private", "lambda", "recipe", "placement", "defence", "release", "relative"),
        *("enrolment", "enrolled_moods", "state", "n0", "defence_weight", "memory", "matched"),
        *("adversaries", "adversary_layers", "adversary_width", "adversary_input"),
        *("adversary_given", "adversary_learning_rate", "adversary_steps", "adversary_restart"),
        "lambda_schedule",
    ),
    "Network": (
        *("conv_layers", "kernel_width", "num_kernels", "conv_pool", "gru_layers", "gru_width"),
        *("pooling", "dense_layers", "dense_width", "head_layers", "activation", "word_size"),
        *("dropout", "time_masks", "time_mask_frames", "band_masks", "band_mask_bands"),
    ),
    "Training": (
        *("optimiser", "learning_rate", "weight_decay", "clip_norm", "batch_size", "max_epochs"),
        *("min_epochs", "max_steps", "min_steps", "patience", "selection", "selection_leak"),
        *("precision", "recurrence"),
    ),
    "Attack: who tries to read it": ("attackers", "membership", "validation_scores"),
    "Search": ("search", "search_rule"),
    "Run: where results go, and who works on them": (
        *("workdir", "name", "resume", "wide", "track", "cache_dir", "export", "export_model"),
        *("engine", "engine_options", "coordinator", "processes", "process"),
    ),
}
# Flags of other programs, and the one that does it here.
USUAL: Mapping[str, str] = {
    **dict.fromkeys(("epochs", "num_epochs", "n_epochs"), "--max_epochs"),
    **dict.fromkeys(("lr", "learning_rates"), "--learning_rate"),
    **dict.fromkeys(("batch", "bs", "batchsize"), "--batch_size"),
    **dict.fromkeys(("data", "data_path", "root", "corpus_dir"), "--data_dir"),
    **dict.fromkeys(("corpus", "data_set"), "--dataset"),
    **dict.fromkeys(("out", "output", "output_dir", "out_dir", "logdir", "log_dir"), "--workdir"),
    **dict.fromkeys(("lambdas", "alpha", "grl_lambda", "strength"), "--lambda"),
    **dict.fromkeys(("seeds", "random_seed"), "--seed"),
    **dict.fromkeys(("target", "label", "labels", "emotion"), "--task"),
    **dict.fromkeys(("model", "modalities", "input"), "--modality"),
    **dict.fromkeys(("attribute", "protected", "sensitive"), "--private"),
    **dict.fromkeys(("wd", "l2"), "--weight_decay"),
    **dict.fromkeys(("optimizer", "optim"), "--optimiser"),
    **dict.fromkeys(("early_stopping", "early_stop"), "--patience"),
    **dict.fromkeys(("k", "num_folds", "n_folds", "cv"), "--folds"),
    **dict.fromkeys(("normalize", "normalization"), "--normalise"),
    **dict.fromkeys(("continue", "restart"), "--resume"),
    **dict.fromkeys(("wandb", "mlflow", "tensorboard"), "--track"),
}
# Flags of other programs that need none here, and why.
NEEDLESS: Mapping[str, str] = {
    **dict.fromkeys(
        ("device", "gpu", "gpus", "cuda", "tpu", "cpu"),
        "jax takes the GPU or TPU that is there, with pip install '.[cuda]' or '.[tpu]'; "
        "JAX_PLATFORMS=cpu leaves it alone, CUDA_VISIBLE_DEVICES=0 chooses one",
    ),
    **dict.fromkeys(
        ("workers", "num_workers", "jobs", "n_jobs", "threads"),
        "all cores that the process may use are used; taskset or Slurm gives it fewer",
    ),
}
# Values of other programs, by the field that has them; of tasks the corpus answers, see `labels`.
USUAL_VALUES: Mapping[str, Mapping[str, str]] = {
    "modality": {
        **dict.fromkeys(("audio", "speech", "acoustics", "voice", "sound"), "acoustic"),
        **dict.fromkeys(("text", "words", "language", "transcript", "linguistic"), "lexical"),
        **dict.fromkeys(("both", "all", "fusion", "audio+text", "bimodal"), "multimodal"),
    },
    "recipe": {**dict.fromkeys(("grl", "reversal", "adversarial", "dann"), "paper")},
}


def grouped_help(about: str, help_of: Mapping[str, tuple[str, str]]) -> str:
    """The text of --help.

    Args:
      about: of the program.
      help_of: {flag: (what it means, its default)}.
    """
    lines = [about.strip(), ""]
    for title, names in GROUPS.items():
        lines += [title, ""]
        for name in names:
            meaning, default = help_of[name]
            shown = f" [{default}]" if default else ""
            lines.append(
                textwrap.fill(
                    f"--{name}{shown}: {meaning}",
                    _WIDTH,
                    initial_indent="  ",
                    subsequent_indent="      ",
                    break_on_hyphens=False,
                    break_long_words=False,
                )
            )
        lines.append("")
    lines.append("In brackets: the value that a flag has if it is not given.")
    return "\n".join(lines)


def unknown_flag(name: str, known: Iterable[str]) -> str:
    """What to say of a flag that does not exist: the one that is meant, if that is known."""
    usual = name.lower().replace("-", "_")
    if usual in USUAL:
        return f"there is no --{name}: it is {USUAL[usual]} here, see --help"
    if usual in NEEDLESS:
        return f"there is no --{name}: {NEEDLESS[usual]}"
    return f"there is no --{name}{nearest(name, known)}: --help lists all flags"


def usual_value(field: str, text: str) -> str:
    """ " (it is called acoustic here)" of a value that has another name here; else ""."""
    here = USUAL_VALUES.get(field, {}).get(text.casefold())
    return f" (it is called {here} here)" if here else ""
