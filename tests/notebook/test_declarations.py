"""What a parameters cell declares, read with `ast`."""

from __future__ import annotations

import datetime as dt
import json
import math
from pathlib import Path
from typing import Any

import pytest

from mlkit.core.pipeline import Declaration
from mlkit.errors import NotebookError
from mlkit.notebook.cells import parse_notebook
from mlkit.notebook.declarations import declarations

PATH = Path("n.ipynb")


def declare(*cells: str | tuple[str, list[str]]) -> dict[str, Declaration]:
    """Read a notebook of a prose cell and some cells tagged `parameters` unless told otherwise."""
    document = {
        "nbformat": 4,
        "cells": [
            {"cell_type": "markdown", "source": "# Title", "metadata": {"tags": ["parameters"]}},
            *(
                {
                    "cell_type": "code",
                    "source": (cell if isinstance(cell, str) else cell[0]).splitlines(
                        keepends=True
                    ),
                    "metadata": {"tags": ["parameters"] if isinstance(cell, str) else cell[1]},
                }
                for cell in cells
            ),
        ],
    }
    return declarations(parse_notebook(json.dumps(document), PATH))


def refusal(*cells: str) -> str:
    """The text with which a cell is refused."""
    with pytest.raises(NotebookError) as caught:
        declare(*cells)
    return str(caught.value)


DEFAULTS: list[tuple[str, str, Any]] = [
    ("True", "bool", True),
    ("-3", "int", -3),
    ("+3", "int", 3),
    ("1_000", "int", 1000),
    ("-0.5", "float", -0.5),
    ("1e-3", "float", 0.001),
    ("float('nan')", "float", math.nan),
    ("-float('inf')", "float", -math.inf),
    ("float('-inf')", "float", -math.inf),
    ("'a # b'", "str", "a # b"),
    ('"it\'s {x} = 3"', "str", "it's {x} = 3"),
    ("'line\\nnext'", "str", "line\nnext"),
    ('"""a\n# b\nc = 3"""', "str", "a\n# b\nc = 3"),
    ("('a'\n   'b')", "str", "ab"),
    ("[1, [2, None]]", "list", [1, [2, None]]),
    ("[\n    1,  # one\n]", "list", [1]),
    ("{'a': {'b': True}}", "dict", {"a": {"b": True}}),
    ("None", "any", None),
    ("date(2013, 1, 2)", "date", dt.date(2013, 1, 2)),
    ("datetime.datetime(2013, 1, 2, 3)", "datetime", dt.datetime(2013, 1, 2, 3)),
    ("pathlib.Path('a', 'b')", "Path", Path("a/b")),
    ("mlkit.Secret('')", "Secret", ""),
    ("[date(2013, 1, 2), float('inf')]", "list", [dt.date(2013, 1, 2), math.inf]),
]


@pytest.mark.parametrize(("source", "kind", "value"), DEFAULTS)
def test_a_literal_default_is_read(source: str, kind: str, value: Any) -> None:
    """With the type that is plain from it."""
    found = declare(f"import mlkit\n\nname = {source}")["name"]
    assert (found.spec.kind, found.line, found.annotated) == (kind, 3, False)
    assert repr(found.default) == repr(value)


