"""One small corpus, network and table of runs, for everything that trains."""

import jax.numpy as jnp
import numpy as np
from flax.core import FrozenDict

from privrep.parallel.run_axis import Run, run_key
from privrep.training.fit import fit
from privrep.training.problem import FitSettings
from privrep.unlearning.training_problem import network_problem
from tests.support.small_data import architecture, corpus, packed

UTTERANCES, FRAMES, WORDS = corpus()
PACKED = packed(UTTERANCES, FRAMES, WORDS)
ARCHITECTURE = architecture(PACKED)
_ACOUSTIC = ARCHITECTURE.net.encoders["acoustic"].clone(conv_layers=1)

# For what is no matter of the encoders: half of it to compile.
LIGHT = ARCHITECTURE._replace(
    net=ARCHITECTURE.net.clone(encoders=FrozenDict(acoustic=_ACOUSTIC)),
)
FOLDS, CORPUS = PACKED.data.folds, PACKED.data.corpus
LAMBDA = {"gender": np.float32(0.5), "speaker": np.float32(1.5)}
SETTINGS = FitSettings(batch_size=8, max_epochs=3, patience=3)


def run_table() -> Run:
    """Of fold 0: all learn, adversaries rest, encoders rest; of fold 1: lambda is 0."""
    return Run(
        key=jnp.stack([run_key(0, fold) for fold in (0, 0, 0, 1)]),
        fold=np.array([0, 0, 0, 1], np.int32),
        defence=np.zeros(4, np.int32),
        lambda_={a: strength * np.float32([1, 1, 1, 0]) for a, strength in LAMBDA.items()},
        release=np.zeros(4, np.int32),
        release_lambda={a: np.ones(4, np.float32) for a in LAMBDA},
        learning_rate=np.float32([0.01, 0.01, 0, 0.01]),
        adversary_learning_rate=np.float32([0.02, 0, 0.02, 0.02]),
        weight_decay=np.float32([0, 0, 0, 0.01]),
        relative=np.zeros(4, bool),
    )


def trained(data):
    """(fits, history) after every epoch, as numpy."""
    stages = fit(network_problem, ARCHITECTURE, SETTINGS, data, run_table())
    return [(stage.fits(), stage.history) for stage in stages]
