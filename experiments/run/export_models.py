"""Model folders of a finished result directory, which `privrep.load` reads.

<workdir>/models/<setting>/fold_<k>/ holds the network of fold k, see `deploy/model_folder.py`.
"""

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from experiments.config import build
from experiments.config.settings import FIELDS, Config, flag_name
from experiments.config.sweep import Pack, expand, is_relative, row_settings
from experiments.results import parts
from experiments.results.checkpoints import load_chosen, load_params, load_release
from experiments.results.columns import Row, is_score
from experiments.results.expected_rows import check_plan
from experiments.results.model_card import SCOPE, card_of
from experiments.results.model_card_page import FACTS, PAGE, card_json, card_page
from experiments.results.picked import SETTINGS, parse_words, pick
from experiments.results.resume import read_flags
from experiments.results.runs_csv import read_runs, written
from experiments.run.load_data import Loaded, choose, load, preparable, prepare_inputs, read
from privrep.attacks.trained.fresh_attackers import SPEAKER
from privrep.deploy.description import AcousticInput, Description, LexicalInput, TaskOutput
from privrep.deploy.model_folder import write_model
from privrep.files import sha256
from privrep.inputs.audio import FeatureSettings
from privrep.parallel.run_axis import take
from privrep.unlearning.person_release import PERSON_RELEASES
from privrep.unlearning.releases import to_arrays

_IN_NAMES = ("lambda", "recipe", "seed")
_LEFT_BEHIND = ("adversaries", "further_heads", "units")  # parameters that no release needs
_OF_MEASUREMENT = ("verdict", "chance", "strongest")
Say = Callable[[Sequence[str]], None]


class ExportedModels(NamedTuple):
    """Model folders that were written.

    Attributes:
      folders: one for each fold.
      rows: of runs.csv, of each folder.
      config: the settings of the networks.
      loaded: the data that they were trained on.
    """

    folders: list[Path]
    rows: list[Row]
    config: Config
    loaded: Loaded


def export_models(workdir: Path, words: str, cache_dir: Path, say: Say) -> ExportedModels:
    """Writes the model folders of a setting of a finished result directory, one for each fold.

    Args:
      words: see `picked.parse_words`; "" leaves the pick to validation.
      cache_dir: of prepared data.
      say: prints sentences: what was picked, and what was left out.

    Raises:
      ValueError: the directory is not finished, no run has these settings, or the corpus is not
        the one that the networks were trained on.
    """
    given = parse_words(words)
    parts.check(workdir, "runs")
    rows = read_runs(workdir / "runs.csv")
    check_plan(workdir, rows)
    rows = [*map(_filled, rows)]
    if not rows:
        raise ValueError(f"{workdir} is no finished result directory of experiments.main")
    picked = pick(rows, given)
    say(picked.notes)
    packs, flags = _packs(workdir), read_flags(workdir) or {}
    number = picked.rows[0]["pack"]
    pack = packs[number]
    config = next((c for c in pack.runs if _is_same(row_settings(c), picked.rows[0])), None)
    if config is None:
        raise ValueError(
            f"{workdir}: an earlier version, whose settings meant something else, has made these "
            "networks: export them with that version, or train them again"
        )
    loaded = _loaded([p.config for p in packs], config, picked.rows[0], cache_dir)
    checkpoint = workdir / "checkpoints" / f"{number:03d}"
    described = [*map(_filled, load_chosen(checkpoint)[0])]
    params, learned = load_params(checkpoint), load_release(checkpoint)
    repeat = ",".join(_setting_words(picked.rows[0], rows))
    folders, rows_of_folders = [], []
    for row in picked.rows:
        place = next(
            i for i, d in enumerate(described) if _is_same(d, row) and d["fold"] == row["fold"]
        )
        of_row = take(params, place)
        if not all(np.isfinite(a).all() for a in _leaves(of_row)):
            say([f"fold {row['fold']}: its network diverged and is left out"])
            continue
        folder = workdir / "models" / setting_name(picked.rows[0], rows) / f"fold_{row['fold']}"
        release = {name: np.asarray(a) for name, a in to_arrays(take(learned, place)).items()}
        if config.release not in PERSON_RELEASES:  # what is known of training speakers stays
            release = {n: a for n, a in release.items() if not n.startswith("person_")}
        description = describe(pack, config, loaded, row)
        card = card_of(description, row, len(picked.rows), picked.notes, flags, repeat)
        write_model(
            folder,
            description,
            {n: a for n, a in of_row.items() if not n.startswith(_LEFT_BEHIND)},
            release,
            _inputs(config, loaded, row["fold"]),
            {PAGE: card_page(card), FACTS: card_json(card)},
        )
        folders.append(folder)
        rows_of_folders.append(row)
    return ExportedModels(folders, rows_of_folders, config, loaded)


