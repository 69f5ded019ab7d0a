"""A table says the same in every format, whatever its cells hold."""

import csv
import io
import re
from html.parser import HTMLParser

from experiments import formats
from experiments.side_tables import SideTable

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


def test_latex_has_booktabs_rules_and_no_bare_special_character():
    text = formats.latex(TABLE)
    for rule in ("toprule", "midrule", "bottomrule", r"cmidrule(lr){2-3}", "addlinespace"):
        assert f"\\{rule}" in text
    assert r"\multicolumn{2}{c}{task}" in text and r"0.612 $\blacktriangle$" in text
    (line,) = [line for line in text.splitlines() if "alert" in line]
    cell = line.split(" & 0.5 & ")[0]
    known = r"\\text(backslash|asciitilde|asciicircum|less|greater|bar)\{\}|\\[&%$#_{}]"
    assert not re.search(r"[&%$#_{}~^\\<>|\"]", re.sub(known, "", cell))
    assert re.sub(known, "", cell).replace("''", '"') == re.sub(r"[&%$#_{}~^\\<>|]", "", NASTY)


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
