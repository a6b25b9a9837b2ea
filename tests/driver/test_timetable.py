"""What is to be done next, and when."""

from __future__ import annotations

from collections.abc import Callable

from mlkit.driver.timetable import Timetable
from mlkit.testing import FakeClock


def _kept(said: list[str], word: str) -> Callable[[], None]:
    return lambda: said.append(word)


def _begins(said: list[str], word: str) -> Callable[[], bool]:
    def begin() -> bool:
        said.append(word)
        return True

    return begin


def test_earlier_stages_start_first_and_no_more_than_there_are_workers() -> None:
    """One that ends makes room for the next."""
    table, said = Timetable(FakeClock(), 2), list[str]()
    for place, word in (((3,), "c"), ((1, 9), "a"), ((2,), "b")):
        table.enqueue(place, _begins(said, word))
    table.start_ready()
    assert (said, table.running) == (["a", "b"], 2)
    table.start_ready()
    assert said == ["a", "b"]
    table.hand_back(_kept(said, "ended"))
    news = table.wait()
    assert news is not None
    news()
    table.start_ready()
    assert said == ["a", "b", "ended", "c"]


def test_what_is_timed_comes_when_it_is_due() -> None:
    """Waiting ends at the next moment; what comes at one moment keeps its order."""
    clock = FakeClock(100.0)
    table, said = Timetable(clock, 1), list[str]()
    for delay_s, word in ((5.0, "later"), (2.0, "soon"), (2.0, "soon, too")):
        table.later(delay_s, _kept(said, word))
    assert table.wait() is None
    assert clock.waits == [2.0]
    for call in table.due():
        call()
    assert said == ["soon", "soon, too"]
    assert not table.is_idle


def test_a_call_that_stops_everything_is_the_last_of_what_was_due() -> None:
    """What has not begun is forgotten, what runs is waited for."""
    table, said = Timetable(FakeClock(), 1), list[str]()
    table.enqueue((0,), _begins(said, "begun"))
    table.start_ready()
    table.enqueue((1,), _begins(said, "never"))
    table.later(0.0, table.stop)
    table.later(0.0, _kept(said, "never"))
    for call in table.due():
        call()
    assert (said, table.stopped, table.is_idle) == (["begun"], True, False)
    table.hand_back(_kept(said, "never"))
    table.drain()
    table.start_ready()
    assert (said, table.is_idle) == (["begun"], True)


def test_news_of_an_attempt_under_way_frees_no_worker() -> None:
    """Only its end does."""
    table, said = Timetable(FakeClock(), 1), list[str]()
    table.enqueue((0,), _begins(said, "begun"))
    table.start_ready()
    table.tell(_kept(said, "a cell"))
    news = table.wait()
    assert news is not None
    news()
    assert (said, table.running) == (["begun", "a cell"], 1)


def test_an_attempt_that_cannot_be_started_is_not_waited_for() -> None:
    """Otherwise the run would wait for ever for what never ends."""
    table = Timetable(FakeClock(), 1)

    def refuse() -> bool:
        raise OSError("no more files")

    table.enqueue((0,), refuse)
    try:
        table.start_ready()
    except OSError:
        table.drain()
    assert table.is_idle


def test_what_says_that_it_has_not_begun_takes_no_worker() -> None:
    """The next one has it."""
    table, said = Timetable(FakeClock(), 1), list[str]()
    table.enqueue((0,), lambda: False)
    table.enqueue((1,), _begins(said, "begun"))
    table.start_ready()
    assert (said, table.running) == (["begun"], 1)