ANNOTATED: list[tuple[str, str, Any]] = [
    ("int | None = None", "int | None", None),
    ("Optional[int] = 3", "int | None", 3),
    ("typing.Union[int, str, None] = 'x'", "int | str | None", "x"),
    ("int | str | None = 3", "int | str | None", 3),
    ("float = 3", "float", 3.0),
    ("Literal['a', 'b'] = 'a'", "Literal['a', 'b']", "a"),
    ("typing.Literal[1, -1, None] = -1", "Literal[1, -1, None]", -1),
    ("list[int] = [1]", "list[int]", [1]),
    ("dict[str, list[float]] = {'a': [1]}", "dict[str, list[float]]", {"a": [1.0]}),
    ("'list[int]' = []", "list[int]", []),
    ("datetime.date = datetime.date(2013, 1, 2)", "date", dt.date(2013, 1, 2)),
    ("date | None = None", "date | None", None),
    ("datetime = '2013-01-02T03:04:05'", "datetime", dt.datetime(2013, 1, 2, 3, 4, 5)),
    ("Path = 'a/b'", "Path", Path("a/b")),
    ("mlkit.Secret = ''", "Secret", ""),
    ("Secret | None = None", "Secret | None", None),
    ("Annotated[int, 'rows'] = 3", "int", 3),
    ("Any = [1]", "any", [1]),
    ("list | dict = {}", "list | dict", {}),
]


@pytest.mark.parametrize(("source", "spec", "value"), ANNOTATED)
def test_an_annotation_is_read(source: str, spec: str, value: Any) -> None:
    """Unions, Optional, Literal, dates, paths, secrets, lists and dicts of these."""
    found = declare(f"name: {source}")["name"]
    assert (str(found.spec), found.annotated) == (spec, True)
    assert (found.default, type(found.default)) == (value, type(value))


def test_the_order_of_the_cell_is_kept() -> None:
    """And docstrings, imports and comments stand in it freely."""
    cell = '"""What this is."""\nimport x\n\n# rows\nb = a = 1  # both\nc: int = 2\npass'
    assert {name: item.line for name, item in declare(cell).items()} == {"b": 5, "a": 5, "c": 6}


def test_the_notebooks_own_name_of_a_class_is_kept() -> None:
    """So that a value can be written back with it."""
    found = declare("import datetime as dt\na: dt.date | None = None\nb = dt.datetime(2013, 1, 1)")
    date = found["a"].spec.find("date")
    assert date is not None
    assert (date.source, found["b"].spec.source) == ("dt.date", "dt.datetime")


def test_a_notebook_without_parameters_declares_nothing() -> None:
    """Neither without the tag nor with an empty cell; prose cells do not count."""
    assert declare(("x = 1", [])) == {}
    assert declare("") == {}
    assert declare("# nothing yet") == {}


