import numpy as np

from privrep.attacks.lda import ATTACKS
from privrep.leakage.learning_curve import learning_curve
from privrep.leakage.measurement import measure
from privrep.leakage.worlds import WORLDS
from privrep.types import InferenceSettings, Sample


def test_more_speakers_teach_more_and_the_last_point_is_the_measurement():
    sample = WORLDS["linear"].draw(0, 60, 8, 16).sample()
    points = learning_curve(sample, attack=ATTACKS["linear"], sizes=(6, 20, 500))
    assert np.allclose([point.speakers for point in points], (4.8, 16, 48))
    assert points[0].uar < points[1].uar < points[2].uar
    assert points[0].sd > 0 and points[2].sd == 0
    suite = {"linear": ATTACKS["linear"]}
    whole = measure(sample, attackers=suite, settings=InferenceSettings(permutations=1, deals=1))
    assert points[2].uar == whole.verdict.uar


def test_unknown_labels_do_not_count():
    sample = WORLDS["linear"].draw(0, 12, 8, 4)
    unknown = np.arange(96) % 5 == 0
    labels = np.where(unknown, -1, sample.gender)
    names = np.array([f"s{s:02}" for s in sample.speaker])
    arguments = {"attack": ATTACKS["linear"], "sizes": (6,), "repetitions": 2}
    left_out = learning_curve(
        Sample.of(sample.h[~unknown], labels[~unknown], names[~unknown]), **arguments
    )
    assert learning_curve(Sample.of(sample.h, labels, names), **arguments) == left_out
