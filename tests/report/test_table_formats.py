"""A table says the same in every format, whatever its cells hold."""

import csv
import io
import re
import shutil
import subprocess
from html.parser import HTMLParser

import pytest

from experiments.report import table_formats as formats
from experiments.report.latex import in_latex
from experiments.report.side_tables import SideTable

NASTY = 'a|b & 50% $x_1$ #{~^\\} <script>alert("1")</script> `c` *d*'
TABLE = SideTable(
    "Title & <b>",
    ["name", "task: λ", "task: UAR"],
    [[NASTY, "0.5", "0.612 ▲"], [], ["x,y", "1", "0.500 ○"], ["−", "0", ""]],
    "note < 0.05",
)


class Cells(HTMLParser):
    """The text of every td."""

    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.cells, self.tags = [], set()

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.cells += [""] * (tag == "td")

    def handle_data(self, data):
        if self.cells:
            self.cells[-1] += data


def test_html_holds_every_cell_as_text():
    parser = Cells()
    body = formats.html(TABLE)
    parser.feed(body.split("<tbody>")[1].split("</tbody>")[0])
    shown = [cell.replace("\xa0", " ").strip() for cell in parser.cells]
    assert shown == [cell for line in TABLE.lines for cell in line]
    assert parser.tags == {"tr", "td", "abbr"} and "<b>" not in body
    assert 'title="better">▲<' in body and 'title="no change">○<' in body
    assert "<th colspan=2 class=over>task</th>" in body


def test_comma_separated_values_read_back_with_marks_as_words():
    header, *lines = csv.reader(io.StringIO(formats.comma_separated(TABLE)))
    assert header == TABLE.header
    expected = [NASTY, "0.5", "0.612 better"], ["x,y", "1", "0.500 no change"], ["−", "0", ""]
    assert lines == list(map(list, expected))


LETTERS = "λ μάθημα Ω é Ç ñ ö ß ł ï 年 [x] *y* --lambda `z` "
SIGNS = SideTable(
    "Table 1a: " + NASTY,
    ["[first]", "*: λ", "*: ± − × – … ▲ ▼ ○ ·"],
    [["[x]", "1", "0.1 ▲"], ["*", "1", "0.1 ▼"], [], ["[y]", "1", "0.1 ○"], [NASTY, "1", "0.1 ·"]],
    LETTERS + NASTY,
)
MANY = SIGNS._replace(title="Many lines", lines=SIGNS.lines * 20)
WIDE = SideTable(
    "Wide",
    [*(f"{NASTY[:14]}: {i}" for i in range(8)), LETTERS],
    [[*["0.612±0.034"] * 8, 9 * (LETTERS + NASTY)]] * 50,
    " ".join(f"learning_rate_{i}=0.001" for i in range(40)),
)
LATEX = {"float": TABLE, "signs": SIGNS, "long": MANY, "turned": WIDE}
_ENGINES = ("pdflatex", "tectonic")
_KNOWN = r"\\text(backslash|ascii(tilde|circum|grave)|less|greater|bar)\{\}|\\[&%$#_{}]|\{[][*]\}"


def test_latex_has_booktabs_rules_and_no_bare_special_character():
    text = formats.latex(TABLE)
    for rule in ("toprule", "midrule", "bottomrule", r"cmidrule(lr){2-3}", "addlinespace"):
        assert f"\\{rule}" in text
    assert r"\multicolumn{2}{c}{task}" in text and r"0.612 $\blacktriangle$" in text
    (line,) = [line for line in text.splitlines() if "alert" in line]
    cell = line.split(" & 0.5 & ")[0]
    assert not re.search(r"[]&%$#_{}~^\\<>|\"*`[]", re.sub(_KNOWN, "", cell))
    assert re.sub(_KNOWN, "", cell).replace("''", '"') == re.sub(r"[&%$#_{}~^\\<>|`*]", "", NASTY)


