"""ONNX graphs as onnxruntime runs them."""

import numpy as np
import onnxruntime


def session_of(graph):
    # More threads than cores would wait for each other on a busy machine.
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4  # what a test asks for is no news
    content = graph.SerializeToString()
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def sent_by(graph, person=None, **inputs):
    """h [N, D] of N utterances, one after another."""
    session, person = session_of(graph), person or {}
    rows = [dict(zip(inputs, values)) for values in zip(*inputs.values())]
    return np.array([session.run(None, row | person)[0] for row in rows])
