"""What code binds, needs and changes: told by its text, and held against running it."""

from __future__ import annotations

import ast
import builtins
import sys
from typing import Any

import pytest

from mlkit.converting.names import names_of_all

CODE = {
    "a value": "x = 1",
    "one after the other": "x = a\ny = x + b",
    "needed before it is bound": "x = x + 1",
    "in a loop": "for i in items:\n    total = total + i",
    "in a comprehension": "y = [i * k for i in items if i > low]\nz = {i: j for i, j in pairs}",
    "nested comprehensions": "y = [j for row in rows for j in row]",
    "a function": "def f(a, b=start):\n    c = a + later\n    return c\nx = f(1)",
    "a class": "class A(Base):\n    n = size\n    def m(self):\n        return h(self.n)\nx = A()",
    "a lambda": "f = lambda a: a + k\nx = f(1)",
    "branches": "if flag:\n    x = 1\nelse:\n    x = 2\ny = x",
    "half a branch": "x = 0\nif flag:\n    w = 1\ny = x",
    "with": "with opened(path) as f:\n    text = f.read()",
    "try": "try:\n    x = risky(v)\nexcept ValueError as e:\n    x = None\ny = x",
    "a walrus": "if (n := len(items)) > k:\n    m = n",
    "unpacking": "(a, *b), c = value\nd = a",
    "match": "match value:\n    case [p, *q]:\n        r = p\n    case other:\n        r = other",
    "imports": "import math as m, json\nx = [m.pi, json, a, b]",
    "delete": "del old\nx = 1",
    "in place": "table['c'] = 1\nobj.attr.inner = v\nitems.append(w)\nn += 1",
    "a decorator": "@wrap(level)\ndef f():\n    pass",
    "an f-string": "s = f'{name!r} {width:{spec}}'",
    "while": "while more():\n    last = step\ny = 1",
    "a global that is bound later": "def f():\n    return g\ng = 1\nx = f()",
}


class Recording(dict[str, Any]):
    """A namespace that gives a value for whatever is asked, and notes what it had to give."""

    def __init__(self, **given: Any) -> None:
        super().__init__(given)
        self.asked: set[str] = set()

    def __missing__(self, name: str) -> Any:
        if hasattr(builtins, name):
            return getattr(builtins, name)
        self.asked.add(name)
        return _Anything()


class _Anything:
    """A value that can be called, iterated, entered, compared and added."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return args[0] if args and callable(args[0]) else self

    def __mro_entries__(self, bases: Any) -> tuple[type, ...]:
        return (object,)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self

    def __iter__(self) -> Any:
        return iter([(1, 2), (3, 4)])

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *args: object) -> None:
        return None

    def __setitem__(self, key: Any, value: Any) -> None:
        return None

    def __len__(self) -> int:
        return 2

    def __bool__(self) -> bool:
        return False

    def __add__(self, other: Any) -> Any:
        return self

    __radd__ = __iadd__ = __mul__ = __rmul__ = __add__

    def __gt__(self, other: Any) -> bool:
        return False

    __lt__ = __gt__

    def __format__(self, spec: str) -> str:
        return "x"


if sys.version_info >= (3, 12):
    CODE |= {
        "type parameters": "def f[T: Bound](x: T = start) -> list[T]:\n    return [x, later]\n"
        "class A[T]:\n    n: T = size\nx = f(1)",
        "a type alias": "type Pair[T] = tuple[T, Row]\nx = Pair.__value__",
    }


@pytest.mark.parametrize("code", CODE.values(), ids=CODE.keys())
def test_what_running_it_asks_for_is_needed(code: str) -> None:
    """Every name that the interpreter takes from outside is among the needs."""
    names = names_of_all(ast.parse(code).body)
    namespace = Recording(old=1)
    # functions look into the globals, which do not ask __missing__: these are given beforehand
    given = {name: _Anything() for name in names.needs}
    exec(compile(code, "<cell>", "exec"), given, namespace)
    assert namespace.asked <= names.needs
    made = {name for name in namespace if not name.startswith("__")} - {"old"}
    assert made <= names.binds


@pytest.mark.parametrize(
    ("code", "needs"),
    [
        ("x = 1\ny = x", set()),
        ("y = [i for i in items]\nz = i", {"items", "i"}),
        ("for i in a:\n    b = i\n    c = b", {"a"}),
        ("def f(x):\n    y = x\n    return y", set()),
        ("def f():\n    return f()", set()),
        ("import numpy as np\nnp.zeros(3)", set()),
        ("print(len('a'))", set()),
        *(
            [
                ("def f[T](x: T) -> T:\n    y: T = x\n    return y", set()),
                ("class Box[T](Base[T]):\n    def get(self) -> T:\n        ...", {"Base"}),
                ("class Box[T](Base[T]):\n    item: T\ny = T", {"Base", "T"}),
                ("type Pair[T] = tuple[T, Row]", {"Row"}),
                ("type Tree = list[Tree]", set()),
            ]
            if sys.version_info >= (3, 12)
            else []
        ),
    ],
)
def test_nothing_else_is_needed(code: str, needs: set[str]) -> None:
    """A name that is bound before, or that is local, is no need."""
    assert names_of_all(ast.parse(code).body).needs == needs


@pytest.mark.parametrize(
    ("code", "changes"),
    [
        ("d['a'] = 1", {"d"}),
        ("d.x.y = 1", {"d"}),
        ("d[0].append(1)", {"d"}),
        ("n += 1", {"n"}),
        ("m.fit(X, y)", {"m"}),
        ("df.drop(columns='a', inplace=True)", {"df"}),
        ("df.drop(columns='a', inplace=False)", set()),
        ("df.head()", set()),
        ("x = d['a']", set()),
        ("del d['a']", {"d"}),
    ],
)
def test_changes_in_place_are_told(code: str, changes: set[str]) -> None:
    """By assignment to a part of it, and by methods that are known to change."""
    assert names_of_all(ast.parse(code).body).changes == changes
