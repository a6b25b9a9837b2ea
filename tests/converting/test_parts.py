"""A notebook cut into parts, its cells into statements."""

from __future__ import annotations

import pytest

from mlkit.converting.names import names_of_all
from mlkit.converting.parts import Cell, cut, slug


def cells(*sources: str) -> list[Cell]:
    """Cells of these sources; `#md` begins a text."""
    return [
        Cell(
            index=i,
            kind="markdown" if s.startswith("#md ") else "code",
            source=s.removeprefix("#md "),
        )
        for i, s in enumerate(sources)
    ]


def shape(*sources: str) -> list[tuple[str, int]]:
    """Each part's name and number of cells."""
    return [(part.name, len(part.cells)) for part in cut(cells(*sources))]


def test_headings_of_the_level_that_divides_the_notebook_cut() -> None:
    """One title over all is no cut; what stands before the first heading belongs to it."""
    assert shape(
        "#md # T", "import a", "#md ## One", "x=1", "#md ### Sub", "y=1", "#md ## Two", "z"
    ) == [
        ("one", 6),
        ("two", 2),
    ]
    assert shape("#md # One", "x", "#md # Two", "#md ## Sub", "y") == [("one", 2), ("two", 3)]


def test_marks_win_over_headings() -> None:
    """A comment names the stage."""
    assert shape("#md ## A", "# mlkit: stage load\nx", "#md ## B", "# mlkit: stage end\ny") == [
        ("load", 3),
        ("end", 1),
    ]


def test_parts_without_code_and_doubles_are_no_stages_of_their_own() -> None:
    """Prose goes to the part behind it, or before it at the end; names are told apart."""
    assert shape(
        "#md ## A", "x", "#md ## B", "text"[:0], "#md ## A", "y", "#md ## Z", "#md end"
    ) == [
        ("a", 2),
        ("a_2", 6),
    ]
    assert shape("x", "y") == [("part_1", 2)]


def test_a_heading_in_a_fence_is_none() -> None:
    """A comment of an example is not a title."""
    assert shape("#md ## A\n```\n## no\n```", "x", "#md ## B", "y") == [("a", 2), ("b", 2)]


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("1. Load the data", "load_the_data"),
        ("Étape 2 : où ?", "etape_2_ou"),
        ("IV) Results!", "results"),
        ("2020 in review", "part_2020_in_review"),
        ("class", "part_class"),
        ("[Link](http://x)", "link"),
        ("数据", ""),
    ],
)
def test_a_heading_becomes_a_name(title: str, name: str) -> None:
    """Of letters, digits and underscores; empty where nothing is left."""
    assert slug(title) == name


@pytest.mark.parametrize(
    ("source", "kinds"),
    [
        ("%matplotlib inline\nx = 1", ["Pass", "Assign"]),
        ("files = !ls\n!echo {files}", ["Assign", "Expr"]),
        ("%%time\nx = 1", ["Assign"]),
        ("%%bash\nls", []),
        ("df?", ["Pass"]),
        ("x = 5 % 3", ["Assign"]),
        ("if x:\n    %time y = 1\n", ["If"]),
        ("this is no code", []),
    ],
)
def test_magics_are_masked_line_by_line(source: str, kinds: list[str]) -> None:
    """The rest is read as Python; a cell in another language is not."""
    (cell,) = cells(source)
    assert [type(s.node).__name__ for s in cell.statements] == kinds
    assert len(cell.masked.split("\n")) == len(source.split("\n"))


@pytest.mark.parametrize(
    ("source", "binds", "needs"),
    [
        ("%time a = f(b)", {"a"}, {"f", "b"}),
        ("%timeit -n1 -r1 f(b)", set(), {"f", "b"}),
        ("%timeit -n 10 f(b)", set(), {"f", "b"}),
        ("for x in xs:\n    %time f(x)", {"x"}, {"xs", "f"}),
        ("files = !ls {folder} $other | wc -l", {"files"}, {"folder", "other"}),
        ("!echo {a + b} it's", set(), {"a", "b"}),
        ("%%capture out\nprint(z)", {"out"}, {"z"}),
        ("%time", set(), set()),
        ("took = %timeit -o -q -n1 f(b)", {"took"}, {"f", "b"}),
        ('%%bash -s "$v"\nls $x', set(), {"v"}),
        ("%run tools.py {a} $b", set(), {"a", "b"}),
        ("?f\n??g.h", set(), set()),
        ("%env HOME", set(), set()),
    ],
)
def test_magics_need_and_bind_names(source: str, binds: set[str], needs: set[str]) -> None:
    """What is timed is code, what a command takes in braces is needed, what it gives is bound."""
    (cell,) = cells(source)
    names = names_of_all(statement.node for statement in cell.statements)
    assert (set(names.binds), set(names.needs)) == (binds, needs)


def test_headings_in_html_and_underlined_cut() -> None:
    """As people write them who want colours; a rule under a blank line is none."""
    book = ("#md <h2 style='color: red'>One <b>a</b></h2>", "x", "#md Two\n---\ntext", "y")
    assert shape(*book) == [("one_a", 2), ("two", 2)]
    assert shape("#md ## A", "x", "#md text\n\n---\n", "y", "#md ## B", "z") == [("a", 4), ("b", 2)]
