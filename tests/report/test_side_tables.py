"""Tests that the short tables below the main one state what is in the rows."""

import pytest

from experiments.report.main_table import all_settings, table_markdown, table_text
from experiments.report.side_tables import side_tables
from experiments.results.summary import summarise
from tests.support.result_rows import BOTH, ROWS, SETTINGS, control, run


def judged(place, uar, verdict="cannot_tell", upper=0.7, p=0.2):
    return {
        f"{place}_uar": uar,
        f"{place}_upper": upper,
        f"{place}_minimum_detectable": None,
        f"{place}_p": p,
        f"{place}_verdict": verdict,
    }


def changed(place, difference, p):
    values = {"difference": difference, "lower": difference - 0.1, "upper": difference + 0.1}
    return {f"{place}_change_{name}": value for name, value in (values | {"p": p}).items()}


EMOTION = {"emotion_pooled_uar": 0.52, "emotion_pooled_lower": 0.471, "emotion_pooled_upper": 0.569}
GENDER = judged("gender_pooled", 0.71, "leaks") | judged("gender_given_emotion", 0.64)
GENDER |= judged("gender_from_emotion", 0.58)
CHANGED = changed("gender", -0.05, 0.25) | changed("emotion", 0.02, 0.5)
ROWS_OF_ALL = [
    run(0.0, **EMOTION, **GENDER, **judged("age_pooled", 0.6), **judged("speaker_pooled", 0.8)),
    run(1.0, **EMOTION, **GENDER, **CHANGED, **judged("age_pooled", 0.4)),
    control("raw", 0.8, **judged("gender_pooled", 0.85, "leaks"), **judged("age_pooled", 0.7)),
]


def test_three_tables_stand_below_the_main_one():
    changes, given, others = side_tables(summarise(ROWS_OF_ALL, SETTINGS))
    assert changes.lines == [
        ["λ 1", "emotion", "+0.020", "-0.080 to +0.120", "0.500"],
        ["λ 1", "gender attacker", "-0.050", "-0.150 to +0.050", "0.250"],
    ]
    line = ["gender", "0.710", "0.580", "0.640", "0.700", "0.200", "cannot tell"]
    assert given.lines == [["ordinary", *line], ["λ 1", *line]]
    assert [line[:3] for line in others.lines] == [
        ["ordinary", "age", "0.600"],
        ["ordinary", "speaker", "0.800"],
        ["λ 1", "age", "0.400"],
        ["raw", "age", "0.700"],
    ]
    for table in (changes, given, others):
        assert all(len(line) == len(table.header) for line in table.lines)


def test_what_the_attacker_knows_and_what_sessions_explain_are_tables():
    more = judged("gender_pooled_seen", 0.52) | judged("gender_pooled_own", 0.71, "leaks", p=0.01)
    more |= judged("gender_pooled_beyond_sessions", 0.55, p=0.3)
    rows = [run(0.0, **GENDER, **more, gender_pooled_attacker="own linear")]
    rows += [run(1.0, **GENDER, gender_pooled_attacker="seen kernel")]
    tables = {table.title: table for table in side_tables(summarise(rows, SETTINGS))}
    knowledge, sessions = (
        tables["Speakers that the attacker knows"],
        tables["What sessions explain"],
    )
    line = ["ordinary", "gender", "0.520", "0.700", "0.200", "0.710", "0.700", "0.010"]
    assert knowledge.lines == [line]
    line = ["ordinary", "gender", "0.710", "0.550", "0.700", "0.300", "cannot tell"]
    assert sessions.lines == [line]
    assert all(len(table.lines[0]) == len(table.header) for table in (knowledge, sessions))
    text = table_text(summarise(rows, SETTINGS)).splitlines()
    assert text[0].split()[-7:-5] == ["attacker", "by"]
    shown = "\n".join(text)
    assert "0.710   own linear" in shown and "0.710  seen kernel" in shown


def test_several_utterances_of_a_person_are_a_table_with_a_dash_where_few_have_twenty():
    of_all = judged("gender_pooled_all_utterances", 0.9, "leaks", upper=0.95, p=0.01)
    of_twenty = judged("gender_pooled_20_utterances", 0.8, upper=0.88)
    rows = [run(0.0, **GENDER, **of_all, **of_twenty), run(1.0, **GENDER, **of_all)]
    tables = {table.title: table for table in side_tables(summarise(rows, SETTINGS))}
    table = tables["Several utterances of a person"]
    assert table.lines == [
        [
            "ordinary",
            "gender",
            "0.710",
            "0.700",
            "0.800",
            "0.880",
            "0.900",
            "0.950",
            "0.010",
            "leaks",
        ],
        ["λ 1", "gender", "0.710", "0.700", "-", "-", "0.900", "0.950", "0.010", "leaks"],
    ]
    assert len(table.header) == 10


