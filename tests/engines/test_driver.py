"""The driver takes results in order, and survives whatever happens to the processes."""

import itertools

import pytest

from experiments.engines import driver
from experiments.engines.driver import MOST_DEATHS, Watch, in_order
from experiments.engines.tasks import DIED, DONE, FAULT, WRONG, Engine, Outcome, Task

TASKS = [Task(number, "", {}) for number in range(3)]


class Script:
    """An engine that gives the outcomes of a list; results are there as they are DONE."""

    def __init__(self, *outcomes, without_result=()):
        self.outcomes, self.without_result = list(outcomes), list(without_result)
        self.submitted, self.results, self.cancelled = [], set(), 0
        self.engine = Engine(self.submit, self.wait, self.cancel)
        self.watch = Watch(lambda task: task.number in self.results)

    def submit(self, tasks):
        self.submitted += [task.number for task in tasks]

    def wait(self, seconds):
        outcome = self.outcomes.pop(0)
        if outcome and outcome.end == DONE and len(self.outcomes) not in self.without_result:
            self.results.add(outcome.number)
        return outcome

    def cancel(self):
        self.cancelled += 1


def taken(script, said=None, tasks=TASKS):
    said = [] if said is None else said
    return [task.number for task in in_order(script.engine, tasks, script.watch, said.extend)]


def test_results_are_taken_in_the_order_of_the_tasks():
    script = Script(Outcome(2, DONE), None, Outcome(0, DONE), Outcome(1, DONE))
    assert taken(script) == [0, 1, 2] and script.submitted == [0, 1, 2]


def test_a_result_that_is_there_is_taken_without_a_process():
    script = Script(Outcome(0, DONE), Outcome(2, DONE))
    script.results.add(1)
    assert taken(script) == [0, 1, 2] and script.submitted == [0, 2]


def test_a_task_whose_process_died_is_submitted_again_so_many_times():
    died, said = Outcome(0, DIED, "signal 9"), []
    script = Script(*[died] * (MOST_DEATHS - 1), Outcome(0, DONE))
    assert taken(script, said, TASKS[:1]) == [0] and len(script.submitted) == MOST_DEATHS
    assert said[0] == "pack 000 is submitted again: its process has died (signal 9)"
    script = Script(*[died] * MOST_DEATHS)
    with pytest.raises(ValueError, match=r"5 processes .* have died, the last by: signal 9"):
        taken(script, [], TASKS[:1])
    assert script.cancelled == 1


def test_a_process_that_comes_too_late_is_not_a_result():
    """It ends as done, and publishes nothing, since a later attempt has begun."""
    script = Script(Outcome(0, DONE), Outcome(0, DONE), without_result=[1])
    assert taken(script, [], TASKS[:1]) == [0] and script.submitted == [0, 0]


def test_an_error_ends_the_job_and_cancels_what_is_left():
    for end, error in ((WRONG, ValueError), (FAULT, RuntimeError)):
        script = Script(Outcome(1, end, "what is wrong"))
        with pytest.raises(error, match="what is wrong"):
            taken(script)
        assert script.cancelled == 1


def test_an_error_after_the_result_is_there_does_no_harm():
    script = Script(Outcome(0, DONE), Outcome(0, WRONG, "late"), Outcome(1, DONE))
    assert taken(script, [], TASKS[:2]) == [0, 1]


def test_a_task_without_a_sign_of_life_is_submitted_once_more(monkeypatch):
    clock = itertools.count(0, 50)
    monkeypatch.setattr(driver.time, "monotonic", lambda: next(clock))
    script, said = Script(*[None] * 40), []
    signs = {0: [None], 1: [(4, b"of a driver that was stopped")], 2: [None]}  # then and now
    signs[0] += [(1, b"the same")] * 40
    watch = Watch(
        script.watch.published,
        lambda task: signs[task.number].pop(0) if signs[task.number][1:] else signs[task.number][0],
    )
    with pytest.raises(IndexError):  # of the script's end
        [*in_order(script.engine, TASKS, watch, said.extend)]
    assert script.submitted == [0, 1, 2, 0]  # those that wait for a machine are left alone
    assert said == ["pack 000 is submitted again: no sign of life for 120 s"]
