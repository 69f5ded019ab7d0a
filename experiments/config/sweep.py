"""Sweeps: the product of the flags' values, in packs of runs that share one compiled program."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import jax

from experiments.config.lambdas import by_attribute, to_cell
from experiments.config.parse import parse
from experiments.config.recipes import (
    GOVERNED,
    LEFT,
    RECIPES,
    STATELESS,
    TRANSDUCTIVE,
    UNPROTECTED,
    default_recipes,
    filled,
    name_of,
)
from experiments.config.settings import AUTO, FIELDS, Config, flag_default, flag_name
from privrep.inputs.fold_file import is_fold_file, read_folds
from privrep.inputs.labels import CONTINUOUS
from privrep.networks.encoders import ENCODERS, KERNEL, MODALITIES
from privrep.unlearning.defences import MEASURES
from privrep.unlearning.person_release import PERSON_RELEASES

OF_CLASSES = {  # releases that a regression cannot have
    "posterior": "the release posterior sends the posterior of the classes, and a rating has none",
    "subspace": "the release subspace keeps what separates the classes, and a rating has none",
}
OF_LINEAR_HEAD = {  # releases that a head of two layers cannot have
    "posterior": "the release posterior inverts a linear head",
    "subspace": "the release subspace keeps what a linear head reads",
}
MASKS = {"time_masks": "time_mask_frames", "band_masks": "band_mask_bands"}  # and their sizes
ENROLMENT = 20  # utterances of a person, where a state is needed
OF_MANIFESTS = ("columns", "id", "speaker_from", "speakers", "values")


class Pack(NamedTuple):
    """Runs of one architecture on one task: `config` for what they share, a Config for each run.

    `runs` differ only in settings that need no compiling; every run is trained on every fold, and
    those that differ only in what follows training are trained once. A run without a defence is one
    of strength 0 of the pack's first.
    """

    config: Config
    runs: tuple[Config, ...]


def expand(flags: Mapping[str, str]) -> list[Pack]:
    """All combinations of the flags' values, in packs.

    Where every lambda is 0 nothing is protected, whatever the recipe and the settings that it
    governs, and where nothing protects lambda is 0: such runs are there once.

    Args:
      flags: {field of Config: text}; fields that are left out keep their default.

    Raises:
      ValueError: see `config.parse`; or --lambda and --private do not match.
    """
    values = {name: parse(name, flags.get(name, flag_default(name))) for name in FIELDS}
    if len(values["folds"]) > 1 and any(map(is_fold_file, values["folds"])):
        raise ValueError(f"--folds={flags['folds']}: a table of folds stands alone")
    automatic = [name for name in (AUTO, STATELESS) if name in values["recipe"]]
    if automatic:
        if len(values["recipe"]) > 1:
            raise ValueError(f"--recipe={flags['recipe']}: {automatic[0]} stands alone")
        of_either = [default_recipes(has, AUTO in automatic) for has in (True, False)]
        values["recipe"] = [*dict.fromkeys(itertools.chain(*of_either))]
    points = [dict(zip(values, point)) for point in itertools.product(*values.values())]
    if automatic:
        points = [p for p in points if p["recipe"] in _default_recipes(automatic[0], p)]
    configs = list(dict.fromkeys(_protected(point) for point in points))
    k = ENROLMENT if any(map(has_state, configs)) else 0
    if not k:  # of what a state is made matters to nobody
        stateless = [replace(c, state=FIELDS["state"].default) for c in configs]
        configs = list(dict.fromkeys(stateless))
    configs = [replace(c, enrolment=k) if c.enrolment == AUTO else c for c in configs]
    configs = [
        c if c.enrolment or not has_state(c) else replace(c, recipe=f"{c.recipe}+{TRANSDUCTIVE}")
        for c in configs
    ]
    packs: dict[tuple, list[Config]] = {}
    first: dict[tuple, tuple] = {}  # the first program that has an adversary to resist
    for config in configs:
        _check(config)
        if resists(config):
            first.setdefault(_shared(config), _adversary(config))
    for config in configs:
        shared, adversary = _shared(config), _adversary(config)
        key = shared, adversary if resists(config) else first.get(shared, adversary)
        packs.setdefault(key, []).append(config)
    return [
        Pack(next((run for run in runs if resists(run)), runs[0]), tuple(runs))
        for runs in packs.values()
    ]


def _default_recipes(automatic: str, point: Mapping[str, Any]) -> tuple[str, ...]:
    """Those that AUTO or STATELESS means, by `bins` and `head_layers`."""
    return default_recipes(has_posterior(point["bins"], point["head_layers"]), automatic == AUTO)


def has_posterior(bins: str, head_layers: int) -> bool:
    """Whether the release `posterior` can be: it needs classes and a linear head."""
    return bins != CONTINUOUS and head_layers == 1


def _protected(point: Mapping[str, Any]) -> Config:
    """The setting that a point of the flags' product means, its recipe looked up."""
    defaults = {name: FIELDS[name].default for name in GOVERNED}
    recipe = filled(RECIPES[point["recipe"]], defaults)
    values = {**point, **{name: recipe[name] for name in GOVERNED if point[name] == LEFT}}
    if values["bins"] != CONTINUOUS:
        values["regression_loss"] = FIELDS["regression_loss"].default
    for count, size in MASKS.items():
        if not values[count]:
            values[size] = FIELDS[size].default
    for limit in ("epochs", "steps"):
        if values[f"min_{limit}"] == AUTO:
            values[f"min_{limit}"] = values[f"max_{limit}"] // 2
    if values["normalise"] == AUTO:
        values["normalise"] = "train" if values["acoustic_features"] else "speaker"
    attributes = str(point["private"]).split("+")
    values["lambda_"] = by_attribute(point["lambda_"], attributes)
    if all(values[name] == value for name, value in UNPROTECTED.items()):
        values["lambda_"] = by_attribute([0.0], attributes)
    if not any(values["lambda_"].values()):
        values |= filled(UNPROTECTED, defaults)
    config = Config(**values)
    if not resists(config):  # an adversary that only watches is of no account
        kept = ("release", "relative")
        values |= {name: value for name, value in defaults.items() if name not in kept}
        values["defence"] = "none"
    values["recipe"] = name_of({name: values[name] for name in GOVERNED}, defaults)
    return Config(**values)


