"""A result directory that must stay where it is while a program writes to it."""

import os
from pathlib import Path


class Presence:
    """Notices that a folder, or a file in it, was removed or replaced."""

    def __init__(self, folder: Path, file: str) -> None:
        self._folder, self._file = folder, file
        # Kept open, so that no other folder can get its number.
        self._descriptor = os.open(folder, os.O_RDONLY)

    def check(self) -> None:
        """Makes sure that the folder and the file are still there.

        Raises:
          FileNotFoundError: they are not.
        """
        try:
            now = os.stat(self._folder)
            os.stat(self._folder / self._file)
        except FileNotFoundError:
            now = None
        if now is None or not os.path.samestat(now, os.fstat(self._descriptor)):
            raise FileNotFoundError(
                f"{self._folder} was removed or replaced while the program ran, and the results in "
                "it: start again"
            )
