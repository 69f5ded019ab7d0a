"""Reads the data of one pack after the other, in the first process before the others."""

import sys
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from experiments.config.settings import Config
from experiments.results import corpus_record, parts
from experiments.results.checkpoints import begin
from experiments.results.fold_files import write_folds
from experiments.results.writer import Writer
from experiments.run.hours import hours_note
from experiments.run.load_data import (
    Job,
    Loaded,
    check_relative,
    describe_inputs,
    inputs_of,
    load,
    preparable,
    prepare_inputs,
)
from privrep.inputs.cache import PreparedCorpus
from privrep.inputs.split_linter import grouped, stop_on_fatal
from privrep.parallel.processes import is_first, text_of_first, wait_for_all
from privrep.program import sentence_of
from privrep.types import Utterance


@dataclass
class Messages:
    """Lines for the user, each printed once."""

    printed: set[str] = field(default_factory=set)

    def say(self, lines: Iterable[str]) -> None:
        """Prints the lines that were not printed before."""
        for line in lines:
            if line not in self.printed and is_first():
                print(line, file=sys.stderr)
            self.printed.add(line)


@dataclass
class Loader:
    """Reads a pack's data.

    Attributes:
      places: see `Loaded`.
      latest: the prepared inputs of the pack before, which may be those of the next one.
    """

    utterances: list[Utterance]
    cache_dir: Path
    writer: Writer
    say: Callable[[list[str]], None]
    places: Mapping[str, str]
    latest: dict[Any, PreparedCorpus] = field(default_factory=dict)

    def __call__(self, job: Job) -> Loaded:
        """The data of a pack that begins, or goes on."""
        loaded = self.read(job)
        if is_first():
            begin(job.folder, loaded.hash)
        wait_for_all("begin")
        return loaded

    def read(self, job: Job) -> Loaded:
        """The data of a pack; the findings of the split linter are written."""
        config = job.pack.config
        inputs = inputs_of(config)
        if inputs not in self.latest:
            self.latest.clear()
            usable = preparable(self.utterances)
            self.latest[inputs] = first_before_others(
                partial(prepare_inputs, config, usable, self.cache_dir, True)
            )
            if is_first():
                self._record(config, self.latest[inputs].hash)
        self.say(hours_note(config.dataset, self.latest[inputs], len(self.utterances)))
        loaded = load(config, self.latest[inputs])._replace(places=self.places)
        if is_first():
            self.writer.check()
            parts.write_findings(self.writer.workdir, job.number, loaded.findings)
            write_folds(self.writer.workdir, job.number, loaded.split, loaded.utterances)
        stop_on_fatal(loaded.findings)
        of_means = check_relative(loaded, job.pack.runs)
        self.say([*loaded.notes, *of_means, *grouped(loaded.findings)])
        return loaded

    def restore_records(self, config_of: Mapping[str, Config]) -> None:
        """Writes what is damaged of the records of data {hash: settings}, which are unchanged."""
        for data_hash, config in config_of.items():
            problem = corpus_record.record_fault(self.writer.workdir, data_hash)
            if problem and is_first():
                warnings.warn(f"{problem}: it is made anew of the corpus", stacklevel=2)
                self._record(config, data_hash)

    def _record(self, config: Config, data_hash: str) -> None:
        """Notes what the data are, to name what differs where they are others one day."""
        if corpus_record.record_fault(self.writer.workdir, data_hash):
            usable = preparable(self.utterances)
            described_hash, records = describe_inputs(config, usable, self.cache_dir)
            if described_hash != data_hash:
                raise ValueError(f"{config.dataset} changes while it is read: start again")
            corpus_record.write_record(self.writer.workdir, data_hash, [*records])


def first_before_others(f: Callable[[], Any]) -> Any:
    """f() in every process, in the first one before the others, which find what it has made.

    Raises:
      ValueError: f has failed in the first process; the others end with its sentence, too.
    """
    if is_first():
        try:
            result = f()
        except Exception as error:
            text_of_first(sentence_of(error) or f"the first process has failed: {error!r}")
            raise
        text_of_first("")
        return result
    message = text_of_first("")
    if message:
        raise ValueError(message)
    return f()