def export_picked(workdir: Path, cache_dir: Path, say: Say) -> None:
    """`export_models` of what validation picks for each question: task, bins, modality, attributes.

    Where there is nothing to pick, that is said.
    """
    rows = map(_filled, read_runs(workdir / "runs.csv"))
    runs = [row for row in rows if row["control"] is None]
    names = ("task", "bins", "modality", "private")
    for values in dict.fromkeys(tuple(str(row[name]) for name in names) for row in runs):
        words = ",".join(f"{name}={value}" for name, value in zip(names, values))
        try:
            folders = export_models(workdir, words, cache_dir, say).folders
        except ValueError as error:
            say([f"no model is exported of {words}: {error}"])
            continue
        say([f"models: {folder.parent}" for folder in folders[:1]])


def setting_name(row: Row, rows: Sequence[Row]) -> str:
    """The name of a setting among those of a directory."""
    return "_".join(_setting_words(row, rows)).replace("/", "-")


def _setting_words(row: Row, rows: Sequence[Row]) -> list[str]:
    """Words for --pick: lambda, recipe, seed and what varies."""
    runs = [other for other in rows if other["control"] is None]
    same = [r for r in runs if (r["lambda"], r["recipe"]) == (row["lambda"], row["recipe"])]
    varying = [n for n in SETTINGS if n not in _IN_NAMES and len({r.get(n) for r in same}) > 1]
    return [f"{n}={written(row.get(n), n).removesuffix('.0')}" for n in (*_IN_NAMES, *varying)]


def describe(pack: Pack, config: Config, loaded: Loaded, row: Row) -> Description:
    """The description of the network of a row of runs.csv."""
    packed = loaded.packed
    net = build.architecture(pack, packed).net
    corpus, ratings, fold = packed.data.corpus, packed.ratings, row["fold"]
    task = TaskOutput(config.task, packed.task_names)
    if ratings is not None:
        mean, deviation = float(ratings.mean[fold]), float(ratings.deviation[fold])
        task = TaskOutput(config.task, (), mean, deviation)
    acoustic = lexical = None
    if corpus.frames is not None:
        names = [field.name for field in dataclasses.fields(FeatureSettings)]
        log_mel = FeatureSettings(**{name: getattr(config, name) for name in names})
        acoustic = AcousticInput(
            num_features=int(corpus.frames.values.shape[1]),
            normalise=config.normalise,
            log_mel=None if config.acoustic_features else log_mel,
        )
    if corpus.words is not None:
        lexical = _lexical(config, loaded)
    private = {a: packed.private_names[a] if a != SPEAKER else () for a in config.attributes}
    return Description(
        encoders={name: _settings_of(module) for name, module in net.encoders.items()},
        head_layers=config.head_layers,
        head_width=config.dense_width,
        precision=config.precision,
        release=config.release,
        relative=is_relative(config),
        running=config.state == "running",
        n0=config.n0,
        acoustic=acoustic,
        lexical=lexical,
        task=task,
        private=private,
        training=_training(config, row),
        privacy={"scope": SCOPE, "figures": _figures(row)},
    )


def _settings_of(module: Any) -> dict[str, Any]:
    fields = [field.name for field in dataclasses.fields(module)]
    return {name: getattr(module, name) for name in fields if name not in ("parent", "name")}


