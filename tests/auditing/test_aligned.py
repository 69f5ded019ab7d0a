"""An audit judges rows that belong together, and no others: by ids, by the caller, by a column."""

import json

import jsonschema
import numpy as np
import pytest

from privrep.auditing.options import AuditOptions
from privrep.auditing.run_audit import audit
from privrep.auditing.terminal import table as table_of
from privrep.cli import main
from tests.support.paths import ROOT

SCHEMA = json.loads((ROOT / "privrep/auditing/audit.schema.json").read_text("utf-8"))
FAST = AuditOptions(attackers=("linear",), permutations=24, deals=1)
SPEAKER = np.repeat(np.arange(24), 6)
LABELS = {"speaker": SPEAKER, "gender": SPEAKER % 2}


def labels(order, **columns):
    return {name: np.asarray(cells)[order] for name, cells in {**LABELS, **columns}.items()}


@pytest.fixture(scope="module")
def noise():
    return np.random.default_rng(0).normal(size=(len(SPEAKER), 4))


@pytest.fixture(scope="module")
def mixed():
    return np.random.default_rng(1).permutation(len(SPEAKER))


def test_a_table_in_another_order_is_not_judged(noise, mixed):
    h = noise + 3 * (SPEAKER % 2)[:, None]
    right = audit(h, LABELS, "gender", options=FAST)
    assert right.verdict == "leaks" and right.alignment.column == "gender"
    assert right.sensitivity is None  # a leak was detected; what else would be shown
    wrong = audit(h, labels(mixed), "gender", options=FAST)
    assert wrong.verdict == wrong.headline.verdict == "not_judged" and wrong.gate.status == 4
    assert np.isnan(wrong.upper) and not wrong.passed() and not wrong.passed(fail_on="none")
    written = json.loads(wrong.to_json())
    assert written["upper"] is None and written["alignment"]["by"] == "nothing"
    assert "gender" in written["alignment"]["tried"] and wrong.sensitivity is None


def test_of_what_is_not_judged_nothing_else_is_either(noise, mixed):
    session, age = SPEAKER * 2 + np.arange(len(SPEAKER)) % 2, 20 + SPEAKER * 1.5
    emotion = np.random.default_rng(3).integers(0, 2, len(SPEAKER))
    table = labels(mixed, session=session, age=age, emotion=emotion)
    for attribute in ("gender", "age"):
        options = AuditOptions(attackers=("linear",), permutations=24, deals=2, unprotected=noise)
        wrong = audit(noise, table, attribute, options=options)
        written = json.loads(wrong.to_json())
        jsonschema.Draft202012Validator(SCHEMA).validate(written)
        judged = [*_parts(written)]
        assert {p["verdict"] for p in judged if isinstance(p.get("verdict"), str)} == {"not_judged"}
        for name in ("lower", "upper", "p", "minimum_detectable"):
            assert {p[name] for p in judged if name in p} == {None}, name
        assert written["attributes"]["rows"] and written["given"] and written["decensoring"]
        shown = f"{wrong.to_html()} {table_of(wrong)} {written['headline']}".lower()
        for phrase in ("no leak shown", "no_leak_shown", "cannot tell", "cannot_tell", "it leaks"):
            assert phrase not in shown, phrase
        assert "nan" not in wrong.to_html() and "nan" not in table_of(wrong)
        assert "would have been detected" not in shown


def _parts(written):
    """All objects of a JSON document, but for the gate, whose limits are no judgements."""
    if isinstance(written, dict):
        yield written
        for name, part in written.items():
            yield from () if name == "gate" else _parts(part)
    for part in written if isinstance(written, list) else ():
        yield from _parts(part)


def test_whoever_says_so_or_has_ids_is_judged(noise, mixed, tmp_path):
    options = AuditOptions(attackers=("linear",), permutations=24, deals=1, aligned=True)
    by_caller = audit(noise, LABELS, "gender", options=options)
    assert by_caller.verdict != "not_judged" and by_caller.alignment.by == "caller"
    ids = np.array([f"u{i}" for i in range(len(SPEAKER))])
    np.savez(tmp_path / "h.npz", h=noise, id=ids)
    table = {name: cells.astype(str) for name, cells in labels(mixed, id=ids).items()}
    by_ids = audit(tmp_path / "h.npz", table, "gender", options=FAST)
    assert by_ids.alignment.by == "ids"
    for name in ("verdict", "uar", "upper", "p"):
        assert getattr(by_ids, name) == getattr(by_caller, name)
    assert by_ids.sensitivity == by_caller.sensitivity is not None
    # One side with ids alone is joined by position.
    assert audit(noise, table, "gender", options=FAST).verdict == "not_judged"