@pytest.mark.parametrize("name", LATEX)
def test_latex_is_ascii_and_balanced_and_its_rows_are_whole(name):
    table, text = LATEX[name], formats.latex(LATEX[name])
    assert text.isascii()
    bare = re.sub(r"\\[{}]", "", text)
    depth = 0
    for brace in re.findall("[{}]", bare):
        depth += 1 if brace == "{" else -1
        assert depth >= 0
    assert depth == 0 and len(re.findall(r"(?<!\\)\$", text)) % 2 == 0
    opened = []
    for word, what in re.findall(r"\\(begin|end)\{(\w+)\}", text):
        assert word == "begin" or opened[-1] == what
        opened = [*opened, what] if word == "begin" else opened[:-1]
    assert opened == []
    rows = [line for line in text.split(r"\midrule")[-1].splitlines() if line.endswith(r" \\")]
    assert len(rows) == len([line for line in table.lines if line])
    assert {len(re.findall(r"(?<!\\)&", row)) for row in rows} == {len(table.header) - 1}
    assert not any(row.startswith(("[", "*")) for row in rows)  # would be arguments of \\


def test_latex_names_what_it_needs_and_numbers_no_table_twice():
    assert formats.latex(SIGNS).count("Table 1a") == 0
    assert r"\label{tab:table-1a-a-b" in formats.latex(SIGNS)
    first = {name: formats.latex(table).splitlines()[0] for name, table in LATEX.items()}
    assert first["float"] == r"% \usepackage{booktabs,amssymb,array,graphicx}"
    assert first["long"] == r"% \usepackage{booktabs,amssymb,array,longtable}"
    assert first["turned"] == r"% \usepackage{booktabs,amssymb,array,longtable,pdflscape}"


def test_letters_come_out_as_declared_macros_and_others_by_number():
    assert in_latex("λ Ω é ï 年") == r"$\lambda$ $\Omega$ \'{e} \"{\i{}} \texttt{U+5E74}"
    assert in_latex("--lambda 0.5-0.6") == "-{}-lambda 0.5-0.6"


@pytest.mark.skipif(
    not any(map(shutil.which, _ENGINES)), reason="no TeX here, which the project does not need"
)
@pytest.mark.parametrize("name", LATEX)
def test_tex_compiles_it_with_the_packages_that_it_names(name, tmp_path):
    text = formats.latex(LATEX[name])
    packages = text.splitlines()[0].removeprefix("% ")
    head = rf"\documentclass[a4paper]{{article}}{packages}\begin{{document}}"
    (tmp_path / "t.tex").write_text(head + "\n" + text + r"\end{document}", "ascii")
    engine = next(filter(shutil.which, _ENGINES))
    options = ["-interaction=nonstopmode", "-halt-on-error"] if engine == "pdflatex" else ["-k"]
    for _ in range(3):  # a longtable knows its widths at the third run
        ran = subprocess.run(
            [engine, *options, "t.tex"], cwd=tmp_path, capture_output=True, text=True
        )
        assert ran.returncode == 0, ran.stdout[-2000:]
    assert (tmp_path / "t.pdf").stat().st_size > 1000
    log = (ran.stdout + ran.stderr).replace("\n", "")
    assert "Overfull \\hbox" not in log and "too large for page" not in log


def test_markdown_has_one_line_per_row_and_escapes_its_own_marks():
    text = formats.markdown(TABLE)
    lines = [line for line in text.splitlines() if line.startswith("|")]
    assert len(lines) == 2 + 3
    assert all(len(re.findall(r"(?<!\\)\|", line)) == 4 for line in lines)
    assert "<script>" not in re.sub(r"\\.", "", text) and lines[1] == "| :-- | --: | --: |"


def test_neighbours_of_one_group_share_their_heading():
    header = ["", "a: x", "a: y", "z", "b: x", "a: x"]
    assert formats.grouped(header) == [
        *(("", [""]), ("a", ["x", "y"]), ("", ["z"])),
        *(("b", ["x"]), ("a", ["x"])),
    ]
