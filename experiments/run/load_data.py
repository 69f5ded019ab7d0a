"""Loading of data: the corpus is read, its inputs are prepared once, each pack is laid out."""

import dataclasses
import os
import sys
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from experiments.config.settings import FIELDS, Config
from experiments.config.sweep import Pack, has_posterior, has_state, is_relative
from experiments.results.corpus_record import differences
from experiments.results.curves import Track, not_tracked
from privrep.datasets import DATASETS, manifest
from privrep.datasets.categories import rated_by_emotion
from privrep.duplicates import SameContent, is_saturated
from privrep.formats.columns import Naming, naming_of
from privrep.formats.numbers import parse_bins
from privrep.formats.sequences import exists, sources_of
from privrep.inputs.audio import CANCELLED, FeatureSettings
from privrep.inputs.cache import PreparedCorpus, describe, prepare
from privrep.inputs.digests import contents
from privrep.inputs.enrolment import LEAST, draw_enrolment, num_enrolled
from privrep.inputs.extraction import TRANSCRIPTS, FeatureSources, hash_of
from privrep.inputs.fold_file import folds_of, is_fold_file, named_parts, read_folds
from privrep.inputs.folds import Needed, make_folds
from privrep.inputs.labels import private_labels, task_labels
from privrep.inputs.normalisation import STATISTICS
from privrep.inputs.number_bins import bin_numbers, is_numeric
from privrep.inputs.official_split import in_official_split
from privrep.inputs.packing import Packed, PackingSettings, pack
from privrep.inputs.selection import (
    choose_classes,
    parse_classes,
    parse_only,
    select,
    settle_duplicates,
    settle_genders,
)
from privrep.inputs.split_linter import Finding, lint_split
from privrep.inputs.text import coverage, encode_all, vocabulary
from privrep.inputs.word_vectors import read_word_vectors
from privrep.messages import first
from privrep.networks.encoders import MODALITIES
from privrep.parallel.processes import is_first
from privrep.types import Corpus, Ragged, Split, Utterance, renumber, take_rows
from privrep.unlearning.rows import LEAST as LEAST_ROWS


class Job(NamedTuple):
    """A pack of a sweep and its place in the result directory.

    Attributes:
      number: of the pack, from 0; the column `pack` of runs.csv.
      folder: where its checkpoints are.
      title: for progress bars.
      track: of networks, their settings and folds, what is handed each epoch and its scalars; NaN
        of those that have stopped.
    """

    number: int
    pack: Pack
    folder: Path
    title: str
    track: Track = not_tracked


class Loaded(NamedTuple):
    """A pack's data, and sentences about it.

    Attributes:
      utterances: the N that have all labels.
      split: bool[K, N] each.
      hash, content: see `PreparedCorpus`; the hash includes the word vectors.
      findings: of the split linter, the fatal ones too.
      notes: sentences for the user.
      places: {column: where the data lay when the sweep was begun}, as its rows name it.
      vocabulary: the words of the corpus, by their numbers; () where words are none.
    """

    utterances: Sequence[Utterance]
    split: Split
    packed: Packed
    hash: str
    content: str
    findings: list[Finding]
    notes: list[str]
    places: Mapping[str, str]
    vocabulary: tuple[str, ...] = ()

    @property
    def scored(self) -> "Loaded":
        """The same without the enrolled utterances in any part: what is scored and attacked.

        A network is trained on all of its training part, and a release learns from all of it.
        """
        enrolled = self.packed.data.enrolled
        if enrolled is None:
            return self
        split = Split(*(part & ~enrolled for part in self.split))
        return self._with(split)

    @property
    def of_validation(self) -> "Loaded":
        """The same with the validation speakers of each fold in the place of its test speakers."""
        return self._with(Split(train=self.split.train, val=self.split.test, test=self.split.val))

    def _with(self, split: Split) -> "Loaded":
        data = self.packed.data
        data = data._replace(folds=data.folds._replace(split=split))
        return self._replace(split=split, packed=self.packed._replace(data=data))


