"""Draw the beginning: files, packages, and stages whose cells read in many ways."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from tests.planner.never_stale.state import (
    FOLDERS,
    MODULES,
    NOTEBOOK_FOLDERS,
    PACKAGES,
    VARIABLES,
    Package,
    Project,
    Read,
    Stage,
    State,
    package_text,
)
from tests.planner.never_stale.ways import Kind, Way, ways_of

__all__ = ["PLACES", "SEARCHES", "reads", "starts", "texts_for", "tokens", "values_of_variables"]

DATA = ("data/one.csv", "data/two.csv", "data/three.csv")
FLAGS = ("data/flag.txt", "data/three.csv")
SCRIPTS = ("tools/tool.py", "lib/alpha.py", "pipe/v1/alpha.py", "pipe/v1/beta.py")
NOTES = tuple(f"{folder}/note.txt" for folder in FOLDERS)
PLACES = (
    *(f"{folder}/{name}.py" for name in MODULES for folder in FOLDERS),
    *(f"{folder}/{name}/__init__.py" for name in MODULES for folder in FOLDERS),
    *DATA,
    *FLAGS,
    *NOTES,
    "lib/assets/note.txt",
    "tools/tool.py",
)
"""The files that come and go."""

_BESIDE_NOTEBOOKS = tuple(f"{folder}/{name}.py" for folder in NOTEBOOK_FOLDERS for name in MODULES)

_READABLE: tuple[Kind, ...] = (
    *("module", "module", "script", "data", "existence", "listing", "resource"),
    *("variable", "package", "package", "parameter", "start-up"),
)

tokens = st.integers(10_000, 99_999).map(str)
values_of_variables = tokens.map("value-{}".format)
SEARCHES = (("lib",), ("lib", "more"), ("more", "lib"))

_BODIES = (
    *('V = "{token}"',) * 4,
    'import os\nV = "{token}" + os.environ.get("SETTING_A", "none")',
    'import fakeone\nV = "{token}" + fakeone.V',
    "from pathlib import Path\nnote = Path(__file__).with_name('note.txt')\n"
    'V = "{token}" + (note.read_text() if note.exists() else "none")',
    'import beta\nV = "{token}" + beta.V',
)
_AS_SCRIPT = '\nif __name__ == "__main__":\n    print(V)\n'


@st.composite
def module_texts(draw: DrawFn, path: str) -> str:
    """Draw the text of a module; `beta` imports no module of the project, so no circle comes up."""
    bodies = _BODIES[:-1] if "beta" in path else _BODIES
    body: str = draw(st.sampled_from(bodies)).replace("{token}", draw(tokens))
    return body + _AS_SCRIPT


@st.composite
def texts_for(draw: DrawFn, path: str) -> str:
    """Draw the text of any file."""
    if path.endswith(".py"):
        return draw(module_texts(path))
    token = draw(tokens)
    return f"v\n{token}\n" if path.endswith(".csv") else token


def _targets(way: Way) -> Sequence[str]:
    return {
        "code": ("10000", "20000"),
        "module": MODULES,
        "script": SCRIPTS,
        "data": DATA[:2],
        "existence": FLAGS,
        "listing": ("data",),
        "resource": ("assets",),
        "variable": VARIABLES,
        "package": PACKAGES,
        "parameter": ("options", "month"),
    }.get(way.kind, ("",))


@st.composite
def reads(draw: DrawFn, key: str, kinds: Sequence[Kind], files: Collection[str]) -> Read:
    """Draw a cell that reads one of some kinds of things."""
    way = draw(st.sampled_from(ways_of(draw(st.sampled_from(kinds)))))
    targets = [t for t in _targets(way) if way.kind != "script" or t in files]
    return Read(key=key, way=way.name, target=draw(st.sampled_from(targets)))


_SHAPES: tuple[tuple[tuple[str, tuple[str, ...]], ...], ...] = (
    (("a", ()), ("b", ("a",))),
    (("a", ()), ("b", ()), ("c", ())),
    (("a", ()), ("b", ("a",)), ("c", ("a", "b"))),
    (("a", ()), ("b", ()), ("c", ()), ("d", ())),
    (("a", ()), ("b", ("a",)), ("c", ("b",)), ("d", ("c",))),
    (("m", ()), ("c", ("m",))),
    (("m", ()), ("c", ("m",)), ("a", ())),
)
"""Stages and what is upstream of them. `m` is mapped."""


@st.composite
def _stages(draw: DrawFn, files: Collection[str]) -> tuple[Stage, ...]:
    """Draw stages that read few kinds of things, in many ways: so they meet in one pipeline.

    Most stages read one thing alone: where one cell makes a stage run, no other is put to the test.
    """
    kinds = draw(st.lists(st.sampled_from(_READABLE), min_size=2, max_size=5))
    shape = draw(st.sampled_from(_SHAPES))
    return tuple([draw(_stage(name, upstream, kinds, files)) for name, upstream in shape])


@st.composite
def _stage(
    draw: DrawFn,
    name: str,
    upstream: tuple[str, ...],
    kinds: Sequence[Kind],
    files: Collection[str],
) -> Stage:
    count = draw(st.sampled_from((1, 1, 1, 2, 3)))
    cells = [draw(reads(f"r{number}", kinds, files)) for number in range(count)]
    if draw(st.integers(0, 9)) == 5:
        cells.append(draw(reads("none", ("nothing",), files)))
    if name == "m":
        cells = cells[: draw(st.integers(0, 1))]
        cells += [Read(key="own", way="instance", target="")] * draw(st.integers(0, 1))
    if "m" in upstream:
        cells = [Read(key="names", way="names", target=""), *cells[: draw(st.integers(0, 1))]]
    needed = {read.target for read in cells if read.how.kind == "parameter"}
    parameters = {
        "options": {"low": 1, "high": 2},
        "month": draw(st.sampled_from(("january", "${SETTING_A}"))),
    }
    return Stage(
        name=name,
        folder=draw(st.sampled_from(NOTEBOOK_FOLDERS)),
        reads=tuple(cells),
        upstream=upstream,
        parameters={key: value for key, value in parameters.items() if key in needed},
        values=("lr", "rf") if name == "m" else (),
    )


@st.composite
def _files(draw: DrawFn) -> dict[str, str]:
    sure = ("lib/alpha.py", "lib/beta.py", "tools/tool.py", *DATA[:2], "lib/assets/note.txt")
    likely = draw(st.sets(st.sampled_from(_BESIDE_NOTEBOOKS), max_size=3))
    further = draw(st.sets(st.sampled_from(PLACES[:8]), max_size=3))
    files = {path: draw(texts_for(path)) for path in sorted({*sure, *likely, *further})}
    return {**files, "lib/assets/__init__.py": ""}


@st.composite
def starts(draw: DrawFn) -> State:
    """Draw a state to begin with."""
    packages = {name: Package(version="1.0", text=package_text(name, "00010")) for name in PACKAGES}
    if draw(st.booleans()):
        packages["faketwo"] = Package(
            version="copied", text=package_text("faketwo", "00010"), metadata=False
        )
    files = draw(_files())
    stages = draw(_stages(files))
    variables = draw(st.dictionaries(st.sampled_from(VARIABLES), values_of_variables))
    if any("${SETTING_A}" in stage.parameters.values() for stage in stages):
        variables.setdefault("SETTING_A", "value-first")
    return State(
        projects={"one": Project(files=files, stages=stages)},
        variables=variables,
        search=draw(st.sampled_from(SEARCHES)),
        packages=packages,
        start_up=draw(st.sampled_from((None, 'STARTED = "10000"\n'))),
    )
