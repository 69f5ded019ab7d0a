"""Online coding sends each portion by what was sent before it, and by nothing else."""

import numpy as np
import pytest

from privrep.attacks.protocol import Attacked
from privrep.leakage.online_code import online_code
from privrep.types import Sample


def corpus(seed, people=40, each=5):
    """A sample whose first column names the speaker, so that an attacker knows whom it is given."""
    rng = np.random.default_rng(seed)
    speaker = np.repeat(np.arange(people), each)
    gender = rng.permutation(np.arange(people) % 4 == 0).astype(int)[speaker]
    return Sample.of(speaker[:, None], gender, speaker)


class Recorder:
    """An attacker that writes down whom it learns from and whom it codes, and predicts nothing.

    It learns as `protocol.Attack` says: a fold that is asked for is predicted from all other folds.
    """

    def __init__(self):
        self.portions = []

    def __call__(self, seed, h, labels, speakers, folds, num_classes, only=None):
        asked = np.unique(folds) if only is None else [only]
        learned = np.any([folds != fold for fold in asked], 0)
        coded = np.isin(folds, asked)
        self.portions.append(tuple({*h[rows, 0].astype(int)} for rows in (learned, coded)))
        zeros = np.zeros((len(h), num_classes), np.float32)
        return Attacked(np.zeros(labels.shape, np.int16), zeros, ("",) * len(np.unique(folds)))


def test_a_portion_is_coded_by_what_was_sent_before():
    """A code that learned from what it sends would be too short, and nobody could read it."""
    attack = Recorder()
    code = online_code(corpus(0), attack=attack)
    ends = [len(attack.portions[0][0]), *(len(sent | new) for sent, new in attack.portions)]
    assert tuple(ends) == code.speakers
    sent = attack.portions[0][0]
    for learned, coded in attack.portions:
        assert learned == sent and not learned & coded
        sent = sent | coded
    assert sent == {*range(40)}


@pytest.mark.parametrize("seed", range(3))
def test_a_code_of_nothing_costs_what_the_class_sizes_do(seed):
    """An attacker without knowledge leaves the prior: a quarter of the speakers are of class 1, so
    that later portions cost their entropy, 0.811 bits, up to what the prior learns late."""
    sample = corpus(seed, people=80)
    code = online_code(sample, attack=Recorder())
    entropy = -(0.25 * np.log2(0.25) + 0.75 * np.log2(0.75))
    first = code.speakers[0] / 80
    assert code.bits <= first * 1 + (1 - first) * 1.05 * entropy
    assert code.bits >= 0.99 * entropy
