"""The report of one result directory, or of several together: HTML, tables, figures.

    python -m experiments.report out/demo out/emodb --output=out/report

`experiments.main` writes that of its own directory, into report/ there. Nothing is computed anew:
all numbers are those of runs.csv, and the same directories give the same bytes.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib

from experiments.config.lambdas import is_zero
from experiments.report import conclusions as findings
from experiments.report import table_formats as formats
from experiments.report.detail_tables import tables
from experiments.report.figures.by_setting import report_figures
from experiments.report.figures.curves import draw
from experiments.report.figures.membership import membership_figures, membership_words
from experiments.report.figures.style import STYLE, file_name, save
from experiments.report.html_page import Listing, Picture, Section, page
from experiments.report.main_table import reading, table
from experiments.report.paper_tables import agreement, paper_tables
from experiments.report.side_tables import SideTable, side_tables
from experiments.results.result_directories import SETTINGS, Results, data_of, read_results
from experiments.results.selected import block_of, choices, corpus_name
from experiments.results.summary import Entry, summarise
from privrep.files import replace_file

_CAPTIONS = {
    "lambda": "Emotion and privacy against the strength of the protection, as the axes name them",
    "leakage": "What a fresh attacker finds, modality by modality",
    "front": "What emotion is left at how much leak",
    "curves": "Training: emotion and the adversary after each epoch",
    "membership": "Whom the network was trained on, as an attacker tells members from others",
    "map": "Test speakers in h: colour is the private attribute, shape the emotion",
}


def write_report(
    folders: Sequence[Path | str], output: Path | str, keep_first: bool = False
) -> Path:
    """Writes output/report.html, output/tables/*.{md,tex,csv} and output/figures/*.{png,pdf}.

    Args:
      folders, keep_first: as of `result_directories.read_results`, whose errors are raised.
      output: made if it does not exist.

    Returns:
      output/report.html.
    """
    results = read_results(folders, keep_first)
    output = Path(output)
    summary = summarise(results.rows, SETTINGS)
    found = _tables(summary, results)
    for kind in ("tables", "figures"):
        try:
            (output / kind).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ValueError(f"--output={output}: cannot be made: {error.strerror}") from error
    for name, one in found.items():
        for ending, written in formats.FORMATS.items():
            path = output / "tables" / file_name(f"{name}.{ending}")
            replace_file(path, written(one))
    pictures = _draw(summary, results, output / "figures")
    names = ", ".join(dict.fromkeys(corpus_name(cell.dataset) for cell in choices(summary)))
    sections = _sections(summary, results, found, pictures)
    replace_file(output / "report.html", page(f"Emotion and privacy: {names}", sections))
    return output / "report.html"


def _tables(summary: Sequence[Entry], results: Results) -> dict[str, SideTable]:
    """{file name: table} of all."""
    found = {"overview": _overview(summary, results), **paper_tables(summary)}
    signs = agreement(summary)
    found |= {"poster": signs} if signs else {}
    found |= tables(summary, results.rows)
    for side in side_tables(summary):
        found["side_" + side.title.lower().replace(" ", "_")] = side
    header, lines, notes = table(summary)
    said = reading(summary)  # stands above all tables
    note = " ".join(one for one in notes if one not in said)
    found["all"] = SideTable("All settings", header, lines, note)
    found["split_findings"] = _found(results)
    found["versions"] = _versions(results)
    return {name: one for name, one in found.items() if one.lines}


def _overview(summary: Sequence[Entry], results: Results) -> SideTable:
    header = ["", "corpus", "task", "unlearned", "speakers", "utterances", "runs", "folds"]
    return SideTable(
        "What was run",
        [*header, "seeds", "λ and recipes", "epochs"],
        findings.overview(summary, results),
        "runs: networks trained and attacked, without controls. epochs: mean of the chosen ones.",
    )


def _found(results: Results) -> SideTable:
    """What the split linter found, once for all packs and folds of which it is true."""
    where: dict[tuple, tuple[set, set]] = {}
    for one in results.findings:
        told = one["source"], one["severity"], one["text"]
        packs, folds = where.setdefault(told, (set(), set()))
        packs.add(one["pack"])
        folds.add(one["fold"])
    lines = [
        [*map(str, told), *(", ".join(map(str, sorted(of))) for of in where[told])]
        for told in sorted(where)
    ]
    header = ["directory", "severity", "finding", "packs", "folds"]
    return SideTable("What the split linter found", header, lines, "")


def _versions(results: Results) -> SideTable:
    columns = [c for c in results.rows[0] if c.startswith("version_")]
    told: dict[tuple, int] = {}
    for row in results.rows:
        data = (corpus_name(row["dataset"]), row["modality"], data_of(row) or "")
        key = tuple(map(str, (*data, *(row.get(c) or "" for c in columns))))
        told[key] = told.get(key, 0) + 1
    header = ["corpus", "modality", "hash of the data", *(c.split("_", 1)[1] for c in columns)]
    lines = [[*key, str(count)] for key, count in sorted(told.items())]
    return SideTable("Data and versions", [*header, "rows"], lines, "")


def _draw(
    summary: Sequence[Entry], results: Results, folder: Path
) -> dict[str, list[tuple[str, Picture]]]:
    """{kind: [(name, figure)]}, after writing each as PNG and PDF."""
    pictures: dict[str, list[tuple[str, Picture]]] = {}

    def keep(name: str, figure) -> None:
        png = folder / f"{name}.png"
        save(figure, png, folder / f"{name}.pdf")
        kind, _, of = name.partition("_")
        picture = Picture(png.read_bytes(), f"{_CAPTIONS[kind]} ({of})")
        pictures.setdefault(kind, []).append((name, picture))

    with matplotlib.rc_context(STYLE):
        for name, figure in report_figures(summary, results.maps):
            keep(name, figure)
        for name, figure in membership_figures(summary):
            keep(name, figure)
        blocks = [block_of(e) for told in choices(summary).values() for e in told.values()]
        for dataset in dict.fromkeys(entry["settings"]["dataset"] for entry in summary):
            entries = [e for e in summary if e["settings"]["dataset"] == dataset]
            of_dataset = [one for one in results.curves if one[0]["dataset"] == dataset]
            curves = [one for one in of_dataset if _tells(one[0]) and _is_of(one[0], blocks)]
            for name, figure in draw(entries, curves):
                kind, _, of = name.partition("_")
                keep(file_name(f"{kind}_{dataset}_{of}"), figure)
    return pictures


def _sections(summary, results: Results, found, pictures) -> list[Section]:
    def of(*names: str) -> list[SideTable]:
        return [found[name] for name in names if name in found]

    def drawn(kind: str) -> list[Picture]:
        return [picture for _, picture in pictures.get(kind, [])]

    paper = [one for name, one in found.items() if name.startswith("table_")]
    sides = {name: one for name, one in found.items() if name.startswith("side_")}
    member = [one for name, one in sides.items() if "training_set" in name]
    seen = membership_words(summary)
    said, modality = reading(summary), findings.modality_words(summary)
    strength = findings.lambda_words(summary, results.rows)
    repeated: list = []
    for source in results.sources:
        repeated += [f"{source.name}: {source.rows} rows; flags.txt of it:", Listing(source.flags)]
    again = (
        "python -m experiments.main --flagfile=flags.txt --workdir=… repeats the runs of a "
        "directory, to the byte on the same machine and versions."
    )
    return [
        Section("What was run", [*of("overview"), *[results.notes] * bool(results.notes)]),
        Section("In words", [said] if said else []),
        Section("Ordinary and protected networks", [*paper, *of("poster")]),
        Section("Strength λ of the protection", [*drawn("lambda"), *[strength] * bool(strength)]),
        Section(
            "Leakage by modality",
            [*drawn("leakage"), *[modality] * bool(modality), *of("leakage")],
        ),
        Section("Where the adversary reads", of("placement")),
        Section("Over speakers", [one for one in sides.values() if one not in member]),
        Section("Membership", [*drawn("membership"), *[seen] * bool(seen), *member]),
        Section("Emotion against leak", [*drawn("front"), *of("front")]),
        Section("Folds and groups", of("folds", "groups")),
        Section("Training", drawn("curves")),
        Section("Maps of h", drawn("map")),
        Section("What was not tested", [findings.not_tested(summary, results)]),
        Section("All settings", of("all")),
        Section("The folds", of("split_findings")),
        Section("To repeat this", [*of("versions"), again, *repeated]),
    ]


def _tells(row: Mapping) -> bool:
    """Whether a run's curves are its own: what protects nothing in training trains as lambda 0."""
    return row["defence"] != "none" or is_zero(row["lambda"])


def _is_of(row: Mapping, blocks: Sequence[tuple]) -> bool:
    return any(all(str(row.get(name)) == value for name, value in block) for block in blocks)


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m experiments.report", description=__doc__)
    parser.add_argument("folders", nargs="+", metavar="DIR", help="of experiments.main's results")
    parser.add_argument("--output", default="report", help="folder of the report")
    parser.add_argument(
        "--keep_first",
        action="store_true",
        help="where two directories differ about one run, take the one named first",
    )
    given = parser.parse_args(argv)
    try:
        print(write_report(given.folders, given.output, given.keep_first))
    except (ValueError, OSError) as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
