"""The engines by name, and their options."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any, NamedTuple

from experiments.engines.here import here
from experiments.engines.ray import ray
from experiments.engines.slurm import slurm
from experiments.engines.tasks import Engine, EngineSettings
from privrep.messages import nearest


class EngineKind(NamedTuple):
    """An engine and its options.

    Attributes:
      open: a context that yields the engine.
      package: that it needs, "" if none.
      options: {name: default}, each of the default's type.
    """

    open: Callable[[EngineSettings], AbstractContextManager[Engine]]
    package: str
    options: Mapping[str, Any]


ENGINES: Mapping[str, EngineKind] = {
    "here": EngineKind(here, "", {}),
    "ray": EngineKind(ray, "ray", {"address": "", "cpus": 1, "gpus": 0, "tpus": 0}),
    "slurm": EngineKind(
        slurm,
        "submitit",
        {
            **{"cluster": "slurm", "partition": "", "account": "", "minutes": 1440, "cpus": 1},
            **{"gpus": 0, "memory_gb": 0, "at_once": 0, "nodes": 1, "processes": 1},
        },
    ),
}
_CLUSTERS = ("slurm", "local")


def parse_options(engine: str, text: str) -> dict[str, Any]:
    """{option: value} of an engine, from "cpus=4,gpus=1".

    >>> parse_options("ray", "cpus=4")
    {'address': '', 'cpus': 4, 'gpus': 0, 'tpus': 0}

    Raises:
      ValueError: the engine has no such option, or the value is none of its.
    """
    options = dict(ENGINES[engine].options)
    for pair in filter(None, text.split(",")):
        name, is_pair, value = pair.partition("=")
        if name not in options or not is_pair:
            known = ", ".join(f"{n}=" for n in options) or "none"
            raise ValueError(
                f"--engine_options={text}: {pair!r} is no option of --engine={engine}"
                f"{nearest(name, options)}: it has {known}"
            )
        if isinstance(options[name], int):
            if not value.isdecimal():
                raise ValueError(f"--engine_options={text}: {name} is a whole number, 0 or more")
            options[name] = int(value)
        else:
            options[name] = value
    if options.get("cluster", "slurm") not in _CLUSTERS:
        raise ValueError(f"--engine_options={text}: cluster is one of {', '.join(_CLUSTERS)}")
    for name in ("cpus", "nodes", "processes", "minutes"):
        if options.get(name, 1) < 1:
            raise ValueError(f"--engine_options={text}: {name} is at least 1")
    return options
