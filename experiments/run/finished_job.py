"""The start of a command on a finished job: the job, the pick and the lines it prints."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from absl import logging

from experiments.results.workdirs import result_directory
from experiments.run.export_models import Say
from experiments.run.load_data import default_cache_dir
from privrep.messages import printable
from privrep.program import say


class FinishedJob(NamedTuple):
    """The arguments of `export_models.setting_of` and `export_models.export_models`."""

    workdir: Path
    pick: str
    cache_dir: Path
    tell: Say


def finished_job(folder: str, pick: str, cache_dir: str) -> FinishedJob:
    """The job of a command line, whose libraries say nothing but what the command does.

    Args:
      folder: its result directory, or out/<dataset> for the latest.
      pick: words that choose a setting.
      cache_dir: "" for the usual one.
    """
    logging.set_verbosity(logging.FATAL)  # orbax narrates every file
    cache = Path(cache_dir or default_cache_dir()).expanduser()
    return FinishedJob(result_directory(Path(folder)), pick, cache, tell)


def tell(sentences: Sequence[str]) -> None:
    """Prints sentences beside the result."""
    for sentence in sentences:
        say(printable(sentence), sys.stderr)
