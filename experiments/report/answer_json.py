"""The answer as an object, for programs: the list `answers` of summary.json."""

import math
from collections.abc import Sequence
from typing import Any

from experiments.report.answer import Answer, NetworkAnswer


def answers_json(given: Sequence[Answer]) -> list[dict[str, Any]]:
    """The answers as they stand in summary.json; answers.schema.json beside this file has the keys.

    Sentences and numbers are those of the terminal, summary.md and the report; null is not known.
    """
    return [
        answer._asdict() | {"networks": [_network(network) for network in answer.networks]}
        for answer in given
    ]


def _network(network: NetworkAnswer) -> dict[str, Any]:
    score, lower, upper = map(_known, network.emotion)
    scores = {name: _known(getattr(network, name)) for name in ("uar", "lower", "upper")}
    emotion = {"score": score, "lower": lower, "upper": upper}
    return network._asdict() | scores | {"emotion": emotion}


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None
