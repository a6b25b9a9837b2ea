"""Notebooks in other languages than Python: what they declare, and how values reach them."""

from __future__ import annotations

import datetime as dt
import shutil
import subprocess
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlkit.core.pipeline import Kernel
from mlkit.errors import NotebookError
from mlkit.notebook.cells import Cell
from mlkit.notebook.foreign import foreign_declarations, source_to_inject
from mlkit.notebook.injection import Assignment

BASH = Kernel(name="bash", language="bash")


def read(language: str, source: str) -> dict[str, Any]:
    """The defaults and kinds that a parameters cell declares."""
    cell = Cell(index=2, id="c", kind="code", source=source)
    found = foreign_declarations(Path("n.ipynb"), cell, language)
    return {name: (item.default, str(item.spec)) for name, item in found.items()}


@pytest.mark.parametrize(
    ("line", "default", "kind"),
    [
        ("x=3", 3, "int"),
        ("x=-0.5", -0.5, "float"),
        ("x=1e3", 1000.0, "float"),
        ("x=true", True, "bool"),
        ("x=", "", "str"),
        ("x=a.csv", "a.csv", "str"),
        ('x="3"', "3", "str"),
        ("x='$HOME is \"kept\"'", '$HOME is "kept"', "str"),
        ("  export x=two  # words", "two", "str"),
    ],
)
def test_a_default_in_bash_tells_its_type(line: str, default: object, kind: str) -> None:
    """What is quoted is a text; comments and empty lines are passed over."""
    assert read("bash", f"# of the stage\n\n{line}") == {"x": (default, kind)}


@pytest.mark.parametrize(
    ("line", "default", "kind"),
    [
        ("x <- 3", 3.0, "float"),
        ("x = 3L # whole", 3, "int"),
        ("x <- 1e-3", 0.001, "float"),
        ("x <- TRUE", True, "bool"),
        ("x <- 'it # is'", "it # is", "str"),
        ('x <- "a\\"b"', 'a"b', "str"),
        ('x <- c("a, b", "c")', ["a, b", "c"], "list"),
        ("x <- list(1L, 2L)", [1, 2], "list"),
    ],
)
def test_a_default_in_r_tells_its_type(line: str, default: object, kind: str) -> None:
    """A number is whole only with an L."""
    assert read("R", line) == {"x": (default, kind)}


@pytest.mark.parametrize(
    ("language", "source", "said"),
    [
        ("bash", "x=1\nx=2", "cell 3, line 2: 'x=2' is declared twice"),
        ("bash", "x = 1", "line 1: 'x = 1' is no assignment"),
        ("bash", "x=$(date)", "parameter 'x' has no literal default: '$(date)'"),
        ("bash", 'x="$HOME/a"', "has no literal default"),
        ("bash", "x=a b", "has no literal default"),
        ("bash", "x='a", "has no literal default"),
        ("R", "x <- Sys.time()", "parameter 'x' has no literal default: 'Sys.time()'"),
        ("R", "x <- 'a' 'b", "has no literal default"),
        ("R", "library(dplyr)", "'library(dplyr)' is no assignment"),
        ("julia", "x = 1", "a parameters cell in julia cannot be read; in Python, bash and R it"),
    ],
)
def test_what_is_no_literal_default_is_refused(language: str, source: str, said: str) -> None:
    """With the cell, the line, the fact and the remedy."""
    with pytest.raises(NotebookError) as caught:
        read(language, source)
    assert said in caught.value.message
    assert caught.value.remedy


@settings(deadline=None)
@given(
    value=st.one_of(
        st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=30),
        st.integers(),
        st.booleans(),
    )
)
def test_bash_receives_the_same_text(value: str | int | bool) -> None:  # noqa: FBT001 - generated
    """Whatever stands in it: quotes, dollars, line breaks."""
    source = source_to_inject((Assignment(name="x", value=value),), "a\nb", BASH)
    bash = shutil.which("bash")
    assert bash is not None
    done = subprocess.run([bash, "-c", f'{source}\nprintf %s "$x"'], capture_output=True)
    assert done.returncode == 0
    expected = str(value).lower() if isinstance(value, bool) else str(value)
    assert done.stdout.decode() == expected


def test_dates_and_paths_are_texts_elsewhere() -> None:
    """Papermill's translators know nothing else."""
    items = (
        Assignment(name="day", value=dt.date(2026, 1, 2)),
        Assignment(name="place", value=PurePosixPath("/a b")),
        Assignment(name="many", value=["x", 1]),
    )
    source = source_to_inject(items, "Injected", Kernel(name="ir", language="R"))
    assert source.splitlines() == [
        "# Injected",
        'day = "2026-01-02"',
        'place = "/a b"',
        'many = list("x", 1)',
    ]


R = Kernel(name="ir", language="R")


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("/home/müller/é日", r'"/home/m\u00fcller/\u00e9\u65e5"'),
        ("\\xe9 \x1b", r'"\\xe9 \u001b"'),
        (float("inf"), "Inf"),
        ([float("-inf"), float("nan"), "inf nan"], 'list(-Inf, NaN, "inf nan")'),
        ({"é": [1.5]}, r'list("\u00e9" = list(1.5))'),
    ],
)
def test_r_receives_what_r_writes_so(value: object, written: str) -> None:
    r"""To R a text with `\xe9` is no text, one with `\u65e5` beside it breaks the cell."""
    source = source_to_inject((Assignment(name="nan", value=value),), "a", R)
    assert source == f"# a\nnan = {written}"


@pytest.mark.r
def test_r_receives_the_same_text() -> None:
    """Every character below U+0400, alone and beside others, as R itself counts them."""
    signs = [chr(code) for code in range(1, 0x400)]
    texts = [*signs, "".join(signs), "é日🦊\\xe9\\\\\"'", "müller\n"]
    items = tuple(Assignment(name=f"t{n}", value=text) for n, text in enumerate(texts))
    asked = [f'cat(utf8ToInt(t{n}), "\\n")' for n in range(len(texts))]
    program = "\n".join([source_to_inject(items, "a", R), *asked])
    done = subprocess.run(["Rscript", "-"], input=program, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    received = ["".join(chr(int(code)) for code in ln.split()) for ln in done.stdout.splitlines()]
    assert received == texts


def test_a_secret_needs_no_mlkit_in_another_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its text stands in the environment, and in no notebook."""
    kernel = Kernel(name="other", program="/opt/python")
    item = Assignment(name="token", value="hunter22", hidden=True)
    source = source_to_inject((item,), "Injected", kernel)
    assert "mlkit." not in source
    monkeypatch.setenv("MLKIT_INJECTED_token", item.environment_text)
    space: dict[str, Any] = {}
    exec(source, space)
    assert space["token"] == "hunter22"
