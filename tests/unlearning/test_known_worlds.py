"""Every way to unlearn against a freshly trained attacker on unseen speakers, on synthetic worlds.

Encoders are one dense layer on the world's columns, so that nothing but the defence decides.
"""

from functools import cache
from itertools import product

import jax.numpy as jnp
import numpy as np
import pytest
from flax.core import FrozenDict

from privrep.attacks.lda import linear
from privrep.inputs.packing import PackingSettings, pack
from privrep.leakage.worlds import WORLDS
from privrep.networks.emotion_net import EmotionNet
from privrep.parallel.run_axis import Run, run_key
from privrep.statistics.design import design
from privrep.statistics.uar import confusion_counts, uar
from privrep.training.fit import fit
from privrep.training.problem import FitSettings
from privrep.types import Corpus, Split, Utterance, ragged
from privrep.unlearning.objective import Architecture
from privrep.unlearning.released_h import represent
from privrep.unlearning.training_problem import network_problem
from tests.support.small_data import Average

pytestmark = pytest.mark.usefixtures("quickly_compiled")
SPEAKERS, LEARNED = 120, 60  # the others are unseen by the networks; 20 of them validate
SEEDS, EPOCHS = 4, 20
RATE, SLOW = 0.02, 0.0003
KEEPS_UP = {"adversary_steps": 10, "adversary_input": "standardised"}


@cache
def packed(name):
    world = WORLDS[name].draw(3, SPEAKERS, 10, 8)
    utterances = [
        Utterance(
            id=f"u{i}",
            speaker=f"s{speaker}",
            categories={"emotion": "abcd"[emotion]},
            private={"gender": "fm"[gender]},
        )
        for i, (speaker, emotion, gender) in enumerate(
            zip(world.speaker, world.emotion, world.gender)
        )
    ]
    parts = np.digitize(world.speaker, (LEARNED, LEARNED + 20))
    split = Split(*(parts[None] == part for part in range(3)))
    frames = ragged(list(world.h[:, None]))
    settings = PackingSettings("emotion", ("gender",), normalise="train", block_size=200)
    return world, pack(utterances, Corpus(frames, None, None), split, settings)


PLAIN = (
    *(("grl", 0, RATE), ("grl", 1, RATE), ("grl", 1, SLOW)),
    *(("uniform", 1, RATE), ("entropy", 1, RATE), ("mmd", 3, RATE), ("hsic", 24, RATE)),
)
DEFENCES = tuple(dict.fromkeys(defence for defence, *_ in PLAIN))


def unlearned(world_name, ways, adversary_steps=1, adversary_input="plain", given="none"):
    """{way: (emotion UAR, adversary's UAR, freshly trained attacker's UAR)}, means over seeds.

    A way is (defence, lambda, adversary's rate); the attacker is linear, and all scores
    are of unseen speakers.
    """
    world, data = packed(world_name)
    net = EmotionNet(
        encoders=FrozenDict(acoustic=Average("frames", 6)),
        num_classes=4,
        private=FrozenDict(gender=2),
        adversary_width=32,
        adversary_input=adversary_input,
        adversary_given=given,
    )
    architecture = Architecture(
        *(net, DEFENCES, "constant", "emotion", "float32", data.longest, None),
        adversary_steps=adversary_steps,
    )
    rows = [(*way, seed) for way, seed in product(ways, range(SEEDS))]
    defences, strength, rate, seeds = zip(*rows)
    zeros = np.zeros(len(rows), np.float32)
    runs = Run(
        key=jnp.stack([run_key(seed, 0) for seed in seeds]),
        fold=zeros.astype(np.int32),
        defence=np.int32([DEFENCES.index(name) for name in defences]),
        lambda_={"gender": np.float32(strength)},
        release=zeros.astype(np.int32),
        release_lambda={"gender": zeros},
        learning_rate=zeros + RATE,
        adversary_learning_rate=np.float32(rate),
        weight_decay=zeros,
        relative=np.zeros(len(zeros), bool),
    )
    *_, last = fit(network_problem, architecture, FitSettings(60, EPOCHS, EPOCHS), data.data, runs)
    h, scores, _ = represent(architecture, data.data, runs, last.fits().params)
    results = [scores["test_emotion_uar"], scores["test_gender_adversary_uar"]]
    results.append([attacked(world, released_h) for released_h in h])
    return dict(zip(ways, np.array(results).reshape(3, len(ways), SEEDS).mean(2).T.tolist()))


@pytest.fixture(scope="module")
def plain(quickly_compiled):
    """All defences as they are, in the world where gender has nothing to do with emotion."""
    return unlearned("linear", PLAIN)


def attacked(world, h):
    strange = world.speaker >= LEARNED
    gender, speakers = world.gender[strange], world.speaker[strange] - LEARNED
    folds = design(gender, speakers, None, 5, 0).folds
    guessed = linear(0, h[strange], gender[None], speakers, folds, 2).predictions[0]
    return uar(confusion_counts(guessed, gender, speakers, 2).sum(0))


@pytest.mark.long
def test_an_adversary_that_lags_hides_the_attribute_from_itself_alone(plain):
    """At chance or below, while a fresh attacker finds more than if nothing had been done."""
    (emotion, watching, before), (_, _, quick) = plain["grl", 0, RATE], plain["grl", 1, RATE]
    same, adversary, slow = plain["grl", 1, SLOW]
    assert watching > 0.65 and adversary < 0.5
    assert slow > before + 0.02 and quick < before - 0.06
    # Steps of its own, in units that move with h, make the same slow adversary one to be reckoned
    # with.
    ((kept, _, keeps_up),) = unlearned("linear", (("grl", 1, SLOW),), **KEEPS_UP).values()
    assert keeps_up < slow - 0.07 and keeps_up < before - 0.03
    assert min(same, kept) > emotion - 0.03


@pytest.mark.parametrize("way", PLAIN[3:])
def test_a_defence_takes_a_part_of_what_is_independent_of_emotion(plain, way):
    emotion, _, before = plain["grl", 0, RATE]
    kept, _, after = plain[way]
    assert before > 0.65 and after - 0.5 < 0.8 * (before - 0.5), (before, after)
    assert kept > emotion - 0.03


def test_what_the_emotion_reveals_stays():
    """An adversary may well be at chance."""
    results = unlearned("emotion_tied", PLAIN)
    assert min(kept for kept, _, _ in results.values()) > 0.9
    assert min(after for _, _, after in results.values()) > 0.65
    assert results["grl", 1, SLOW][1] < 0.55 and results["grl", 1, SLOW][2] > 0.75


@pytest.mark.long
def test_an_adversary_with_the_emotion_does_not_remove_the_emotion():
    """Where gender can be read from the emotion alone, reversal of other adversaries costs it."""
    ways = (("grl", 0, RATE), ("grl", 3, RATE))
    (before, _, _), (plain, _, _) = unlearned("emotion_tied", ways, **KEEPS_UP).values()
    given = unlearned("emotion_tied", ways, **KEEPS_UP, given="emotion")
    _, (with_emotion, _, attacker) = given.values()
    assert plain < before - 0.05 and with_emotion > before - 0.03
    assert attacker > 0.7  # which is what the emotion reveals