def test_any_other_column_will_do_and_a_number_too(noise, mixed):
    rng = np.random.default_rng(2)
    height = np.round(170 + 10 * rng.normal(size=24), 1)[SPEAKER]
    emotion = rng.integers(0, 3, len(SPEAKER))
    revealing = noise.copy()
    revealing[:, 0] += 2 * (emotion == 1)
    by_emotion = audit(revealing, {**LABELS, "emotion": emotion}, "gender", options=FAST)
    assert by_emotion.alignment.column == "emotion" and by_emotion.verdict != "not_judged"
    revealing = noise.copy()
    revealing[:, 0] += (height - 170) / 5
    of_number = audit(revealing, {**LABELS, "height": height}, "height", options=FAST)
    assert of_number.verdict == "leaks" and of_number.alignment.column == "height"
    wrong = audit(revealing, labels(mixed, height=height), "gender", options=FAST)
    assert wrong.verdict == "not_judged"


def test_a_planted_leak_only_raises_the_minimum_detectable(noise, mixed):
    options = AuditOptions(attackers=("linear",), permutations=24, deals=1, aligned=True)
    right, wrong = (
        audit(noise, table, "gender", options=options) for table in (LABELS, labels(mixed))
    )
    for report in (right, wrong):
        sensitivity = report.sensitivity
        assert sensitivity.detected == sensitivity.tried[-1] or np.isinf(sensitivity.detected)
        assert report.minimum_detectable >= max(sensitivity.tried[0], sensitivity.detected)
    # And found in a table of any order, it is no reason to judge it.
    assert audit(noise, labels(mixed), "gender", options=FAST).gate.status == 4


def test_the_flag_says_so_and_is_repeated(noise, tmp_path, capsys):
    np.save(tmp_path / "h.npy", noise)
    lines = [f"s{speaker},{'fm'[speaker % 2]}" for speaker in SPEAKER]
    (tmp_path / "labels.csv").write_text("\n".join(["speaker,gender", *lines]))
    arguments = ["audit", str(tmp_path / "h.npy"), str(tmp_path / "labels.csv"), "--quick"]
    arguments += ["--attribute=gender", "--attackers=linear", f"--output={tmp_path}"]
    assert main(arguments) == 4
    assert "gender was not judged" in capsys.readouterr().err
    assert main([*arguments, "--aligned"]) in (0, 3)
    written = json.loads((tmp_path / "audit.json").read_text("utf-8"))
    assert "--aligned" in written["command"].split() and written["alignment"]["by"] == "caller"
    said = " ".join(capsys.readouterr().out.split())
    assert "by the word of the caller" in said and "Sensitivity: of leaks planted" in said


def test_a_vouched_order_that_no_column_confirms_is_said_to_be_the_word_of_the_caller(noise, mixed):
    options = AuditOptions(attackers=("linear",), permutations=24, deals=1, aligned=True)
    h = noise + 3 * (SPEAKER % 2)[:, None]
    shuffled = audit(h, labels(mixed), "gender", options=options)
    assert shuffled.verdict != "leaks" and "gender" in shuffled.alignment.tried
    said = "no column of the labels could be read from the representations (gender, speaker)"
    assert said in shuffled.reason and said in " ".join(shuffled.headline.still_open)
    *_, last = table_of(shuffled).partition("gender: ")
    assert "word of the caller alone" in " ".join(last.split())
    right = audit(h, LABELS, "gender", options=options)
    assert right.verdict == "leaks" and right.alignment.by == "caller"
    assert right.alignment.column == "gender" and not right.alignment.doubt
    posterior = noise.copy()
    posterior[:, 0] += 3 * (np.arange(len(SPEAKER)) % 3)  # confirms the order, and is no leak
    columns = LABELS | {"emotion": np.arange(len(SPEAKER)) % 3}
    confirmed = audit(posterior, columns, "gender", options=options)
    assert confirmed.alignment.column == "emotion" and "word of" not in confirmed.reason


def test_ids_that_no_column_confirms_are_said_to_be_believed_alone(tmp_path, mixed):
    """Ids that belong to other utterances join the rows of a shuffled table without a word."""
    ids = np.array([f"u{i}" for i in range(len(SPEAKER))])
    h = np.random.default_rng(3).normal(size=(len(SPEAKER), 4)) + 3 * (SPEAKER % 2)[:, None]
    np.savez(tmp_path / "h.npz", h=h, id=ids)
    swapped = {name: cells.astype(str) for name, cells in (LABELS | {"id": ids[mixed]}).items()}
    wrong = audit(tmp_path / "h.npz", swapped, "gender", options=FAST)
    said = "no column of the labels could be read from the representations (gender, speaker)"
    assert wrong.verdict != "leaks" and said in " ".join(wrong.headline.still_open)
    right = audit(tmp_path / "h.npz", swapped | {"id": ids}, "gender", options=FAST)
    assert right.verdict == "leaks" and right.alignment.column == "gender"
    assert right.alignment.by == "ids" and not right.alignment.doubt
