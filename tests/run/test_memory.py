"""The memory that a training is said to take, beside what it takes."""

import re

import jax
import numpy as np
import pytest

from experiments.config import build
from experiments.run.memory import memory_line, step_bytes, training_memory
from experiments.run.train_pack import Watch, train
from privrep.inputs.packing import PackingSettings, pack
from privrep.parallel.run_axis import take
from privrep.training.fit import _epoch_all, start_all
from privrep.training.streaming import place
from privrep.types import Corpus, ragged
from privrep.unlearning.training_problem import network_problem
from tests.run.test_run_pack import N, SPLIT, corpus

BANDS = 40


@pytest.fixture
def of_sound():
    """A function of the settings of networks: architecture, fit settings, data, runs and states."""

    def made(**settings):
        flags = {"modality": "acoustic", "task": "emotion", "recipe": "paper", "lambda_": "0"}
        return _made(flags | {"max_epochs": "1"} | settings)

    return made
