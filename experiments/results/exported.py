"""Exported h of a result directory: the checksums of what was written."""

from pathlib import Path

from privrep.files import fault

SEAL = "export.sha256"  # in the folder of each fold


def check_export(folder: Path) -> None:
    """Makes sure that an exported pack is as it was written.

    Raises:
      ValueError: a file is missing or damaged.
    """
    for fold in sorted(folder.glob("fold_*")):
        problem = fault(fold / SEAL) or fault(fold / SEAL, *(f.name for f in fold.glob("*.npz")))
        if problem:
            raise ValueError(
                f"{problem}: write it anew, with experiments.main, the flags of this directory's "
                "flags.txt, --resume and --export=all"
            )