def test_a_number_has_a_table_of_its_correlation():
    cells = {"correlation": 0.61, "lower": 0.4, "upper": 0.75, "minimum_detectable": 0.35}
    cells |= {"p": 0.01, "verdict": "leaks"}
    number = {f"age_number_{name}": cell for name, cell in cells.items()}
    (table,) = side_tables(summarise([run(1.0, **number)], SETTINGS))
    assert table.title == "Private attributes that are numbers"
    assert table.lines == [["λ 1", "age", "0.610", "0.750", "0.350", "0.010", "leaks"]]


def test_terminal_and_document_show_them_and_the_interval_of_emotion():
    summary = summarise(ROWS_OF_ALL, SETTINGS)
    text, markdown = table_text(summary), table_markdown(summary)
    for shown in (text, markdown):
        assert (
            "Other attributes that h reveals" in shown
            and "What the emotion label explains" in shown
        )
        assert "0.47-0.57" in shown and "-0.150 to +0.050" in shown
    assert "| raw | age | 0.700 | 0.700 | 0.200 | cannot tell |" in markdown
    lines = text.splitlines()
    assert lines[0].split()[:5] == ["network", "n", "emotion", "UAR", "95"]


def test_rows_without_such_columns_bring_no_table():
    assert side_tables(summarise(ROWS, SETTINGS)) == []
    assert "95 %" not in table_text(summarise(ROWS, SETTINGS))


def test_where_a_network_collapsed_nothing_is_said_of_privacy():
    rows = [
        run(0.0, **EMOTION, **GENDER),
        run(1.0, **EMOTION, **GENDER, **CHANGED, **judged("age_pooled", 0.4), collapsed=True),
    ]
    changes, given = side_tables(summarise(rows, SETTINGS))
    assert [line[1] for line in changes.lines] == ["emotion"]
    assert [line[0] for line in given.lines] == ["ordinary"]


def test_an_attribute_that_is_not_unlearned_brings_no_verdict_into_the_main_table():
    rows = [run(0.0, **judged("age_pooled", 0.6))]
    assert "minimum detectable" not in table_text(summarise(rows, SETTINGS)).splitlines()[0]


def placed(known, auc, loss=None, verdict="cannot_tell"):
    values = {"auc": auc, "loss_auc": loss, "shuffled": 0.502, "accuracy": 0.56, "upper": 0.7}
    values |= {"minimum_detectable": None, "p": 0.3, "verdict": verdict}
    return {f"{known}_membership_{name}": value for name, value in values.items()}


def test_who_was_trained_on_is_a_table_of_its_own_and_its_change_stands_with_the_others():
    rows = [
        run(0.0, **placed("h", 0.55), **placed("labels", 0.8, 0.61, "leaks")),
        run(1.0, **placed("h", 0.5), **changed("h_membership", -0.05, 0.4)),
        control("untrained", 0.7, **placed("h", 0.49)),
        control("raw", 0.7),
    ]
    changes, table = side_tables(summarise(rows, SETTINGS))
    assert changes.lines == [["λ 1", "membership by h, AUC", "-0.050", "-0.150 to +0.050", "0.400"]]
    tail = ["0.502", "0.560", "0.700", "none", "0.300"]
    assert table.lines == [
        ["ordinary", "h", "0.550", "-", *tail, "cannot tell"],
        ["ordinary", "labels", "0.800", "0.610", *tail, "leaks"],
        ["λ 1", "h", "0.500", "-", *tail, "cannot tell"],
        ["untrained", "h", "0.490", "-", *tail, "cannot tell"],
    ]
    assert all(len(line) == len(table.header) for line in table.lines)
    assert "Was this speaker in the training set?" in table_text(summarise(rows, SETTINGS))


def test_seeds_are_taken_together_of_members_too():
    rows = [run(0.0, 0, 0, **placed("h", 0.6)), run(0.0, 0, 1, **placed("h", 0.7, None, "leaks"))]
    membership = summarise(rows, SETTINGS)[0]["membership"]["h"]
    assert membership["verdict"] == "cannot_tell"
    assert membership["p"] == 0.6  # twice the median of 0.3, 0.3
    assert membership["auc"] == pytest.approx(0.65) and membership["loss_auc"] is None
    rows[0]["collapsed"] = True
    assert summarise(rows, SETTINGS)[0]["membership"] == {}


def test_a_closed_set_is_a_note_where_speaker_is_unlearned():
    closed = {"speaker_closed_set_accuracy": 0.4, "speaker_closed_set_chance": 0.071}
    text = table_text(summarise([row | closed for row in BOTH], SETTINGS))
    assert "the ordinary network 0.400, λ 1 0.400 (chance 0.071)" in " ".join(text.split())
    assert "closed set" not in table_text(summarise([row | closed for row in ROWS], SETTINGS))


