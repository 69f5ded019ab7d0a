"""The one process that writes to a result directory: it holds its lock, and the directory stays."""

import contextlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from experiments.results import parts, resume
from experiments.results.columns import Row
from privrep.lock import Lock, holding
from privrep.parallel.processes import is_first


class Writer:
    """The right to write to a result directory, from entering the context to its end.

    Of the processes of a job the first has it; the others may call all of this to no effect.

    Attributes:
      workdir: the directory; made when the context is entered.
    """

    def __init__(self, workdir: Path) -> None:
        self.workdir = workdir
        self._lock: Lock | None = None
        self._directory: int | None = None
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> "Writer":
        if is_first() and self._lock is None:
            resume.make_workdir(self.workdir)
            self._lock = self._stack.enter_context(holding(self.workdir / "writer.lock"))
        return self

    def __exit__(self, *error: Any) -> None:
        self._stack.close()

    def watch(self) -> None:
        """From now on the directory and its flags.txt must stay."""
        # Kept open, so that no other folder can get its number.
        self._directory = os.open(self.workdir, os.O_RDONLY)
        self._stack.callback(os.close, self._directory)

    def check(self) -> None:
        """Makes sure that the directory is there and that no other process has taken it over.

        Raises:
          FileNotFoundError: the directory or its flags.txt was removed or replaced since `watch`.
          InUse: another process has taken it over.
        """
        if self._directory is not None and not self._is_there(self._directory):
            raise FileNotFoundError(
                f"{self.workdir} was removed or replaced while the program ran, and the results in "
                "it: start again"
            )
        if self._lock is not None:
            self._lock.check()

    def write(self, table: str, pack: int, rows: Sequence[Row]) -> None:
        """Writes a pack's rows of a table, see `parts`."""
        self.check()
        parts.write_part(self.workdir, table, pack, rows)

    def _is_there(self, directory: int) -> bool:
        try:
            now = os.stat(self.workdir)
            os.stat(self.workdir / "flags.txt")
        except FileNotFoundError:
            return False
        return os.path.samestat(now, os.fstat(directory))
