"""The outputs at the end of a job: summary, curves, report and terminal text."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from experiments.report.answer import answers, answers_text
from experiments.report.detail_tables import modalities as modality_table
from experiments.report.main_table import narrow_text, table_text, write_summary
from experiments.report.terminal_colours import coloured, wants_colour
from experiments.report.write_report import write_report
from experiments.results import runs_csv, tensorboard
from experiments.results.checkpoints import load_chosen
from experiments.results.curves import curve_name
from experiments.results.modalities import compared, write_modalities
from experiments.results.speaker_counts import read_counts
from experiments.results.summary import summarise


def finish(
    workdir: Path, folders: Sequence[Path], settings: Sequence[str], wide: bool = False
) -> None:
    """Summary, curves and report, from what the result directory holds."""
    rows = runs_csv.read_runs(workdir / "runs.csv")
    curves = {}
    for folder in folders:
        described, history = load_chosen(folder)
        for r, row in enumerate(described):
            scalars = {name: series[:, r].tolist() for name, series in history.items()}
            curves[curve_name(settings, folder, row)] = scalars
    summary = summarise(rows, settings)
    given = answers(summary, rows)
    write_summary(workdir, summary, given)
    modalities = compared(summary, [of for folder in folders for of in read_counts(folder)])
    write_modalities(workdir, modalities)
    tensorboard.write_curves(workdir, curves)
    write_report([workdir], workdir / "report")
    if wide:
        text = "\n".join(
            [*answers_text(given), table_text(summary, [modality_table(modalities, summary)])]
        )
    else:
        text = narrow_text(summary, given)
    text = coloured(text) if wants_colour(sys.stdout, os.environ) else text
    print(f"\n{text}\n\nall tables: {workdir / 'summary.md'}")
    print(f"report: {workdir / 'report' / 'report.html'}")
