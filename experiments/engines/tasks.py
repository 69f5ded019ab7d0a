"""Tasks and the engines that carry them out: three functions, whatever the machines.

Nothing here imports jax: a process that carries out a task imports this first, and sets the task's
environment before all else.
"""

import importlib
import os
import traceback
from collections.abc import Callable, Mapping, Sequence
from types import ModuleType
from typing import Any, NamedTuple

from privrep.program import sentence_of

DONE, WRONG, FAULT, DIED = "done", "wrong", "fault", "died"


class Task(NamedTuple):
    """A piece of work, described by text alone, so that any process can carry it out.

    Attributes:
      number: unlike that of the other tasks of a job.
      function: "module:function", which is called with `argument`.
      argument: {parameter: value}, of what JSON knows.
    """

    number: int
    function: str
    argument: Mapping[str, Any]


class Outcome(NamedTuple):
    """How a process that was given a task has ended.

    Attributes:
      number: of the task.
      end: DONE; WRONG, where the user or the system did something wrong; FAULT of the program; or
        DIED, where the process or its machine ended before the task did.
      text: "", a sentence, a traceback, or what the engine knows of the end.
    """

    number: int
    end: str
    text: str = ""


CarryOut = Callable[[Task, Mapping[str, str]], Outcome]


class Engine(NamedTuple):
    """What carries tasks out.

    Attributes:
      submit: takes tasks; each is begun as soon as there is room for it.
      wait: the next outcome, of any task; None if none came within so many seconds. A task that was
        submitted twice has two outcomes.
      cancel: ends all that was submitted and has not ended, without waiting for it.
    """

    submit: Callable[[Sequence[Task]], None]
    wait: Callable[[float], Outcome | None]
    cancel: Callable[[], None]


class EngineSettings(NamedTuple):
    """What an engine is opened with.

    Attributes:
      options: {name: value} of --engine_options.
      environment: variables of every process that carries out a task.
      folder: for the engine's own files; made if it needs any.
      carry_out: of the engine that works in this process, what it calls.
    """

    options: Mapping[str, Any]
    environment: Mapping[str, str]
    folder: str
    carry_out: CarryOut | None = None


def carry_out(task: Task, environment: Mapping[str, str]) -> Outcome:
    """Carries out a task in this process, whose environment becomes that of the task.

    >>> carry_out(Task(3, "math:sqrt", {"x": 2}), {}).end
    'fault'
    """
    os.environ.update(environment)
    try:
        module, _, name = task.function.partition(":")
        getattr(importlib.import_module(module), name)(**task.argument)
    except Exception as error:
        sentence = sentence_of(error)
        if sentence is None:
            return Outcome(task.number, FAULT, traceback.format_exc())
        return Outcome(task.number, WRONG, sentence)
    return Outcome(task.number, DONE)


def imported(package: str, engine: str) -> ModuleType:
    """The package of an engine.

    Raises:
      ValueError: it is not installed; the message says how it is.
    """
    try:
        return importlib.import_module(package)
    except ModuleNotFoundError as error:
        raise ValueError(
            f"--engine={engine} needs {error.name}, which is not installed: pip install "
            f"'privrep[{engine}]'"
        ) from error
