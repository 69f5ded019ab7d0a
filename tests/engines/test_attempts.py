"""Of the attempts at a task one publishes: the latest that has begun."""

import threading

from experiments.engines.attempts import (
    attempted,
    has_published,
    publish,
    read_record,
    sign_of_life,
)
from tests.support import engine_tasks


def test_what_an_attempt_makes_is_there_at_once_when_it_publishes(tmp_path):
    with attempted(tmp_path) as attempt:
        (attempt.folder / "part").write_text("x")
        assert not has_published(tmp_path) and sign_of_life(tmp_path)[0] == 1
        assert publish(attempt, {"data_hash": "ab"})
    assert (tmp_path / "published" / "part").read_text() == "x"
    assert read_record(tmp_path) == {"attempt": 1, "data_hash": "ab"}
    with attempted(tmp_path) as late:
        assert late is None


def test_attempts_are_counted_and_know_those_before(tmp_path):
    for number in (1, 2, 3):
        with attempted(tmp_path) as attempt:  # and dies
            assert attempt.number == number
            assert [folder.name for folder in attempt.before] == [
                f"attempt_{n:02d}" for n in range(number - 1, 0, -1)
            ]
    assert publish(attempt, {}) and read_record(tmp_path)["attempt"] == 3


def test_who_was_thought_dead_and_comes_back_loses_before_and_after_the_other_publishes(tmp_path):
    for when in ("before", "after"):
        place = tmp_path / when
        place.mkdir()
        with attempted(place) as first, attempted(place) as second:
            (first.folder / "by").write_text("first")
            (second.folder / "by").write_text("second")
            if when == "before":
                assert not publish(first, {}) and publish(second, {})
            else:
                assert publish(second, {}) and not publish(first, {})
        assert (place / "published" / "by").read_text() == "second"
        assert not first.folder.exists()


def test_who_comes_back_when_the_result_is_taken_leaves_nothing(tmp_path):
    place = tmp_path / "place"
    place.mkdir()
    with attempted(place) as attempt:
        for path in sorted(place.rglob("*"), reverse=True):
            path.unlink() if path.is_file() else path.rmdir()
        place.rmdir()
        attempt.folder.mkdir(parents=True)  # as a save of its training would
        (attempt.folder / "late").write_text("x")
        assert not publish(attempt, {}) and not attempt.folder.exists()
    (place / "lock").unlink(missing_ok=True)
    place.rmdir()
    with attempted(place) as attempt:
        assert attempt is None
    assert not place.exists()


def test_of_two_that_run_at_the_same_time_the_later_one_publishes(tmp_path):
    first = threading.Thread(target=engine_tasks.late, args=[str(tmp_path)])
    first.start()
    while sign_of_life(tmp_path) is None:
        pass
    engine_tasks.late(str(tmp_path))
    first.join()
    assert (tmp_path / "published" / "text").read_text() == "by attempt 2"