def _lexical(config: Config, loaded: Loaded) -> LexicalInput:
    words, vectors = loaded.packed.data.corpus.words, loaded.packed.data.corpus.word_vectors
    assert words is not None
    if config.lexical_features:
        return LexicalInput("ready", int(words.values.shape[1]))
    if vectors is not None:
        return LexicalInput("vectors", int(vectors.shape[1]), sha256(Path(config.word_vectors)))
    return LexicalInput("learned", config.word_size)


def _inputs(config: Config, loaded: Loaded, fold: int) -> dict[str, np.ndarray]:
    """The arrays that the inputs need, see `model_folder.Model`."""
    transform, corpus = loaded.packed.data.folds.inputs, loaded.packed.data.corpus
    arrays: dict[str, np.ndarray] = {}
    if transform.frame_mean is not None and transform.frame_scale is not None:
        arrays["frame_mean"] = transform.frame_mean[fold]
        arrays["frame_scale"] = transform.frame_scale[fold]
    if transform.word_index is not None:
        # The network knows the words of its training part alone, by other numbers.
        index = transform.word_index[fold]
        known = np.flatnonzero(index > 0)
        names = {int(index[i]): loaded.vocabulary[i] for i in known}
        arrays["vocabulary"] = np.array(
            [loaded.vocabulary[0], *(names[i] for i in range(1, len(names) + 1))]
        )
    elif corpus.word_vectors is not None:
        arrays["vocabulary"] = np.array(loaded.vocabulary)
        arrays["word_vectors"] = corpus.word_vectors
    return arrays


def _training(config: Config, row: Row) -> dict[str, Any]:
    places = ("data_dir", "speakers", "word_vectors", "acoustic_features", "lexical_features")
    settings = {n: v for n, v in row_settings(config).items() if n not in places}
    if "/" in str(settings["folds"]):  # a table of folds goes by its name
        settings["folds"] = Path(settings["folds"]).name
    return {
        "recipe": config.recipe,
        "lambda": dict(config.lambda_),
        "seed": config.seed,
        "fold": row["fold"],
        "epoch": row["best_epoch"],
        "dataset": config.dataset,
        "settings": settings,
        "prepared_hash": str(row["prepared_hash"]),
        "data_hash": str(row["data_hash"]),
        "versions": {n.removeprefix("version_"): v for n, v in row.items() if n[:8] == "version_"},
    }


def _figures(row: Row) -> dict[str, Any]:
    """The scores and verdicts of a row, of which those of this fold alone begin with its parts."""
    settings = {*map(flag_name, FIELDS)}
    return {
        name: value
        for name, value in row.items()
        if name not in settings
        and value is not None
        and (is_score(name) or name.endswith(_OF_MEASUREMENT) or "_pooled_" in name)
        and not (isinstance(value, float) and not math.isfinite(value))
    }


def _packs(workdir: Path) -> list[Pack]:
    flags = read_flags(workdir)
    names = {flag_name(field): field for field in FIELDS}
    if flags is None:
        raise ValueError(f"{workdir} holds no flags.txt that says how its networks were made")
    return expand({names[name]: value for name, value in flags.items() if name in names})


def _filled(row: Row) -> Row:
    """The row with every setting: those that a later version added had their default before."""
    return {flag_name(name): field.default for name, field in FIELDS.items()} | row


def _is_same(settings: Mapping[str, Any], row: Row) -> bool:
    names = (*SETTINGS, "seed")
    return all(written(settings.get(n), n) == written(row.get(n), n) for n in names)


def _loaded(configs: Sequence[Config], config: Config, row: Row, cache_dir: Path) -> Loaded:
    """The data that the networks were trained on.

    Raises:
      ValueError: the corpus has changed since.
    """
    utterances, _ = choose(configs, read(config, cache_dir))
    prepared = prepare_inputs(config, preparable(utterances), cache_dir, True)
    if prepared.hash != str(row["prepared_hash"]):
        raise ValueError(
            f"{config.dataset} is not the corpus that these networks were trained on: it, its "
            f"labels or a file have changed since (hash {prepared.hash}, then "
            f"{row['prepared_hash']})"
        )
    return load(config, prepared)


def _leaves(tree: Any) -> list[np.ndarray]:
    if isinstance(tree, Mapping):
        return [leaf for part in tree.values() for leaf in _leaves(part)]
    return [np.asarray(tree)]
