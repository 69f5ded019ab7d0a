"""Model folders of a finished result directory, for `privrep.load` and `privrep encode`.

    python -m experiments.main --dataset=demo
    python -m experiments.export_model out/demo --pick=recipe=posterior,lambda=1

    python -m experiments.export_model out/demo --format=onnx --audit

Without --pick validation picks among the protected settings. Every fold has a network of its own,
in models/<setting>/fold_<k>/ of the result directory, here the latest of out/demo. With --format
it is also written as a file there; --audit judges these files of all folds together, beside the
networks in JAX.

    python -m experiments.export_model out/demo --final

--final trains one network on all speakers instead, which is the one to be used: it is written to
models/<setting>/final/.
"""

import experiments.start  # isort: skip  # noqa: F401  # before what takes time to import

import argparse
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from experiments.results.model_card import terms_of
from privrep.messages import printable
from privrep.program import errors_in_a_line, say

if TYPE_CHECKING:
    from experiments.run.export_models import ExportedModels

EXPORT_FORMATS = ("onnx", "onnx_int8", "stablehlo")  # of `export_files.FORMATS`


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
        "are left validation picks, which is printed: of the protected ones the best emotion of "
        "those whose attacker is near chance (the rule emotion_within_leak), else the least leak. "
        "The sentence of the main job chooses by the paper's rule, emotion less the leak (by "
        "emotion alone with --selection=emotion), lambda 0 too: it may name another setting",
    )
    parser.add_argument(
        "--cache_dir",
        default="",
        help="folder of prepared data, if the main job had another than $XDG_CACHE_HOME/privrep, "
        "or ~/.cache/privrep",
    )
    parser.add_argument(
        "--format",
        choices=EXPORT_FORMATS,
        help="also write each network as a file, see privrep export",
    )
    parser.add_argument(
        "--audit",
        action="store_true",
        help=f"with --format={EXPORT_FORMATS[0]}: run this file and that of {EXPORT_FORMATS[1]} of "
        "every fold over the corpus, and compare what they reveal with the networks in JAX",
    )
    parser.add_argument(
        "--final",
        action="store_true",
        help="train one network on all speakers instead, with the settings of the pick and for the "
        "median of the steps at which the networks of the folds were chosen: DIR/models/<setting>/"
        "final. Its card carries the verdict on these, which is of the procedure, not of this file",
    )
    parser.add_argument(
        "--license",
        help="of the data, for the model card, as model hubs name it: cc-by-4.0, other, unknown "
        "(default: what the publishers of RAVDESS and CREMA-D state, else unknown)",
    )
    parser.add_argument(
        "--language",
        help="of the data, for the model card: codes of ISO 639 joined by commas (default: of "
        "corpora of a single language theirs, else unknown)",
    )
    parsed = parser.parse_args(argv)
    if parsed.audit and parsed.final:
        parser.error(
            "--audit is of the networks of the folds: that of --final was trained on every "
            "speaker, and nobody is left to judge it by. Audit without --final"
        )
    try:
        parsed.terms = terms_of(parsed.license, parsed.language)
    except ValueError as error:
        parser.error(str(error))
    if parsed.audit and parsed.format not in EXPORT_FORMATS[:2]:
        parser.error(f"--audit is of --format={' or '.join(EXPORT_FORMATS[:2])}")
    return parsed


def main(argv: Sequence[str] | None = None) -> None:
    """Exports what the command line names."""
    parsed = parse(argv)
    warnings.showwarning = lambda message, *_: print(f"note: {message}", file=sys.stderr)
    with errors_in_a_line():
        from experiments.run.export_models import export_models, setting_of
        from experiments.run.final_model import export_final
        from experiments.run.finished_job import finished_job

        job = finished_job(parsed.folder, parsed.pick, parsed.cache_dir)
        models = None
        if parsed.final:
            folders = [export_final(setting_of(*job), parsed.terms)]
        else:
            models = export_models(*job, parsed.terms)
            folders = models.folders
        if parsed.format:
            _write_files(folders, parsed.format, models if parsed.audit else None)
        say(printable("\n".join(map(str, folders))))


def _write_files(
    folders: Sequence[Path], format_: str, audited: "ExportedModels | None" = None
) -> None:
    """Writes the files of a format, and audits them together with those of the other one."""
    try:
        from experiments.run.export_audit import AUDITED, audit_exported, write_files
        from experiments.run.finished_job import tell

        for name in (format_,) if audited is None else AUDITED:
            write_files(folders, name)
    except ModuleNotFoundError as error:
        raise ValueError(
            f"--format needs {error.name}, which is not installed: pip install 'privrep[export]'"
        ) from error
    if audited is not None:
        audit_exported(audited, AUDITED, tell)


if __name__ == "__main__":
    main()
