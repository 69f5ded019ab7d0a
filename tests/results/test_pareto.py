"""The front on validation: nothing on it is beaten, everything else is."""

from hypothesis import given
from hypothesis import strategies as st

from experiments.results.pareto import leaks_of, pareto
from experiments.results.summary import mean, summarise
from tests.support.result_rows import BOTH, SETTINGS, control, run

SCORES = st.tuples(st.integers(0, 5), st.integers(0, 5))


@given(st.lists(SCORES, min_size=1, max_size=8))
def test_what_is_on_the_front_is_beaten_by_none_and_the_rest_by_one_on_it(scores):
    entries = summarise([run(float(i), val=(e, a)) for i, (e, a) in enumerate(scores)], SETTINGS)
    front = pareto(entries)

    def beats(x, y):
        (a, b), (c, d) = ((mean(e, "val_emotion_uar"), leaks_of(e, "val")[0]) for e in (x, y))
        return a >= c and b <= d and (a, b) != (c, d)

    assert front
    for entry in entries:
        assert any(beats(other, entry) for other in front) == (entry not in front)


def test_controls_and_collapsed_networks_are_not_on_it():
    rows = [run(0.0, val=(0.6, 0.7)), run(1.0, val=(0.6, 0.5), collapsed=True)]
    entries = summarise([*rows, control("raw", 0.5, val_gender_attacker_uar=0.0)], SETTINGS)
    assert pareto(entries) == entries[:1]


def test_an_attribute_without_a_validation_score_is_left_out():
    assert len(pareto(summarise(BOTH, SETTINGS))) == 2  # alike on validation