def _shared(config: Config) -> tuple:
    compiled = [n for n, f in FIELDS.items() if not f.per_run and n not in GOVERNED]
    return tuple(getattr(config, name) for name in compiled)


def _adversary(config: Config) -> tuple:
    """The settings of the adversary that are compiled in."""
    compiled = [n for n in GOVERNED if not FIELDS[n].per_run]
    return tuple(getattr(config, name) for name in compiled)


def resists(config: Config) -> bool:
    """Whether the encoders resist an adversary while they train."""
    return config.defence != "none" and any(config.lambda_.values())


def has_state(config: Config) -> bool:
    """Whether what is sent of an utterance depends on others of the same person."""
    return is_relative(config) or config.release in PERSON_RELEASES


def is_relative(config: Config) -> bool:
    """Whether h is taken relative to the speaker; that of the ordinary network never is."""
    return config.relative == "speaker" and any(config.lambda_.values())


def _check(config: Config) -> None:
    attributes, places = len(config.attributes), config.placement.split("+")
    if len(places) not in (1, attributes):
        raise ValueError(
            f"--placement={config.placement} has {len(places)} places and --private="
            f"{config.private} {attributes} attributes: give one place, or one for each attribute"
        )
    for place in {*places} & {*ENCODERS} - {*MODALITIES[config.modality]}:
        raise ValueError(
            f"--placement={config.placement}: with --modality={config.modality} there is no "
            f"{place} part to place an adversary on"
        )
    if config.state == "running" and not config.enrolment:
        raise ValueError(
            "--state=running goes on from an enrolment, and with --enrolment=0 there is none: take "
            f"--enrolment={ENROLMENT}, or --state=enrolled"
        )
    if config.recurrence == KERNEL:
        _check_kernel(config)
    if config.is_regression:
        _check_regression(config)
    if config.head_layers > 1:
        _check_head(config)
    for task in config.further:
        if task == config.task or task in config.attributes or config.further.count(task) > 1:
            raise ValueError(
                f"--further_tasks={config.further_tasks}: {task} is in --task or --private, or "
                "there twice; name tasks that no other head learns"
            )
    if config.task in config.attributes:
        raise ValueError(f"--task={config.task} is in --private too: keep it or unlearn it")