def test_scores_of_emotion_and_tasks_read_have_a_line_each():
    recognised = {
        f"emotion_pooled_{name}{end}": value
        for name in ("macro_f1", "weighted_accuracy", "recall_low", "recall_high")
        for end, value in (("", 0.5), ("_lower", 0.4), ("_upper", 0.6))
    }
    recognised["emotion_confusion"] = '{"low": {"low": 1}, "high": {"high": 1}}'
    gap = {"difference": 0.2, "lower": 0.1, "upper": 0.3}
    recognised |= {f"emotion_gap_gender=female_{name}": value for name, value in gap.items()}
    read = {"uar": 0.6, "lower": 0.5, "upper": 0.7, "chance": 1 / 3}
    reads = {f"valence_read_{name}": value for name, value in read.items()}
    rows = [run(0.0, **recognised, **reads)]
    rows.append(run(1.0, **reads, **changed("valence_read", -0.05, 0.25)))
    tables = {table.title: table for table in side_tables(summarise(rows, SETTINGS))}
    (line,) = tables["Emotion recognition: further scores"].lines
    assert line[1:4] == ["0.500 (0.40-0.60)", "0.500 (0.40-0.60)", "low 0.50, high 0.50"]
    assert line[4:] == ["female +0.200", "+0.100 to +0.300"]
    first, second = tables["Tasks read from h by a linear reader"].lines
    assert first == ["ordinary", "valence", "UAR", "0.600", "0.50-0.70", "0.333", "", ""]
    assert second[-2:] == ["-0.050", "-0.150 to +0.050"]
    change = tables["Change against the ordinary network, over speakers"]
    assert change.lines[0][1] == "valence, read"


def test_the_health_of_a_training_stands_beside_its_scores():
    """Means over runs, of every attribute; nothing of rows of an earlier version."""
    healthy = {"train_gender_adversary_uar": 0.62, "train_gender_adversary_constant": 0.6}
    knowing = {"uar": 0.55, "lower": 0.5, "upper": 0.6, "minimum_detectable": 0.6, "p": 0.3}
    knowing = {f"gender_pooled_own_{name}": value for name, value in knowing.items()}
    knowing |= {"gender_pooled_own_verdict": "cannot_tell", "gender_pooled_own_floor": 0.533}
    rows = [
        run(
            0.0, fold, chosen_step=200 + 20 * fold, chosen_utterances=25_000, h_rank=3.25, **knowing
        )
        | healthy
        for fold in range(2)
    ]
    rows.append(rows[0] | {"lambda": 1.0, "lagging": True, "train_gender_adversary_uar": 0.5})
    (table,) = [t for t in side_tables(summarise(rows, SETTINGS)) if t.title.startswith("Health")]
    ordinary, protected = table.lines
    assert ordinary[-9:] == ["gender", "210", "25,000", "0.620", "0.600", "3.250", "-", "0.533", ""]
    assert protected[-9:-5] == ["gender", "200", "25,000", "0.500"]
    assert protected[-1] == "1 of 1"
    assert not [t for t in side_tables(summarise([run(0.0)], SETTINGS)) if "Health" in t.title]


@pytest.mark.parametrize(
    "p, upper, mark", [(0.01, 0.02, "†"), (0.2, -0.01, "†"), (0.01, -0.01, ""), (0.2, 0.02, "")]
)
def test_a_small_p_beside_an_interval_that_holds_no_change_is_explained(p, upper, mark):
    change = {"difference": -0.05, "lower": -0.1, "upper": upper, "p": p}
    columns = {f"emotion_change_{name}": value for name, value in change.items()}
    rows = [run(0.0), run(1.0) | columns]
    titled = {table.title: table for table in side_tables(summarise(rows, SETTINGS))}
    table = titled["Change against the ordinary network, over speakers"]
    assert table.lines[0][-1] == f"{p:.3f}{mark}"
    assert ("disagree" in table.note) == bool(mark)


def test_controls_and_the_ordinary_network_are_rows_of_the_column_network():
    names = [*SETTINGS, "recipe"]
    rows = [
        run(0.0, **GENDER, recipe="none"),
        run(1.0, **GENDER, recipe="paper"),
        run(1.0, **GENDER, recipe="strong"),
        control("untrained", 0.7, **GENDER, recipe=None),
    ]
    expected = ["ordinary", "paper, λ 1", "strong, λ 1", "untrained"]
    summary = summarise(rows, names)
    header, lines = all_settings(summary)[1:3]
    assert header[0] == "network" and [line[0] for line in lines] == expected
    given = next(t for t in side_tables(summary) if t.title.startswith("What the emotion label"))
    assert given.header[0] == "network" and "lambda" not in given.header
    assert [line[0] for line in given.lines] == expected
