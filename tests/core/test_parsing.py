"""Python is parsed in several threads at once: stages end side by side."""

from __future__ import annotations

import ast
import sys
import threading
from collections.abc import Iterator

import pytest

from mlkit.core.parsing import parse, parse_expression

SOURCE = "\n".join(
    f"def f{n}(a, b=(1, [2, {{3: 4}}])):\n    return [x for x in (a, b) if f(x)(lambda y: y + {n})]"
    for n in range(200)
)


@pytest.fixture
def hasty() -> Iterator[None]:
    """Threads that take turns as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


class Circle:
    """Garbage whose end is Python code: there other threads come in."""

    def __init__(self) -> None:
        self.own = self

    def __del__(self) -> None:
        """Take a while."""
        for _ in range(10):
            pass


@pytest.mark.usefixtures("hasty")
def test_threads_parse_side_by_side() -> None:
    """Each gets its whole tree, and none an error of the interpreter."""
    found: list[str] = []

    def work() -> None:
        for _ in range(10):
            try:
                found.append(str(len(parse(SOURCE).body)))
            except SystemError as error:
                found.append(str(error))

    def litter() -> None:
        for _ in range(20_000):
            Circle()

    threads = [threading.Thread(target=work) for _ in range(4)]
    threads.append(threading.Thread(target=litter))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(found) == {"200"}


def test_what_is_no_python_says_so() -> None:
    """As `ast.parse` does."""
    assert isinstance(parse_expression("1 + x"), ast.BinOp)
    with pytest.raises(SyntaxError):
        parse_expression("1 +")
    with pytest.raises(SyntaxError):
        parse("a b")
