"""The report of one result directory, or of several together: HTML, tables, figures.

    python -m experiments.report out/demo out/emodb --output=out/report

`experiments.main` writes that of its own directory, into report/ there. Nothing is computed anew:
all numbers are those of runs.csv, and the same directories give the same bytes.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.figure import Figure

from experiments.config.lambdas import is_zero
from experiments.report import conclusions
from experiments.report import table_formats as formats
from experiments.report.answer import answers
from experiments.report.answer_page import STYLE as STYLE_OF_ANSWER
from experiments.report.answer_page import answers_page
from experiments.report.arguments import parse
from experiments.report.chosen_network import conclusions_of
from experiments.report.detail_tables import modalities, tables
from experiments.report.figures.by_setting import report_figures
from experiments.report.figures.curves import Settings, draw
from experiments.report.figures.inline_svg import inline_svg
from experiments.report.figures.membership import membership_conclusions, membership_figures
from experiments.report.figures.style import STYLE, file_name, save
from experiments.report.html_page import Listing, Page, Part, Picture, Section, document
from experiments.report.main_table import all_settings, fold_means
from experiments.report.paper_tables import agreement, paper_tables
from experiments.report.side_tables import SideTable, side_tables
from experiments.results.modalities import compared
from experiments.results.result_directories import SETTINGS, Results, data_of, read_results
from experiments.results.selected import block_of, choices, corpus_name
from experiments.results.summary import Entry, summarise
from privrep.files import drop_partial, replace_file
from privrep.messages import first
from privrep.program import errors_in_a_line

_CAPTIONS = {
    "lambda": "Emotion and the attacker's score against the strength λ of the protection",
    "leakage": "Score of a freshly trained attacker, modality by modality",
    "front": "Emotion recognition against leakage, of all settings",
    "curves": "Training: emotion and the adversary after each epoch",
    "membership": "Membership: how well an attacker separates training from held-out speakers",
    "map": "Test speakers in h: colour is the private attribute, shape the emotion",
}
_COMPARED = (("modality", 1), ("lambda", 2))  # shown where there are more values than these
_MOST_NAMED = 12  # speakers or sessions of a part
Pictures = Mapping[str, Sequence[Picture]]  # of a kind, a key of _CAPTIONS


def write_report(
    folders: Sequence[Path | str], output: Path | str, keep_first: bool = False
) -> Path:
    """Writes output/report.html, output/tables/*.{md,tex,csv} and output/figures/*.{png,pdf}.

    Args:
      folders, keep_first: as of `result_directories.read_results`, whose errors are raised.
      output: made if it does not exist.

    Returns:
      output/report.html.

    Raises:
      ValueError: `output` cannot be made.
    """
    results = read_results(folders, keep_first)
    output = Path(output)
    summary = summarise(results.rows, SETTINGS)
    all_tables = report_tables(summary, results)
    for kind in ("tables", "figures"):
        try:
            (output / kind).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ValueError(f"--output={output}: cannot be made: {error.strerror}") from error
    drop_partial([output, output / "tables", output / "figures"])
    for name, side_table in all_tables.items():
        for ending, written in formats.FORMATS.items():
            path = output / "tables" / file_name(f"{name}.{ending}")
            replace_file(path, written(side_table))
    pictures = _draw(summary, results, output / "figures")
    names = ", ".join(dict.fromkeys(corpus_name(cell.dataset) for cell in choices(summary)))
    sections, appendix = _sections(summary, results, all_tables, pictures)
    top = answers_page(answers(summary, results.rows))
    page = Page(f"Emotion and privacy: {names}", STYLE_OF_ANSWER, top, sections, appendix)
    replace_file(output / "report.html", document(page))
    return output / "report.html"


def report_tables(summary: Sequence[Entry], results: Results) -> dict[str, SideTable]:
    """{file name: table} of all tables that have a line."""
    made = {"overview": _overview(summary, results), **paper_tables(summary)}
    signs = agreement(summary)
    if signs is not None:
        made["poster"] = signs
    made |= tables(summary, results.rows)
    made["modalities"] = modalities(compared(summary, results.counts), summary)
    for side in side_tables(summary):
        made["side_" + side.title.lower().replace(" ", "_")] = side
    made["all"], made["means"] = all_settings(summary), fold_means(summary)
    made["fold_parts"] = _fold_parts(results)
    made["split_findings"] = _split_findings(results)
    made["versions"] = _versions(results)
    return {name: side_table for name, side_table in made.items() if side_table.lines}


def _overview(summary: Sequence[Entry], results: Results) -> SideTable:
    header = ["modality", "corpus", "task", "unlearned", "speakers", "utterances", "runs", "folds"]
    return SideTable(
        "What was run",
        [*header, "seeds", "λ and recipes", "epochs"],
        conclusions.overview(summary, results),
        "runs: networks trained and attacked, without controls. epochs: mean number of the epoch "
        "that validation chose.",
    )


def _fold_parts(results: Results) -> SideTable:
    """Who chooses and tests in every fold; the others train."""
    lines = []
    for source, part in results.folds:
        if part.part != "train":
            counts = [str(part.utterances), str(len(part.speakers))]
            names = [first(part.speakers, _MOST_NAMED), first(part.sessions, _MOST_NAMED)]
            lines.append([source, part.file, str(part.fold), part.part, *counts, *names])
    header = ["directory", "file", "fold", "part", "utterances", "speakers", "of them", "sessions"]
    if len(results.sources) == 1:
        header, lines = header[1:], [line[1:] for line in lines]
    return SideTable(
        "Who validates and tests in every fold",
        header,
        lines,
        "The other speakers train. The files name every utterance; --folds=FILE runs the same "
        "folds again.",
    )


def _split_findings(results: Results) -> SideTable:
    """The findings of the split linter, each once with the packs and folds in which it is true."""
    places: dict[tuple[str, ...], list[tuple[int, int]]] = defaultdict(list)
    for finding in results.findings:
        key = tuple(str(finding[name]) for name in ("source", "severity", "text"))
        places[key].append((finding["pack"], finding["fold"]))
    lines = [
        [*key, *(", ".join(map(str, sorted(set(numbers)))) for numbers in zip(*places[key]))]
        for key in sorted(places)
    ]
    header = ["directory", "severity", "finding", "packs", "folds"]
    if len(results.sources) == 1:  # of one directory the report says the same under any name
        header, lines = header[1:], [line[1:] for line in lines]
    return SideTable("Findings of the split linter", header, lines, "")


def _versions(results: Results) -> SideTable:
    columns = [c for c in results.rows[0] if c.startswith("version_")]
    counts = Counter(
        (
            corpus_name(row["dataset"]),
            str(row["modality"]),
            data_of(row) or "",
            *(str(row.get(c) or "") for c in columns),
        )
        for row in results.rows
    )
    header = ["corpus", "modality", "hash of the data", *(c.split("_", 1)[1] for c in columns)]
    lines = [[*map(str, key), str(count)] for key, count in sorted(counts.items())]
    return SideTable("Data and versions", [*header, "rows"], lines, "")


def _draw(summary: Sequence[Entry], results: Results, folder: Path) -> Pictures:
    """The figures, after writing each as PNG and PDF."""
    pictures: dict[str, list[Picture]] = defaultdict(list)

    def keep(name: str, figure: Figure) -> None:
        png = folder / f"{name}.png"
        save(figure, png, folder / f"{name}.pdf")
        kind = name.partition("_")[0]
        caption = _CAPTIONS[kind]
        pictures[kind].append(Picture(inline_svg(figure, name, caption), caption))

    with matplotlib.rc_context(STYLE):
        for name, figure in report_figures(summary, results.maps):
            keep(name, figure)
        for name, figure in membership_figures(summary):
            keep(name, figure)
        blocks = [block_of(e) for networks in choices(summary).values() for e in networks.values()]
        for dataset in dict.fromkeys(entry["settings"]["dataset"] for entry in summary):
            entries = [e for e in summary if e["settings"]["dataset"] == dataset]
            curves = [
                (settings, scalars)
                for settings, scalars in results.curves
                if settings["dataset"] == dataset
                and _has_distinct_curves(settings)
                and _is_in(settings, blocks)
            ]
            for name, figure in draw(entries, curves):
                kind, _, task = name.partition("_")
                keep(file_name(f"{kind}_{dataset}_{task}"), figure)
    return pictures


def _sections(
    summary: Sequence[Entry],
    results: Results,
    all_tables: Mapping[str, SideTable],
    pictures: Pictures,
) -> tuple[list[Section], list[Section]]:
    """What is shown, and what is folded behind it."""

    def named(*names: str) -> list[SideTable]:
        return [all_tables[name] for name in names if name in all_tables]

    def drawn(kind: str) -> Sequence[Picture]:
        return pictures.get(kind, [])

    paper = [name for name in all_tables if name.startswith("table_")]
    sides = [name for name in all_tables if name.startswith("side_")]
    membership = [name for name in sides if "training_set" in name]
    confusion = [name for name in all_tables if name.startswith("confusion_")]
    over_speakers = [name for name in sides if name not in membership]
    strength = conclusions.lambda_conclusions(summary, results.rows)
    modality = conclusions.modality_conclusions(summary)
    members = membership_conclusions(summary)
    flags: list[Part] = [
        "python -m experiments.main --flagfile=flags.txt --workdir=… repeats the runs of a "
        "directory, to the byte on the same machine and versions."
    ]
    for source in results.sources:
        which = f"{source.name}: " if len(results.sources) > 1 else ""
        flags += [f"{which}{source.rows} rows; flags.txt:", Listing(source.flags)]
    by_modality = Section(
        "Leakage by modality", [*drawn("leakage"), modality, *named("leakage", "modalities")]
    )
    by_strength = Section("Strength λ of the protection", [*drawn("lambda"), strength])
    # Of one modality, or one λ beside 0, they show once more what the answer shows.
    runs = [entry["settings"] for entry in summary if not entry["control"]]
    several = [len({str(of[name]) for of in runs}) > least for name, least in _COMPARED]
    questions = [*zip((by_modality, by_strength), several)]
    return [
        Section("Ordinary and protected networks", named(*paper, "poster")),
        *(section for section, is_shown in questions if is_shown),
        Section("Placement of the adversary", named("placement")),
        Section("Membership", [*drawn("membership"), members, *named(*membership)]),
        Section("What was not tested", [conclusions.not_tested(summary, results)]),
    ], [
        Section("What was run", [*named("overview"), results.notes]),
        Section("What validation chooses", [conclusions_of(summary)]),
        Section("All speakers together", named(*over_speakers)),
        *(section for section, is_shown in questions if not is_shown),
        Section("Emotion against leakage", [*drawn("front"), *named("front", "choice")]),
        Section("Folds and groups", named("folds", "groups")),
        Section("Confusion of emotions", named(*confusion)),
        Section("Training", drawn("curves")),
        Section("Maps of h", drawn("map")),
        Section("All settings", named("all", "means")),
        Section("The folds", named("fold_parts", "split_findings")),
        Section("To repeat this", [*named("versions"), *flags]),
    ]


def _has_distinct_curves(settings: Settings) -> bool:
    """False of a run that trains as lambda 0 does, because its protection is not in training."""
    return settings["defence"] != "none" or is_zero(settings["lambda"])


def _is_in(settings: Settings, blocks: Sequence[tuple[Any, ...]]) -> bool:
    return any(all(str(settings.get(name)) == value for name, value in block) for block in blocks)


def main(argv: Sequence[str] | None = None) -> None:
    arguments = parse(argv)
    with errors_in_a_line():
        print(write_report(arguments.folders, arguments.output, arguments.keep_first))


if __name__ == "__main__":
    main()