def _check_kernel(config: Config) -> None:
    from privrep.networks.kernels.gru_pallas import WIDEST  # here: Pallas is slow to import

    if config.gru_width > WIDEST:
        raise ValueError(
            f"--recurrence={KERNEL} with --gru_width={config.gru_width}: the kernel keeps the "
            f"weights of widths up to {WIDEST} on chip; leave --recurrence out"
        )


def _release_flag(config: Config) -> str:
    """The flag that names the release."""
    if config.recipe in RECIPES:
        return f"--recipe={config.recipe}"
    return f"--release={config.release}"


def _check_head(config: Config) -> None:
    reason = OF_LINEAR_HEAD.get(config.release)
    if config.release == "decision" and config.is_regression:
        reason = "the release decision of a rating inverts a linear head"
    if reason:
        raise ValueError(
            f"{_release_flag(config)} with --head_layers={config.head_layers}: {reason}. Take "
            "--recipe=keep or whitened, or --release=none, leace or noise; or --head_layers=1"
        )


def _check_regression(config: Config) -> None:
    if config.release in OF_CLASSES:
        raise ValueError(
            f"{_release_flag(config)} with --bins={CONTINUOUS}: "
            f"{OF_CLASSES[config.release]}. Take --recipe=strong (reversal with an adversary that "
            "keeps up), or --defence=mmd or hsic (matching); or predict levels, such as "
            "--bins=midpoint"
        )
    if config.adversary_given == "emotion":
        raise ValueError(
            f"--adversary_given=emotion with --bins={CONTINUOUS}: adversaries are given a class, "
            "and a rating has none; leave it out, or predict levels, such as --bins=midpoint"
        )


def idle_flags(flags: Mapping[str, str], configs: Sequence[Config]) -> list[str]:
    """A line for each flag that was set and that the corpus or no network has a use for."""
    used = {modality for config in configs for modality in MODALITIES[config.modality]}
    unread = flags["dataset"] == "demo" and flags["data_dir"]
    continuous = any(config.is_regression for config in configs)
    drawn = flags["test_set"] != "all" and all(config.folds != "official" for config in configs)
    stateless = flags["state"] != flag_default("state") and not any(map(has_state, configs))
    loops = flags["recurrence"] != flag_default("recurrence") and jax.default_backend() != "gpu"
    return (
        ["note: --data_dir has no effect with --dataset=demo"] * bool(unread)
        + ["note: --recurrence has no effect: jax sees no GPU, which alone has a kernel"] * loops
        + ["note: --state has no effect: no network of this sweep has one"] * stateless
        + ["note: --test_set has no effect without --folds=official"] * bool(drawn)
        + _of_regression(flags, continuous)
        + _of_deep_head(flags, configs)
        + [
            f"note: --{size} has no effect without --{count}"
            for count, size in MASKS.items()
            if flags[size] != flag_default(size) and not any(getattr(c, count) for c in configs)
        ]
        + [
            f"note: --{name} has no effect with --dataset={flags['dataset']}, only with manifest"
            for name in OF_MANIFESTS
            if flags["dataset"] != "manifest" and flags[name] != flag_default(name)
        ]
        + [
            f"note: --{flag_name(name)} has no effect with --modality={flags['modality']}"
            + "; the masks of words are --dropout" * (name in MASKS)
            for name, field in FIELDS.items()
            if field.modality not in ("", *used) and flags[name] != flag_default(name)
        ]
        + [*_of_no_adversary(flags, configs), *_of_no_protection(flags)]
    )


def _of_regression(flags: Mapping[str, str], continuous: bool) -> list[str]:
    if not continuous:
        is_set = flags["regression_loss"] != flag_default("regression_loss")
        return [f"note: --regression_loss has no effect without --bins={CONTINUOUS}"] * is_set
    recipes = _without_posterior(flags)
    line = (
        f"note: --bins={CONTINUOUS} without --recipe runs the ordinary network and {recipes}: "
        f"{' and '.join(OF_CLASSES)} are of classes"
    )
    return [line] * (flags["recipe"] in (AUTO, STATELESS))


def _without_posterior(flags: Mapping[str, str]) -> str:
    return " and ".join(default_recipes(False, flags["recipe"] != STATELESS))


