"""The default result directory: out/<dataset>/<date-time>, the last one `latest`.

`latest` is a symbolic link in out/<dataset>, or a file that holds the name where links are
impossible. A command that is given out/<dataset> takes the directory to which it points.
"""

import contextlib
import os
import re
from datetime import datetime
from pathlib import Path

from experiments.results.resume import has_flags
from privrep.files import replace_file
from privrep.messages import first

OUT = Path("out")
LATEST = "latest"
_NAME = re.compile(r"[\w.+=-]+")
_BEGUN = "flags.txt"


def chosen(workdir: str, name: str, dataset: str, resume: bool) -> Path:
    """The directory of a job. One of its own, if it has neither `workdir` nor `name`, exists then.

    Args:
      workdir: of --workdir, "" if not given.
      name: of --name, likewise.
      dataset: of the corpus.
      resume: go on with the latest directory, if there is one.

    Raises:
      ValueError: both are given, `name` cannot name a folder, or none can be made.
    """
    folder = OUT / dataset
    if workdir and name:
        raise ValueError(
            f"--workdir={workdir} --name={name}: give one of them; --name is the last part of "
            f"{folder}/NAME"
        )
    if workdir:
        return Path(workdir).expanduser()
    if name:
        if not _NAME.fullmatch(name) or name in (LATEST, ".", ".."):
            raise ValueError(
                f"--name={name}: one folder of {folder}, of letters, digits and any of . _ + = -, "
                f"and not {LATEST}"
            )
        return folder / name
    before = latest(folder) if resume else None
    return before or _reserved(folder)


def _reserved(folder: Path) -> Path:
    """A new directory, named by date and time: jobs may start in the same second."""
    started = datetime.now().strftime("%Y-%m-%d_%H%M%S")
    number = 1
    while True:
        path = folder / (started if number == 1 else f"{started}_{number}")
        try:
            path.mkdir(parents=True)
        except FileExistsError:
            number += 1
        except OSError as error:
            raise ValueError(
                f"{path}: cannot be made: {error.strerror}; say with --workdir where results go"
            ) from error
        else:
            return path


def drop_empty(workdir: Path) -> None:
    """Removes a directory in which nothing was written, because the job stopped before."""
    with contextlib.suppress(OSError):
        workdir.rmdir()
        for folder in (workdir.parent, OUT):  # which were made for it, if they are empty
            if folder.resolve().is_relative_to(OUT.resolve()):
                folder.rmdir()


def point_latest(workdir: Path) -> None:
    """Has `latest` beside the directory point to it."""
    link = workdir.parent / LATEST
    if link.exists() and not (link.is_symlink() or link.is_file()):
        return  # somebody's folder
    try:
        partial = link.with_name(f"{LATEST}.{os.getpid()}.partial")
        partial.symlink_to(workdir.name)
        partial.replace(link)
    except (OSError, NotImplementedError):
        link.unlink(missing_ok=True)
        replace_file(link, workdir.name + "\n")


def latest(folder: Path) -> Path | None:
    """The directory that out/<dataset>/latest points to; None where there is none."""
    link = folder / LATEST
    try:
        name = os.readlink(link) if link.is_symlink() else link.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return None
    path = folder / name
    return path if (path / _BEGUN).exists() else None


def result_directory(folder: Path) -> Path:
    """The directory that a command reads: of out/<dataset> the latest, else the folder itself."""
    return latest(folder) or folder


def results_below(folder: Path) -> str:
    """A clause that names the result directories in a folder that is none; "" without any."""
    names = sorted(
        str(table.parent) for depth in ("*", "*/*") for table in folder.glob(f"{depth}/runs.csv")
    )
    return f"; results lie in {first(names)}: name one of these" if names else ""


def same_flags(folder: Path, text: str) -> list[Path]:
    """The directories of out/<dataset> that hold results of these flags, the latest first."""
    paths = [path for path in folder.iterdir() if path.name != LATEST and path.is_dir()]
    agreeing = [path for path in paths if has_flags(path, text)]
    return sorted(agreeing, key=lambda path: path.name, reverse=True)
