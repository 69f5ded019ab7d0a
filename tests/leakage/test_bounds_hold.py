"""Whatever the sample, 0 <= lower <= UAR <= upper <= 1, and no leak is excluded below the UAR."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from privrep.attacks.lda import linear
from privrep.leakage.attribute_matrix import measure_attributes
from privrep.leakage.conditional import explain
from privrep.leakage.membership.identify import Networks, identify
from privrep.leakage.threat_ladder import OtherCorpus, ladder
from privrep.leakage.verification import Conditions, VerificationTarget, verify
from privrep.statistics.strata import covariate
from privrep.types import InferenceSettings, Sample, Split

FEW = InferenceSettings(folds=3, permutations=24)
few_examples = settings(max_examples=6, deadline=None, database=None, derandomize=True)
samples = st.builds(
    dict,
    seed=st.integers(0, 10**6),
    speakers=st.integers(6, 14),
    utterances=st.integers(2, 6),
    voice=st.sampled_from([0.0, 2.0]),
    room=st.sampled_from([0.0, 5.0]),
    leak=st.sampled_from([-3.0, 0.0, 3.0]),
)


def drawn(seed, speakers, utterances, voice, room, leak):
    """A sample in which rooms, voices and a leak are there or not, and its rooms and scripts."""
    rng = np.random.default_rng(seed)
    speaker = np.repeat(np.arange(speakers), rng.integers(2, 2 + utterances, speakers))
    rooms, gender = rng.integers(0, 3, speakers), rng.permutation(np.arange(speakers) % 2)
    h = rng.normal(size=(len(speaker), 4)) + voice * rng.normal(size=(speakers, 4))[speaker]
    h += room * rng.normal(size=(3, 4))[rooms[speaker]]
    h[:, 0] += leak * gender[speaker]
    script = rng.integers(0, 2, len(speaker))
    return Sample.of(h, gender[speaker], speaker), rooms[speaker], script


def holds(score, lower, upper, limit=1.0, verdict=""):
    assert 0 <= lower <= score <= upper <= 1
    assert verdict != "no_leak_shown" or upper <= limit


@few_examples
@given(samples)
def test_of_attributes_and_covariates(sample):
    sample, room, script = drawn(**sample)
    columns = {"room": [f"r{i}" for i in room], "script": [f"s{i}" for i in script]}
    for attribute in measure_attributes(sample, columns, FEW)[0]:
        v = attribute.verdict
        holds(v.uar, v.lower, v.upper, v.limit, v.verdict)
    z = covariate("room", columns["room"])
    for answer in explain(sample, [z], attackers={"linear": linear}, settings=FEW):
        for v in (answer.total, answer.covariate_alone, answer.beyond):
            assert v.uar >= 0 and v.lower >= 0  # no UAR is negative


@few_examples
@given(samples, st.booleans())
def test_of_verification(sample, with_session):
    sample, room, script = drawn(**sample)
    targets = [
        VerificationTarget(sample.h, sample.speaker % 3 != k, sample.speaker % 3 == k)
        for k in range(3)
    ]
    contents = [covariate("script", [str(s) for s in script])]
    result = verify(
        targets, sample.speaker, FEW, Conditions(room if with_session else None, contents)
    )
    for v in (result.verdict, *result.kinds.values()):
        holds(v.uar, v.lower, v.upper, v.limit, v.verdict)


@few_examples
@given(samples, st.integers(0, 10**6))
def test_of_threats(sample, seed):
    other, _, _ = drawn(**sample | {"seed": seed})
    sample, _, _ = drawn(**sample)
    rungs = ladder(
        sample,
        attack=linear,
        unprotected=-sample.h,
        other=OtherCorpus(other.h, other.labels, other.speaker),
        settings=FEW,
    )
    for rung in rungs:
        holds(rung.uar, rung.lower, rung.upper)


@few_examples
@given(samples, st.booleans(), st.booleans())
def test_of_membership(sample, official, with_session):
    sample, room, _ = drawn(**sample)
    networks = 1 if official else 3
    part = (sample.speaker - np.arange(networks)[:, None]) % 3
    split = Split(part == 0, np.zeros_like(part, bool), part > 0)
    h = np.stack([sample.h + k for k in range(networks)])
    session = room if with_session else None
    given_networks = Networks(h, sample.speaker, split, session=session, inputs=sample.h)
    try:
        results = identify(given_networks, draws=3, settings=FEW)
    except ValueError as error:
        pytest.skip(str(error))
    for r in results.values():
        holds(r.auc, r.lower, r.upper, 0.6, r.verdict)