def _of_deep_head(flags: Mapping[str, str], configs: Sequence[Config]) -> list[str]:
    recipes = _without_posterior(flags)
    line = (
        f"note: --head_layers=2 without --recipe runs the ordinary network and {recipes}: "
        f"{' and '.join(OF_LINEAR_HEAD)} need a linear head"
    )
    is_auto = flags["recipe"] in (AUTO, STATELESS)
    return [line] * (is_auto and any(c.head_layers > 1 for c in configs))


def _of_no_adversary(flags: Mapping[str, str], configs: Sequence[Config]) -> Iterator[str]:
    given = [n for n in FIELDS if flags[n] != flag_default(n)]
    if not any(map(resists, configs)):
        nobody = "no defence of this sweep resists an adversary"
        for name in given:
            if name in GOVERNED and name not in UNPROTECTED:
                yield f"note: --{name} has no effect: {nobody}"
            elif name.startswith("adversar"):
                yield f"note: --{name} is of adversaries that only watch: {nobody}"
    if "memory" in given and not any(map(_remembers, configs)):
        yield (
            "note: --memory has no effect without --relative=speaker, --defence=mmd or hsic, "
            "--adversary_steps of more than 1 or --adversary_input=standardised"
        )
    if "matched" in given and MEASURES.isdisjoint(c.defence for c in configs):
        yield "note: --matched has no effect: it is of the defences " + " and ".join(
            sorted(MEASURES)
        )


def _remembers(config: Config) -> bool:
    """Whether the latest utterances are of account in the training of a run."""
    keeps_up = config.adversary_steps > 1 or config.adversary_input != "plain"
    return is_relative(config) or (resists(config) and (keeps_up or config.defence in MEASURES))


def _of_no_protection(flags: Mapping[str, str]) -> Iterator[str]:
    """A line for each recipe that the other flags make void: lambda is 0 in all of its runs."""
    values = {name: parse(name, flags[name]) for name in ("recipe", "lambda_", *UNPROTECTED)}
    if values["lambda_"] == [(0.0,)]:
        return
    names = values["recipe"]
    if names in ([AUTO], [STATELESS]):
        compared = ("bins", "head_layers")
        product = itertools.product(*(parse(name, flags[name]) for name in compared))
        points = [dict(zip(compared, point)) for point in product]
        defaults = [n for point in points for n in _default_recipes(names[0], point)]
        names = [*dict.fromkeys(defaults)]
    for name in names:
        recipe = RECIPES[name]
        if all(
            {recipe.get(n, "none") if value == LEFT else value for value in values[n]} == {"none"}
            for n in UNPROTECTED
        ):
            given = " ".join(f"--{n}={flags[n]}" for n in UNPROTECTED if flags[n] != LEFT)
            yield f"note: --recipe={name} with {given} protects nothing: lambda is 0 in all of it"


def plan(packs: Sequence[Pack], engine: str = "here") -> str:
    """A line on what there is to do: settings, packs, and the largest number of programs."""
    runs = sum(len(pack.runs) for pack in packs)
    # To start, to train, and for h; of an attribute to train attackers and to score them.
    programs = sum(3 + 2 * len(pack.config.attributes) for pack in packs)
    kind = jax.devices()[0].device_kind
    devices = f"{jax.device_count()} devices ({kind})"
    if jax.default_backend() == "cpu":
        devices = f"{jax.device_count()} cores of the CPU, no GPU or TPU in use"
    if engine != "here":  # this process only hands them out
        devices = f"--engine={engine}"
    return (
        f"plan: {runs:,} settings on every fold, in {len(packs):,} pack{'s' * (len(packs) != 1)} "
        f"on {devices}; at most {programs:,} programs to compile"
    )


def num_folds(config: Config) -> int:
    """The number of folds that --folds says; a corpus has one official split.

    Raises:
      FileNotFoundError, ValueError: see `fold_file.read_folds`.
    """
    if is_fold_file(config.folds):
        return len(read_folds(Path(config.folds)).folds)
    return 1 if config.folds == "official" else int(config.folds)


def row_settings(config: Config) -> dict[str, Any]:
    """The columns of runs.csv that say how a run was made, under the names of their flags."""
    settings = {flag_name(name): getattr(config, name) for name in FIELDS}
    return settings | {"lambda": to_cell(config.lambda_)}
