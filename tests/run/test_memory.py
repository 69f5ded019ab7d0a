"""The memory that a training is said to take, beside what its compiled program takes."""

import re

import jax
import numpy as np
import pytest
from flax.core import FrozenDict

from experiments.run.memory import memory_line, step_bytes, training_memory
from privrep.networks.encoders import AcousticEncoder
from privrep.training.fit import _epoch_all, start_all
from privrep.training.problem import FitSettings
from privrep.training.streaming import place
from privrep.types import ragged
from privrep.unlearning.training_problem import network_problem
from tests.support.small_data import architecture, corpus, packed
from tests.support.small_networks import run_table

BANDS, LONGEST, BATCH = 40, 240, 32
SETTINGS = FitSettings(batch_size=BATCH, max_epochs=1, patience=1)


def network(num_kernels):
    """Architecture and data of an acoustic network of the usual layers, on 240 frames each."""
    utterances, _, words = corpus()
    rng = np.random.default_rng(0)
    frames = [rng.normal(size=(LONGEST, BANDS)).astype(np.float32) for _ in utterances]
    data = packed(utterances, ragged(frames), words)
    plain = architecture(data)
    encoders = FrozenDict(acoustic=AcousticEncoder(num_kernels=num_kernels))
    return plain._replace(net=plain.net.clone(encoders=encoders), fill=1.0), data.data


def shapes(of, data):
    return jax.eval_shape(lambda: start_all(network_problem, of, SETTINGS, data, run_table()))


def test_memory_grows_with_what_there_is_more_of_and_the_line_adds_what_is_in_use():
    small, data = network(8)
    large, _ = network(64)
    fits = shapes(small, data)
    of_small = training_memory(small, BATCH, data, fits, together=2)
    of_large = training_memory(large, BATCH, data, shapes(large, data), together=2)
    assert of_large.networks > of_small.networks and of_large.data == of_small.data
    assert of_large.steps > 2 * of_small.steps
    assert step_bytes(small, 2 * BATCH, BANDS) == 2 * step_bytes(small, BATCH, BANDS)
    assert training_memory(small, BATCH, data, fits, together=4).steps == 2 * of_small.steps
    assert of_small.data >= data.corpus.frames.values.nbytes
    line = memory_line(of_small, 4, 12_345)
    assert line.startswith("4 networks of 12,345 parameters: about ")
    in_all, in_use = map(float, re.findall(r"([\d.]+) GB", line))
    assert in_all > in_use > 0


@pytest.mark.long
@pytest.mark.parametrize("num_kernels", [16, 64])
def test_the_estimate_is_within_a_factor_of_two_of_what_the_program_takes(num_kernels):
    of, data = network(num_kernels)
    fits, runs = shapes(of, data), run_table()
    lowered = _epoch_all.lower(network_problem, of, SETTINGS, place(data), runs, fits)
    program = lowered.compile().memory_analysis()
    truth = program.argument_size_in_bytes + program.temp_size_in_bytes
    estimate = training_memory(of, BATCH, data, fits, together=1)
    estimated = estimate.total - estimate.compiler
    assert truth / 2 < estimated < truth * 2, (truth, estimate)