def default_cache_dir() -> Path:
    """The folder of prepared data and compiled programs, unless a flag names another."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "privrep"


def read(config: Config, cache_dir: Path) -> list[Utterance]:
    """Reads the corpus from disk."""
    demo = config.dataset == "demo"
    root = cache_dir / "corpora" / "demo" if demo else Path(config.data_dir)
    if not config.data_dir and not demo:
        raise ValueError(
            f"--dataset={config.dataset} needs --data_dir: {DATASETS[config.dataset].obtain}"
        )
    dataset = DATASETS[config.dataset]
    if config.dataset == "manifest":
        utterances = manifest.read(root, _naming(config))
    else:
        utterances = dataset.read(root)
    line = f"{config.dataset}: {len(utterances):,} utterances"
    if dataset.is_whole(len(utterances)) is False and dataset.utterances is not None:
        line += f", {dataset.utterances:,} were published: is the copy whole?"
    if is_first():
        print(line, file=sys.stderr)
    return rated_by_emotion(utterances) if config.ratings_from == "emotion" else utterances


def choose(
    configs: Sequence[Config], utterances: Sequence[Utterance]
) -> tuple[list[Utterance], list[str]]:
    """The utterances that the flags of a sweep choose, their genders and bins, and lines on them.

    Raises:
      ValueError: the flags choose what the corpus does not have, or speakers have two genders.
    """
    config = configs[0]  # none of these flags is swept
    selected = select(utterances, parse_only(config.only))
    settled = settle_genders(selected.utterances, config.two_genders)
    attributes = dict.fromkeys(a for config in configs for a in config.attributes)
    binned = bin_numbers(settled.utterances, attributes, parse_bins(config.private_bins))
    return binned.utterances, [*selected.notes, *settled.notes, *binned.notes]


def _naming(config: Config) -> Naming:
    speakers = config.speakers or None
    return naming_of(config.columns, config.id, config.speaker_from, speakers, config.values)


def check(config: Config, utterances: Sequence[Utterance]) -> list[str]:
    """Makes sure that a pack can be laid out, before any pack is prepared or trained.

    Returns:
      A line on utterances that are left out, if there are any.

    Raises:
      ValueError: the corpus has no such task or private attribute (the message lists what it has),
        too few speakers for the folds, or utterances without labels that are not to be left out.
      FileNotFoundError: a file or folder that a flag names is not there.
    """
    task_labels(utterances, config.task, config.bins, np.ones(len(utterances), bool))
    for attribute in config.attributes:
        private_labels(utterances, attribute)
    of_classes = choose_classes(utterances, config.task, parse_classes(config.classes))
    utterances = of_classes.utterances
    for flag in ("acoustic_features", "lexical_features", "word_vectors"):
        path, used = getattr(config, flag), FIELDS[flag].modality
        if not path or used not in MODALITIES[config.modality]:
            continue
        sources = [path] if flag == "word_vectors" else sources_of(path)
        for source in sources:
            if not exists(source):
                raise FileNotFoundError(f"--{flag}={source}: no such file or folder")
    for modality, features, inputs, name in (
        ("acoustic", config.acoustic_features, [u.wav for u in utterances], "audio file"),
        ("lexical", config.lexical_features, [u.transcript for u in utterances], "transcript"),
    ):
        if modality in MODALITIES[config.modality] and not features and not any(inputs):
            raise ValueError(
                f"--modality={config.modality}: {config.dataset} has no {name} of any utterance; "
                f"choose another modality, or give --{modality}_features"
            )
    rows, lacking = _labelled(utterances, config)
    counts = ", ".join(f"{count:,} without {label}" for label, count in lacking.most_common())
    line = f"{config.dataset}: {counts}, of {len(utterances):,} utterances"
    if lacking and config.unlabelled == "stop":
        raise ValueError(f"{line}. Leave them out with --unlabelled=drop.")
    if not len(rows):
        raise ValueError(f"{line}: none is left for {config.task} and {config.private}")
    if is_fold_file(config.folds) and not Path(config.folds).is_file():
        raise FileNotFoundError(f"--folds={config.folds}: no such file")
    rows, _ = _in_split(config, utterances, rows)
    _split(config, [utterances[i] for i in rows])
    return [*of_classes.notes, *([f"{line}; left out"] if lacking else [])]


def preparable(utterances: Sequence[Utterance]) -> list[Utterance]:
    """Those that some task could use: of known speakers, with a label of some kind."""
    return [u for u in utterances if u.speaker is not None and (u.ratings or u.categories)]


def _split(config: Config, utterances: Sequence[Utterance]) -> Split:
    if is_fold_file(config.folds):
        return folds_of(read_folds(Path(config.folds)), utterances).split
    attributes = [a for a in config.attributes if a != "speaker"]
    everyone = np.ones(len(utterances), bool)
    codes, classes = task_labels(utterances, config.task, config.bins, everyone)
    remedy = "leave out classes or join them with others by +: --classes={enough}"
    if any(config.task in u.ratings for u in utterances):
        remedy = "take other --bins, such as tertiles"
    needed = [Needed(config.task, classes, codes, remedy=remedy)]
    for attribute in attributes:
        codes, values = private_labels(utterances, attribute)
        remedy = ""
        if is_numeric(utterances, attribute):
            remedy = f"make classes of the numbers: --private_bins={attribute}=tertiles"
        needed.append(Needed(attribute, values, codes, 2, remedy))
    balance = attributes or ["gender"]
    return make_folds(utterances, config.folds, config.fold_seed, balance, needed)


def _in_split(
    config: Config, utterances: Sequence[Utterance], rows: np.ndarray
) -> tuple[np.ndarray, list[str]]:
    """Of the `rows` those that the split uses, and sentences about the others."""
    if is_fold_file(config.folds):
        split, notes = folds_of(read_folds(Path(config.folds)), [utterances[i] for i in rows])
        used = np.any(split, (0, 1))
        return rows[used], notes
    if config.folds != "official":
        return rows, []
    test_sets = [] if config.test_set == "all" else config.test_set.split("+")
    kept, notes = in_official_split([utterances[i] for i in rows], test_sets)
    return rows[kept], notes


def inputs_of(config: Config) -> tuple[tuple[str, ...], FeatureSettings]:
    """What the prepared inputs of a pack depend on besides the corpus: modalities and settings."""
    names = [field.name for field in dataclasses.fields(FeatureSettings)]
    settings = FeatureSettings(**{name: getattr(config, name) for name in names})
    return MODALITIES[config.modality], settings


def prepare_inputs(
    config: Config, utterances: Sequence[Utterance], cache_dir: Path, progress: bool
) -> PreparedCorpus:
    """Computes frames and words of the utterances, once for these settings."""
    prepared = prepare(
        config.dataset,
        utterances,
        _feature_sources(config),
        cache_dir / "prepared",
        unusable=config.unusable,
        progress=progress,
    )
    return prepared._replace(hash=_with_files(prepared.hash, _files(config, cache_dir)))


def describe_inputs(
    config: Config, utterances: Sequence[Utterance], cache_dir: Path
) -> tuple[str, Iterator[dict[str, Any]]]:
    """(`prepare_inputs(...).hash`, a record of each utterance) without preparing any."""
    sources = _feature_sources(config)
    described = describe(config.dataset, utterances, sources, cache_dir / "prepared")
    files = _files(config, cache_dir)
    of_files = [{"id": flag, "files": content} for flag, content in files.items()]
    return _with_files(described.hash, files), chain(of_files, described.records())


def _files(config: Config, cache_dir: Path) -> dict[str, list[Any]]:
    """{flag: [[digest, size]]} of further files that results depend on, those that are used."""
    paths = {}
    if config.word_vectors and "lexical" in MODALITIES[config.modality]:
        paths["--word_vectors"] = Path(config.word_vectors)
    if is_fold_file(config.folds):
        paths["--folds"] = Path(config.folds)
    store, files = cache_dir / "prepared" / "word_vectors.json", {}
    for flag, path in paths.items():
        content = contents([path], store, f"reading {path.name}")[path]
        files[flag] = [None if content is None else [*content]]
    return files


def _with_files(data_hash: str, files: Mapping[str, Sequence[Any]]) -> str:
    listed = [content for of_flag in files.values() for content in of_flag]
    return hash_of([data_hash, *listed]) if listed else data_hash


def check_begun(
    begun: Mapping[int, Collection[str]],
    jobs: Sequence[Job],
    utterances: Sequence[Utterance],
    workdir: Path,
    cache_dir: Path,
) -> dict[str, Config]:
    """Makes sure that packs that have begun, or finished, go on with the data they began with.

    Data are the same if their labels and the content of their files are, wherever these lie. No
    features are computed.

    Args:
      begun: {number of a job: the hashes of the data that its files and rows were made from}.
      jobs: of all packs.

    Returns:
      {hash of the data of now: settings that they were prepared with} of what has begun.

    Raises:
      ValueError: the corpus or its preparation has changed; the message says what of it.
    """
    utterances, hashes, config_of = preparable(utterances), {}, {}
    for i, hashes_before in sorted(begun.items()):
        config = jobs[i].pack.config
        inputs = inputs_of(config)
        if inputs not in hashes:
            hashes[inputs] = describe_inputs(config, utterances, cache_dir)[0]
        for before in sorted({*hashes_before} - {hashes[inputs]}):
            _, records = describe_inputs(config, utterances, cache_dir)
            raise ValueError(
                f"{jobs[i].folder}: this pack was begun on other data; the corpus or its labels "
                f"have changed since: {differences(workdir, before, [*records])}. Undo that, or "
                "choose another --workdir."
            )
        config_of[hashes[inputs]] = config
    return config_of


def _feature_sources(config: Config) -> FeatureSources:
    modalities, settings = inputs_of(config)
    acoustic, lexical = config.acoustic_features, config.lexical_features
    return FeatureSources(
        (acoustic or settings) if "acoustic" in modalities else None,
        (lexical or TRANSCRIPTS) if "lexical" in modalities else None,
    )


def load(config: Config, prepared: PreparedCorpus, everyone: bool = False) -> Loaded:
    """Lays out one pack: utterances with all its labels, folds, arrays.

    Args:
      everyone: whether there is a single fold instead, whose training part is everyone.

    Raises:
      ValueError: the corpus cannot serve, and why.
    """
    rows, utterances, of_duplicates = _usable(prepared, config)
    kept, of_split = _in_split(config, utterances, np.arange(len(utterances)))
    rows, utterances = rows[kept], [utterances[i] for i in kept]
    frames = None if prepared.frames is None else take_rows(prepared.frames, rows)
    words, vectors, known, of_words = _words(config, prepared, rows)
    notes = [*_dropped(prepared), *of_duplicates, *of_split, *of_words]
    if frames is not None:
        notes.append(f"frames: {STATISTICS[config.normalise]} (--normalise={config.normalise})")
    split = _split(config, utterances)
    if everyone:
        split = _of_everyone(split)
    elif is_fold_file(config.folds):
        notes += named_parts(split, utterances)
    packed = pack(
        utterances,
        Corpus(frames, words, vectors),
        split,
        PackingSettings(
            task=config.task,
            private=config.attributes,
            bins=config.bins,
            normalise=config.normalise,
            class_weights=config.class_weights,
            further=config.further,
        ),
        vocabulary_size=len(known),
    )
    findings = lint_split(
        split,
        utterances,
        {config.task: (packed.data.folds.task, packed.task_names)},
        {a: (packed.data.folds.private[a], packed.private_names[a]) for a in config.attributes},
        _same(prepared, rows, utterances, config),
        is_drawn=not is_fold_file(config.folds),
    )
    findings = [] if everyone else findings  # of parts that nothing is judged by
    if config.enrolment:
        packed, of_enrolment = _with_enrolment(packed, split, config)
        notes += of_enrolment
    described = prepared.hash, prepared.content, findings, notes
    return Loaded(utterances, split, packed, *described, places={}, vocabulary=known)


def _of_everyone(split: Split) -> Split:
    """A single fold that trains on all utterances which some fold uses.

    Training scores a validation part after every epoch. That of the first fold is left to it, which
    is in the training part too: whoever trains on everyone must choose nothing by these scores.
    """
    used = np.any(split, (0, 1))[None]
    return Split(train=used, val=split.val[:1], test=np.zeros_like(used))


def check_relative(loaded: Loaded, runs: Sequence[Config]) -> list[str]:
    """Sentences about the speakers' means of the runs whose h is relative to the speaker.

    Raises:
      ValueError: under half of the training utterances of a fold are of speakers with enough of
        them for a mean.
    """
    if not any(map(is_relative, runs)):
        return []
    notes, speaker = [], np.asarray(loaded.packed.data.speaker)
    for fold, train in enumerate(loaded.split.train):
        counts = np.bincount(speaker[train & (speaker >= 0)], minlength=len(speaker))
        has_mean = (speaker >= 0) & (counts[np.maximum(speaker, 0)] >= LEAST_ROWS)
        share = float(has_mean[train].mean())
        if share < 0.5:
            raise ValueError(
                f"--relative=speaker: in fold {fold} only {share:.0%} of the training utterances "
                f"are of speakers with {LEAST_ROWS} of them or more, from which the mean of a "
                f"speaker is taken: choose a recipe without it ({_stateless(runs[0])})"
            )
        if share < 1:
            notes.append(
                f"relative h, fold {fold}: {1 - share:.0%} of the training utterances are of "
                f"speakers with fewer than {LEAST_ROWS}; the mean of all is taken off them"
            )
    return notes


def _stateless(config: Config) -> str:
    """The flag of recipes without a state per person that these settings can have."""
    first_recipe = "posterior" if has_posterior(config.bins, config.head_layers) else "strong"
    return f"--recipe={first_recipe},paper"


def too_few_for_states(
    configs: Sequence[Config], utterances: Sequence[Utterance]
) -> tuple[int, int] | None:
    """(number of speakers with too few utterances for the state of a person, of all speakers).

    None where at most half of the speakers of every pack have too few, or no run keeps a state.

    Args:
      configs: of all runs of a sweep.
      utterances: as `choose` returns them.
    """
    names = ("task", "private", "folds", "test_set", "enrolment")
    runs = {tuple(getattr(c, n) for n in names): c for c in configs if has_state(c) and c.enrolment}
    for config in runs.values():
        chosen = choose_classes(utterances, config.task, parse_classes(config.classes)).utterances
        rows, _ = _labelled(chosen, config)
        rows, _ = _in_split(config, chosen, rows)
        counts = Counter(chosen[i].speaker for i in rows)
        few = sum(num_enrolled(n, config.enrolment) < LEAST for n in counts.values())
        if 2 * few > len(counts):
            return few, len(counts)
    return None


def _with_enrolment(packed: Packed, split: Split, config: Config) -> tuple[Packed, list[str]]:
    """The data with the utterances that each person enrols, and sentences about them.

    Raises:
      ValueError: under half of the persons have enough utterances.
    """
    speaker, k = np.asarray(packed.data.speaker), config.enrolment
    is_used = np.any(split, (0, 1))
    uneven = config.enrolled_moods == "uneven"
    moods = np.asarray(packed.data.folds.task[0])
    drawn = draw_enrolment(config.fold_seed, np.where(is_used, speaker, -1), moods, k, uneven)
    counts = np.bincount(speaker[drawn.is_enrolled], minlength=speaker.max() + 1)
    persons = np.unique(speaker[is_used & (speaker >= 0)])
    few = int((counts[persons] < LEAST).sum())
    if 2 * few > len(persons):
        raise ValueError(
            f"--enrolment={k}: {few} of {len(persons)} speakers have too few utterances to enrol "
            f"{LEAST}, from which the state of a person is taken: choose a recipe without one "
            f"({_stateless(config)})"
        )
    moods_of = "unevenly over emotions" if uneven else "evenly"
    notes = [
        f"enrolment: {k} utterances of each speaker, drawn {moods_of}, make the speaker's state "
        f"and are scored nowhere ({int(drawn.is_enrolled.sum())} of {len(speaker)})"
    ]
    if config.state == "running":
        notes.append(
            "state: updated after every utterance that is scored, in the order of the "
            "corpus (--state=running)"
        )
    if drawn.num_short:
        notes.append(
            f"enrolment: {drawn.num_short} of {len(persons)} speakers have fewer than "
            f"{k + LEAST} utterances and enrol half of them; {few} enrol fewer than {LEAST}"
        )
    return packed._replace(data=packed.data._replace(enrolled=drawn.is_enrolled)), notes


def _dropped(prepared: PreparedCorpus) -> list[str]:
    total = len(prepared.utterances) + len(prepared.dropped)
    ids_of: dict[str, list[str]] = {}
    for id_, reason in prepared.dropped.items():
        ids_of.setdefault(f"left out: {reason}", []).append(id_)
    for id_, remark in prepared.remarks.items():
        drop = "drop_repaired" if remark == CANCELLED else "drop"
        what = f"used, unless --unusable={drop} leaves such out: {remark}"
        ids_of.setdefault(what, []).append(id_)
    return [
        f"{len(ids):,} of {total:,} utterances {what} ({first(ids)})"
        for what, ids in ids_of.items()
    ]


def _labelled(utterances: Sequence[Utterance], config: Config) -> tuple[np.ndarray, Counter]:
    """Utterances with a speaker, the task's label and every attribute; what the others lack."""

    def has(u: Utterance, label: str) -> bool:
        if label == "speaker":
            return u.speaker is not None
        is_task = label == config.task and (label in u.ratings or label in u.categories)
        return is_task or (label in config.attributes and label in u.private)

    labels = dict.fromkeys(("speaker", config.task, *config.attributes))
    # A name that no utterance has is a misspelling; the labels' own error lists the valid ones.
    needed = [label for label in labels if any(has(u, label) for u in utterances)]
    lacking = [next((n for n in needed if not has(u, n)), None) for u in utterances]
    rows = np.array([i for i, label in enumerate(lacking) if label is None], np.int64)
    return rows, Counter(label for label in lacking if label is not None)


