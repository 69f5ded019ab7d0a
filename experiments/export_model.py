"""Model folders of a finished result directory, for `privrep.load` and `privrep encode`.

    python -m experiments.main --dataset=demo
    python -m experiments.export_model out/demo --pick=recipe=posterior,lambda=1

Without --pick validation picks among the protected settings. Every fold has a network of its own,
in out/demo/models/<setting>/fold_<k>/.
"""

import experiments.start  # isort: skip  # noqa: F401  # before what takes time to import

import argparse
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path

from privrep.messages import printable
from privrep.program import errors_in_a_line, say


def parse(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """folder, pick, cache_dir; --help and wrong arguments are answered and end the program."""
    parser = argparse.ArgumentParser(
        prog="python -m experiments.export_model",
        description="Writes the networks of one setting as model folders, which describe "
        "themselves: one for each fold, under DIR/models.",
    )
    parser.add_argument("folder", metavar="DIR", help="result directory of experiments.main")
    parser.add_argument(
        "--pick",
        default="",
        metavar="WORDS",
        help="settings of the networks, such as recipe=posterior,lambda=1,seed=0; among those that "
        "are left validation picks, and it is said what",
    )
    parser.add_argument(
        "--cache_dir", default="", help="folder of prepared data, if the main job had another"
    )
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Exports what the command line names."""
    parsed = parse(argv)
    warnings.showwarning = lambda message, *_: print(f"note: {message}", file=sys.stderr)
    with errors_in_a_line():
        from absl import logging

        from experiments.run.export_models import export_models
        from experiments.run.load_data import default_cache_dir

        logging.set_verbosity(logging.FATAL)  # orbax narrates every file
        cache_dir = Path(parsed.cache_dir or default_cache_dir()).expanduser()
        folders = export_models(Path(parsed.folder), parsed.pick, cache_dir, _tell)
        say(printable("\n".join(map(str, folders))))


def _tell(sentences: Sequence[str]) -> None:
    for sentence in sentences:
        say(printable(sentence), sys.stderr)


if __name__ == "__main__":
    main()