DERIVED = (
    "Write the value itself; what is derived from a parameter belongs in a later cell, because "
    "this cell runs before the values are injected"
)
KINDS = (
    "A parameter is a bool, int, float, str, list, dict, None, date, datetime, Path, mlkit.Secret, "
    "Literal[…], or a union of these"
)
VALUES = "Write a bool, int, float, str, list, dict, None, date, datetime or Path"
REFUSED: list[tuple[str, int, str]] = [
    ("a = 1\nb = a * 2", 2, f"parameter 'b' has no literal default: 'a * 2'. {DERIVED}"),
    ("b = f'{1}.csv'", 1, f"parameter 'b' has no literal default: 'f'{{1}}.csv''. {DERIVED}"),
    ("b = Path(folder)", 1, f"parameter 'b' has no literal default: 'Path(folder)'. {DERIVED}"),
    ("b = os.getcwd()", 1, f"parameter 'b' has no literal default: 'os.getcwd()'. {DERIVED}"),
    (
        "b = [a for a in 'x']",
        1,
        "parameter 'b' has no literal default: '[a for a in 'x']'. " + DERIVED,
    ),
    ("b = {**{}}", 1, f"parameter 'b' has no literal default: '{{**{{}}}}'. {DERIVED}"),
    (
        "a: int",
        1,
        "parameter 'a' has no default. Give it one, so that the notebook also runs by hand",
    ),
    (
        "a: int = None",
        1,
        "parameter 'a' is declared int, but its default does not fit: None is not "
        "an int. Declare it 'a: int | None'",
    ),
    (
        "a: int = True",
        1,
        "parameter 'a' is declared int, but its default does not fit: True is a "
        "bool, not int. Change one of the two",
    ),
    ("a: tuple = (1,)", 1, f"parameter 'a': 'tuple' is no type of parameters. {KINDS}"),
    (
        "a: list[int, str] = []",
        1,
        "parameter 'a': 'list[int, str]' is no type of parameters. " + KINDS,
    ),
    (
        "a: pd.DataFrame = None",
        1,
        f"parameter 'a': 'pd.DataFrame' is no type of parameters. {KINDS}",
    ),
    ("a: Literal[x] = 1", 1, f"parameter 'a': 'Literal[x]' holds no literals. {KINDS}"),
    ("a: 'in t' = 1", 1, f"parameter 'a': 'in t' is no type of parameters. {KINDS}"),
    ("a: '\\0' = 1", 1, f"parameter 'a': '\\x00' is no type of parameters. {KINDS}"),
    ("a = (1, 2)", 1, f"parameter 'a': (1, 2) is no value of parameters. {VALUES}"),
    ("a = {1, 2}", 1, f"parameter 'a': {{1, 2}} is no value of parameters. {VALUES}"),
    ("a = b'x'", 1, f"parameter 'a': b'x' is no value of parameters. {VALUES}"),
    ("a = 1 + 2j", 1, f"parameter 'a': 1 + 2j is no value of parameters. {VALUES}"),
    ("a = [(1,)]", 1, f"parameter 'a': [(1,)] is no value of parameters. {VALUES}"),
    ("a = date(2013, 13, 1)", 1, "parameter 'a': month must be in 1..12"),
    (
        "a = date(10 ** 9, 1, 1)",
        1,
        f"parameter 'a' has no literal default: 'date(10 ** 9, 1, 1)'. {DERIVED}",
    ),
    ("a = float('x')", 1, "parameter 'a': could not convert string to float: 'x'"),
    ("a = 1\n\na = 2", 3, "parameter 'a' is declared twice"),
    (
        "a, b = 1, 2",
        1,
        "'a, b = (1, 2)' assigns to more than one plain name. "
        "Give each parameter a line of its own",
    ),
    (
        "a.b = 1",
        1,
        "'a.b = 1' assigns to more than one plain name. Give each parameter a line of its own",
    ),
    (
        "a = 1\nprint(a)",
        2,
        "'print(a)' is no parameter with a literal default. Move it to a later cell",
    ),
    (
        "if True:\n    a = 1",
        1,
        "'if True:' is no parameter with a literal default. Move it to a later cell",
    ),
    (
        "a = 1\na += 1",
        2,
        "'a += 1' is no parameter with a literal default. Move it to a later cell",
    ),
    (
        "a = 1\n%matplotlib inline",
        2,
        "the parameters cell is not plain Python (invalid syntax). "
        "Keep magics and shell commands in other cells",
    ),
    (
        "!pip install x\na = 1",
        1,
        "the parameters cell is not plain Python (invalid syntax). "
        "Keep magics and shell commands in other cells",
    ),
    (
        "%%time\na = 1",
        1,
        "the parameters cell is not plain Python (invalid syntax). "
        "Keep magics and shell commands in other cells",
    ),
]


@pytest.mark.parametrize(("cell", "line", "text"), REFUSED)
def test_a_cell_is_refused(cell: str, line: int, text: str) -> None:
    """With the cell's number, the line, the fact and the remedy."""
    assert refusal(cell) == f"n.ipynb: cell 2, line {line}: {text}"


def test_two_parameters_cells_are_refused() -> None:
    """Both are named."""
    assert refusal("a = 1", "b = 2") == (
        "n.ipynb: cells 2 and 3 are both tagged 'parameters'. Keep one parameters cell"
    )


@pytest.mark.parametrize("source", ["(" * 5_000, "-" * 20_000 + "1", "'" * 3 + "x"])
def test_what_python_cannot_parse_is_refused(source: str) -> None:
    """Without a traceback."""
    assert "cell 2, line" in refusal(f"a = {source}")