def _usable(
    prepared: PreparedCorpus, config: Config
) -> tuple[np.ndarray, list[Utterance], list[str]]:
    """The rows of those with all labels, these utterances with the chosen classes, and notes."""
    row_of = {u.id: i for i, u in enumerate(prepared.utterances)}
    classes = parse_classes(config.classes)
    chosen = choose_classes(prepared.utterances, config.task, classes).utterances
    labelled, _ = _labelled(chosen, config)
    usable = [chosen[i] for i in labelled]
    rows = np.array([row_of[u.id] for u in usable], np.int64)
    same = _same(prepared, rows, usable, config)
    if same is None:
        return rows, usable, []
    usable, notes = settle_duplicates(usable, same.equal, config.duplicates)
    return np.array([row_of[u.id] for u in usable], np.int64), usable, notes


def _same(
    prepared: PreparedCorpus, rows: np.ndarray, utterances: Sequence[Utterance], config: Config
) -> SameContent | None:
    """Which of the utterances, `rows` of the prepared ones, have the same frames."""
    if prepared.same is None:
        return None
    same = prepared.same.take(rows)
    speakers = renumber([u.speaker for u in utterances])
    if config.acoustic_features and is_saturated(same.equal, speakers):
        return None  # ready features of few values
    return same


def _words(
    config: Config, prepared: PreparedCorpus, rows: np.ndarray
) -> tuple[Ragged | None, np.ndarray | None, tuple[str, ...], list[str]]:
    """Words of a pack, their vectors, the vocabulary, and notes about them."""
    if prepared.words is None:
        return None, None, (), []
    if isinstance(prepared.words, Ragged):
        return take_rows(prepared.words, rows), None, (), []
    transcripts = [prepared.words[i] for i in rows]
    if config.word_vectors:
        spoken = {word for words in transcripts for word in words}
        known, vectors = read_word_vectors(Path(config.word_vectors), spoken)
        share = coverage(transcripts, known)
        note = f"word vectors: {share:.1%} of the running words are in {config.word_vectors}"
        return encode_all(transcripts, known), vectors, known, [note]
    known = vocabulary(transcripts)
    note = f"word vectors: learned in the network, {len(known) - 1:,} words"
    return encode_all(transcripts, known), None, known, [note]
