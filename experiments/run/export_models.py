"""Model folders of a finished result directory, which `privrep.load` reads.

<workdir>/models/<setting>/fold_<k>/ holds the network of fold k, see `deploy/model_folder.py`.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from experiments.config.settings import FIELDS, Config, flag_name
from experiments.config.sweep import Pack, expand, row_settings
from experiments.results import parts
from experiments.results.checkpoints import load_chosen, load_params, load_release
from experiments.results.columns import Row
from experiments.results.expected_rows import check_plan
from experiments.results.model_card import OF_CORPUS, Terms, card_of
from experiments.results.model_card_page import FACTS, PAGE, card_json, card_page
from experiments.results.picked import SETTINGS, Picked, parse_words, pick
from experiments.results.resume import read_flags
from experiments.results.runs_csv import read_runs, written
from experiments.results.workdirs import results_below
from experiments.run.describe_model import describe, inputs_of_model
from experiments.run.load_data import Loaded, choose, load, preparable, prepare_inputs, read
from privrep.deploy.description import Description
from privrep.deploy.model_folder import write_model
from privrep.inputs.cache import PreparedCorpus
from privrep.parallel.run_axis import take
from privrep.unlearning.person_release import PERSON_RELEASES
from privrep.unlearning.releases import Learned, to_arrays

_IN_NAMES = ("lambda", "recipe", "seed")
_LEFT_BEHIND = ("adversaries", "further_heads", "units")  # parameters that no release needs
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


class PickedSetting(NamedTuple):
    """A setting of a finished result directory that was picked, and its data.

    Attributes:
      folder: where its models belong, <workdir>/models/<setting>.
      picked: its rows of runs.csv, and why it was picked.
      pack: the settings of the networks that trained together, `number` of the directory.
      config: the settings of these networks.
      flags: of flags.txt.
      repeat: words for --pick that name the setting.
      prepared: the inputs of the corpus.
    """

    workdir: Path
    folder: Path
    picked: Picked
    pack: Pack
    number: int
    config: Config
    flags: Mapping[str, str]
    repeat: str
    prepared: PreparedCorpus


def setting_of(workdir: Path, words: str, cache_dir: Path, say: Say) -> PickedSetting:
    """The setting of a finished result directory whose networks are to be used.

    Args:
      words: see `picked.parse_words`; "" leaves the pick to validation.
      cache_dir: of prepared data.
      say: prints sentences: what was picked.

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
        raise ValueError(
            f"{workdir} is no finished result directory of experiments.main{results_below(workdir)}"
        )
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
    return PickedSetting(
        workdir=workdir,
        folder=workdir / "models" / setting_name(picked.rows[0], rows),
        picked=picked,
        pack=pack,
        number=number,
        config=config,
        flags=flags,
        repeat=",".join(_setting_words(picked.rows[0], rows)),
        prepared=_prepared([p.config for p in packs], config, picked.rows[0], cache_dir),
    )


def export_models(
    workdir: Path, words: str, cache_dir: Path, say: Say, terms: Terms = OF_CORPUS
) -> ExportedModels:
    """Writes the model folders of a setting of a finished result directory, one for each fold.

    Args:
      workdir, words, cache_dir: see `setting_of`.
      say: prints sentences: what was picked, and what was left out.
      terms: of the data, for the model cards.

    Raises:
      ValueError: see `setting_of`.
    """
    setting = setting_of(workdir, words, cache_dir, say)
    config, picked = setting.config, setting.picked
    loaded = load(config, setting.prepared)
    networks = load_networks(setting)
    folders, rows_of_folders = [], []
    for row in picked.rows:
        place = networks.places[row["fold"]]
        of_row = take(networks.params, place)
        if not is_finite(of_row):
            say([f"fold {row['fold']}: its network diverged and is left out"])
            continue
        folder = setting.folder / f"fold_{row['fold']}"
        description = describe(setting.pack, config, loaded, row)
        inputs = inputs_of_model(config, loaded, row["fold"])
        trained = TrainedNetwork(of_row, take(networks.learned, place), inputs)
        write_network(folder, setting, description, row, trained, terms)
        folders.append(folder)
        rows_of_folders.append(row)
    return ExportedModels(folders, rows_of_folders, config, loaded)


class FoldNetworks(NamedTuple):
    """The networks of a pack.

    Attributes:
      params, learned: rows [R, ...], of all of them.
      places: {fold: row} of those of the setting.
    """

    params: Mapping[str, Any]
    learned: Learned
    places: Mapping[int, int]


def load_networks(setting: PickedSetting) -> FoldNetworks:
    """Reads the networks of the setting's pack, as the main job has chosen them.

    Raises:
      ValueError: see `checkpoints.load_params`.
    """
    checkpoint = setting.workdir / "checkpoints" / f"{setting.number:03d}"
    described = [*map(_filled, load_chosen(checkpoint)[0])]
    like = setting.picked.rows[0]
    places = {d["fold"]: i for i, d in enumerate(described) if _is_same(d, like)}
    return FoldNetworks(load_params(checkpoint), load_release(checkpoint), places)


class TrainedNetwork(NamedTuple):
    """A trained network.

    Attributes:
      params: of the network, adversaries included.
      learned: what its release has learned.
      inputs: arrays that its inputs need, see `model_folder.Model`.
    """

    params: Mapping[str, Any]
    learned: Learned
    inputs: Mapping[str, np.ndarray]


def write_network(
    folder: Path,
    setting: PickedSetting,
    description: Description,
    row: Row,
    trained: TrainedNetwork,
    terms: Terms,
) -> None:
    """Writes a network as a model folder with its card; what only training needs stays behind.

    Args:
      row: of runs.csv, of this network; of a final network that of any fold.
    """
    release = {name: np.asarray(a) for name, a in to_arrays(trained.learned).items()}
    if setting.config.release not in PERSON_RELEASES:  # what is known of training speakers stays
        release = {n: a for n, a in release.items() if not n.startswith("person_")}
    card = card_of(description, row, setting.picked, setting.flags, setting.repeat, terms)
    write_model(
        folder,
        description,
        {n: a for n, a in trained.params.items() if not n.startswith(_LEFT_BEHIND)},
        release,
        trained.inputs,
        {PAGE: card_page(card), FACTS: card_json(card)},
    )


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


def _prepared(
    configs: Sequence[Config], config: Config, row: Row, cache_dir: Path
) -> PreparedCorpus:
    """The inputs of the corpus that the networks were trained on.

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
    return prepared


def is_finite(params: Any) -> bool:
    """Whether all numbers of a tree of arrays are finite: else training diverged."""
    return all(np.isfinite(array).all() for array in _leaves(params))


def _leaves(tree: Any) -> list[np.ndarray]:
    if isinstance(tree, Mapping):
        return [leaf for part in tree.values() for leaf in _leaves(part)]
    return [np.asarray(tree)]
