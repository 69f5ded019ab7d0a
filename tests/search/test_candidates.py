"""What competes in a search, and that the rule chooses; nothing is trained here."""

import hypothesis.strategies as st
import pytest
from hypothesis import given

from experiments.config.settings import Config
from experiments.config.sweep import expand
from experiments.search.candidates import (
    RULES,
    Candidate,
    CandidateScore,
    best,
    candidates_of,
    differing,
    is_ordinary,
    questions,
    score,
    still_needed,
)
from tests.support.paths import ROOT
from tests.support.result_rows import run

FLAGFILE = ROOT / "experiments" / "flagfiles" / "search.flags"


def swept(**flags):
    return candidates_of(expand(flags))


def test_the_paper_s_grid_asks_three_questions_of_96_architectures():
    lines = FLAGFILE.read_text(encoding="utf-8").splitlines()
    flags = dict(line[2:].split("=", 1) for line in lines if line.startswith("--"))
    assert flags.pop("search") == "grid"
    del flags["workdir"]
    flags["lambda_"] = flags.pop("lambda")
    settings = swept(**flags)
    sizes = {question: len(numbers) for question, numbers in questions(settings).items()}
    assert sorted(sizes.values()) == [96, 96 * 4, 96 * 4]
    assert {setting.pack for setting in settings} == {*range(96)}
    for setting in settings:
        if is_ordinary(setting.config):
            assert setting.twin is None
            continue
        twin = settings[setting.twin]
        assert is_ordinary(twin.config) and twin.pack == setting.pack
        of_network = ("conv_layers", "num_kernels", "kernel_width", "gru_layers", "dense_width")
        assert all(getattr(twin.config, n) == getattr(setting.config, n) for n in of_network)


def test_seeds_are_one_setting_and_tasks_and_recipes_are_asked_apart():
    settings = swept(seed="0,1,2", task="activation,valence", learning_rate="0.001,0.01")
    assert all(len(setting.runs) == 3 for setting in settings)
    of_question = questions(settings)
    assert len(of_question) == 2 * 3 and all(len(numbers) == 2 for numbers in of_question.values())
    assert differing(settings, next(iter(of_question.values()))) == ["learning_rate"]


@pytest.mark.parametrize(
    "flags", [{}, {"seed": "0,1", "task": "activation,valence", "placement": "joint,modality"}]
)
def test_where_nothing_competes_there_is_nothing_to_choose(flags):
    with pytest.raises(ValueError, match=r"nothing to choose: .*--conv_layers=3,4"):
        questions(swept(**flags))
    assert questions(swept(**flags, lambda_="0,0.5,1"))


def test_protected_networks_are_judged_by_emotion_less_leak_and_ordinary_ones_by_emotion():
    """Validation emotion 0.5 and 0.6, a fresh attacker at 0.75 and 0.65."""
    for lambda_, value in ((1.0, 0.55 - 0.20), (0.0, 0.55)):
        rows = [run(lambda_, 0, val=(0.5, 0.75)), run(lambda_, 1, val=(0.6, 0.65))]
        judged = score(rows)
        assert judged.sound and judged.value == pytest.approx(value, abs=1e-6)
        assert judged.means == pytest.approx(
            {"val_emotion_uar": 0.55, "val_gender_attacker_uar": 0.7}
        )
        # What test speakers would say is not asked.
        other = [row | {"test_emotion_uar": 0, "test_gender_privacy": 1} for row in rows]
        assert score(other) == judged
        for broken in ({"diverged": True}, {"collapsed": True}):
            assert not score([rows[0], rows[1] | broken]).sound


def test_what_collapsed_comes_last_however_private():
    values = ((False, 0.9), (True, 0.2), (True, 0.3), (True, 0.3))
    scores = {i: CandidateScore(*value, {}) for i, value in enumerate(values)}
    order = []
    while len(order) < 4:
        order.append(best([s for s in scores if s not in order], scores))
    assert order == [2, 3, 1, 0]


@given(st.data())
def test_what_is_dropped_on_the_way_would_have_been_dropped_in_the_end(data):
    """Whatever order the packs are measured in, and every survivor has its twin."""
    count = data.draw(st.integers(1, 8))
    values = data.draw(st.lists(st.integers(0, 5), min_size=3 * count, max_size=3 * count))
    candidates = [Candidate(i, (0,), Config(), ("none",), None) for i in range(count)]
    candidates += [Candidate(i, (0,), Config(), ("paper",), i) for i in range(count)]
    candidates += [Candidate(count + i, (0,), Config(), ("strong",), i) for i in range(count)]
    every = range(len(candidates))
    asked = {}
    for s in every:
        asked.setdefault(candidates[s].question, []).append(s)
    scores = {s: CandidateScore(True, float(values[s]), {}) for s in every}
    end = still_needed(candidates, asked, scores)
    for question, numbers in asked.items():
        assert best(numbers, scores) in end
        if question != ("none",):
            assert len([s for s in end if s in numbers]) == 1
    assert {candidates[s].twin for s in end} - {None} <= end
    known = {}
    for pack in data.draw(st.permutations(range(2 * count))):
        known |= {s: scores[s] for s in every if candidates[s].pack == pack}
        assert end <= still_needed(candidates, asked, known)


def test_the_leak_aware_rule_chooses_the_best_emotion_within_the_limit():
    """The paper's rule takes the third: it loses more emotion than the second, but leaks less."""
    settings = {0: (0.7, 0.75), 1: (0.6, 0.59), 2: (0.55, 0.5)}
    scores = {s: score([run(1.0, val=val)]) for s, val in settings.items()}
    assert [best(scores, scores, rule) for rule in RULES] == [2, 1]
    leaking = {s: score([run(1.0, val=val)]) for s, val in {0: (0.7, 0.8), 1: (0.4, 0.7)}.items()}
    assert best(leaking, leaking, "leak_aware") == 1  # none is within it: the least leak
    ordinary = score([run(0.0, val=(0.7, 0.9))])
    assert ordinary.by("paper") == ordinary.by("leak_aware") == pytest.approx(0.7)


def test_by_both_rules_the_choices_of_either_are_kept_with_their_twins():
    candidates = [Candidate(i, (0,), Config(), ("none",), None) for i in range(3)]
    candidates += [Candidate(i, (0,), Config(), ("paper",), i) for i in range(3)]
    scores = {s: CandidateScore(True, float(s == 0), {}, float(s == 0)) for s in range(3)}
    scores |= {s: CandidateScore(True, float(s == 4), {}, float(s == 5)) for s in (3, 4, 5)}
    asked = {("none",): [0, 1, 2], ("paper",): [3, 4, 5]}
    assert still_needed(candidates, asked, scores) == {0, 4, 1}
    assert still_needed(candidates, asked, scores, ("leak_aware",)) == {0, 5, 2}
    assert still_needed(candidates, asked, scores, RULES) == {0, 4, 1, 5, 2}


def test_a_regression_is_judged_by_its_ccc():
    rows = [run(1.0, val=(None, 0.6)) | {"val_emotion_ccc": 0.4, "emotion_chance": 0.0}]
    candidate_score = score(rows)
    assert (
        candidate_score.value == pytest.approx(0.3)
        and candidate_score.means["val_emotion_ccc"] == 0.4
    )
