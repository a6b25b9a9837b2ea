"""The layers of parameters: who wins, where values come from, what is refused or hidden."""

from __future__ import annotations

import datetime as dt
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlkit.core.pipeline import Instance
from mlkit.errors import ConfigurationError
from mlkit.load import Layers, configure, load_pipeline
from mlkit.load.parameters import Assignment, parse_assignment
from tests.load.conftest import ROWS, Configured, refusal, values


def test_without_any_layer_the_notebook_keeps_its_defaults(configured: Configured) -> None:
    """What nobody gives is not injected."""
    assert values(configured(ROWS), "rows") == {}


def test_each_layer_is_stronger_than_the_one_before(configured: Configured, tmp_path: Path) -> None:
    """pipeline.yaml < the stage's own < files < environment < command line."""
    one, two = tmp_path / "one.yaml", tmp_path / "two.yaml"
    one.write_text("rows: 4\n")
    two.write_text("\nrows: 5\n")
    environ = {"MLKIT_PARAM_ROWS": "6"}
    own = "parameters: {rows: 3}"
    steps: list[tuple[Layers, str, str, int, str]] = [
        (Layers(), "", "rows: 2", 2, "pipeline.yaml"),
        (Layers(), own, "rows: 2", 3, "pipeline.yaml:5, stage 'a'"),
        (Layers(files=[one]), own, "rows: 2", 4, f"{one}:1"),
        (Layers(files=[one, two]), own, "rows: 2", 5, f"{two}:2"),
        (
            Layers(files=[one, two], environ=environ),
            *(own, "rows: 2", 6),
            "environment variable MLKIT_PARAM_ROWS",
        ),
        (
            Layers(files=[one, two], environ=environ, assignments=["rows=7"]),
            *(own, "rows: 2", 7, "command line"),
        ),
    ]
    for layers, more, top, value, origin in steps:
        made = configured({"a": "rows = 1"}, layers, top=top, more=more)
        bound = made.stages["a"]["rows"]
        assert (bound.value, bound.origin) == (value, origin)


@pytest.mark.parametrize(
    ("declared", "value", "plain"),
    [
        ("x = 1", np.int64(4), 4),
        ("x = 1.0", np.float32(0.5), 0.5),
        ("x = False", np.bool_(True), True),
        ("x = ''", np.str_("a"), "a"),
        ("x: list = []", (1, 2), [1, 2]),
        ("x: list = []", range(2), [0, 1]),
        ("x: list = []", np.array([[1, 2], [3, 4]]), [[1, 2], [3, 4]]),
        ("x: list = []", pd.Series([1.5, 2.5]), [1.5, 2.5]),
        ("x: dict = {}", {"a": np.int8(1), "b": (np.int8(2),)}, {"a": 1, "b": [2]}),
    ],
)
def test_what_a_program_computed_is_a_value(
    configured: Configured, declared: str, value: Any, plain: Any
) -> None:
    """Numbers of numpy are no JSON, and a tuple is a list to every notebook."""
    made = configured({"a": declared}, Layers(values={"x": value}), top="o: 1")
    found = made.stages["a"]["x"].value
    assert (found, type(found)) == (plain, type(plain))
    assert json.loads(json.dumps(made.overrides)) == {"x": plain}


@pytest.mark.parametrize(
    ("values", "fact"),
    [
        ({"x": {1, 2}}, "parameter 'x': a value of the type set cannot be a parameter's"),
        ({"x": [object()]}, "a value of the type object cannot be a parameter's"),
        ({"x": np.datetime64("2024-01-01", "ns")}, "the type numpy.datetime64 cannot be"),
        ({3: 1}, "no parameter is called 3"),
    ],
)
def test_what_no_parameter_can_have_is_refused(
    configured: Configured, values: dict[Any, Any], fact: str
) -> None:
    """With the type, before it reaches a record."""
    text = refusal(configured, {"a": "x = 1"}, Layers(values=values), top="o: 1")
    assert fact in text
    assert "run(parameters=…)" in text


def test_a_plain_name_beats_a_files_value_for_one_stage(
    configured: Configured, tmp_path: Path
) -> None:
    """The stronger layer wins, however exact the weaker one is."""
    file = tmp_path / "p.yaml"
    file.write_text("b.rows: 5\nrows: 4\n")
    from_file = configured(ROWS, Layers(files=[file]))
    overruled = configured(ROWS, Layers(files=[file], assignments=["rows=7"]))
    assert values(from_file, "rows") == {"a": 4, "b": 5}
    assert values(overruled, "rows") == {"a": 7, "b": 7}
    assert overruled.overrides == {"rows": 7}


@pytest.mark.parametrize("order", [["rows=7", "b.rows=8"], ["b.rows=8", "rows=7"]])
def test_within_a_layer_the_exact_name_wins_in_any_order(
    configured: Configured, order: list[str]
) -> None:
    """`-p stage.name` beats `-p name`."""
    made = configured(ROWS, Layers(assignments=order))
    assert values(made, "rows") == {"a": 7, "b": 8}
    assert configured(ROWS, Layers(values=made.overrides)).stages == {
        stage: {
            name: type(bound)(value=bound.value, origin="run(parameters=…)")
            for name, bound in names.items()
        }
        for stage, names in made.stages.items()
    }


def test_the_last_of_equal_names_wins(configured: Configured) -> None:
    """As everywhere on a command line."""
    made = configured(ROWS, Layers(assignments=["rows=7", "rows=8"]))
    assert values(made, "rows") == {"a": 8, "b": 8}


def test_values_from_python_rank_with_the_command_line(configured: Configured) -> None:
    """`run(parameters=…)` beats the environment."""
    made = configured(
        ROWS, Layers(environ={"MLKIT_PARAM_ROWS": "6"}, values={"rows": 9, "a.rows": 10})
    )
    assert values(made, "rows") == {"a": 10, "b": 9}


def test_values_of_the_command_line_are_yaml_1_2(configured: Configured) -> None:
    """Numbers, lists and nulls are read; `no` stays a text."""
    cell = "a = 0.0\nb = ''\nc: list | None = None\nd = True\ne: dict = {}\nf: int | None = 3\n"
    given = ["a=1e-3", "b=no", "c=[1, x]", "d=false", "e={k: [1]}", "f="]
    made = configured({"s": cell}, Layers(assignments=given))
    assert {name: bound.value for name, bound in made.stages["s"].items()} == {
        **{"a": 0.001, "b": "no", "c": [1, "x"], "d": False},
        **{"e": {"k": [1]}, "f": None},
    }


def test_values_are_fitted_to_their_types(configured: Configured) -> None:
    """An int where a float is declared; ISO texts where dates are; texts where paths are."""
    cell = (
        "from datetime import date, datetime\nfrom pathlib import Path\n"
        "rate = 0.5\nday = date(2013, 1, 1)\nat: datetime | None = None\nfile = Path('x')\n"
    )
    given = ["rate=2", "day=2014-02-03", "at=2014-02-03T04:05:06+01:00", "file=a/b", "rate=.nan"]
    made = configured({"s": cell}, Layers(assignments=given[:-1])).stages["s"]
    assert (made["rate"].value, type(made["rate"].value)) == (2.0, float)
    assert made["day"].value == dt.date(2014, 2, 3)
    assert made["at"].value == dt.datetime.fromisoformat("2014-02-03T04:05:06+01:00")
    assert made["file"].value == Path("a/b")
    bound = configured({"s": cell}, Layers(assignments=given)).stages["s"]["rate"]
    assert math.isnan(bound.value)
    assert not bound.secret


@pytest.mark.parametrize(
    ("layer", "origin"),
    [
        ({"assignments": ["rows=true"]}, "command line"),
        ({"environ": {"MLKIT_PARAM_ROWS": "true"}}, "environment variable MLKIT_PARAM_ROWS"),
        ({"values": {"rows": True}}, "run(parameters=…)"),
    ],
)
def test_a_wrong_type_is_refused_at_every_layer(
    configured: Configured, layer: dict[str, Any], origin: str
) -> None:
    """A bool never passes for an int; the layer is named."""
    assert refusal(configured, {"a": "rows = 1"}, Layers(**layer)) == (
        f"parameter 'rows' of stage 'a': True is a bool, not int ({origin}); a.ipynb declares int."
        " Give a value of that type"
    )


def test_a_wrong_type_in_a_file_is_refused_with_its_line(
    configured: Configured, tmp_path: Path
) -> None:
    """Also if a stronger layer overrules it."""
    file = tmp_path / "p.yaml"
    file.write_text("# note\nrows: many\n")
    assert f"'many' is not an int ({file}:2)" in refusal(
        configured, {"a": "rows = 1"}, Layers(files=[file], assignments=["rows=3"])
    )


TEXTS = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30
) | st.sampled_from(
    [
        "run #3 of 5",
        " x ",
        "a\nb",
        "null",
        "1e3",
        "no",
        '"x"',
        "a: b: c",
        "[1",
        "",
        "*a",
        "2026-01-01",
    ]
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(text=TEXTS.filter(lambda text: "${" not in text))
def test_a_text_is_taken_as_it_stands(configured: Configured, text: str) -> None:
    """At the command line and in the environment, for a text and for a path."""
    cells = {"a": "from pathlib import Path\nname = ''\nplace: Path = Path('x')"}
    for layers in (
        Layers(assignments=[f"name={text}", f"a.place={text}"]),
        Layers(environ={"MLKIT_PARAM_NAME": text, "MLKIT_PARAM_PLACE": text}),
    ):
        made = configured(cells, layers)
        assert made.stages["a"]["name"].value == text
        assert made.stages["a"]["place"].value == Path(text)
        assert made.overrides["name"] == text


@pytest.mark.parametrize(
    ("declared", "text", "value"),
    [
        ("str | None", "null", None),
        ("str | None", "run #3", "run #3"),
        ("int | str", "5", 5),
        ("int | str", "5 #", 5),
        ("int | str", "five #5", "five #5"),
        ("Literal['on', 'off']", "on", "on"),
        ("Literal['1', '2']", "1", "1"),
        ("dict", "{a: 'b #c'}", {"a": "b #c"}),
    ],
)
def test_where_a_text_is_one_of_several_yaml_has_the_first_word(
    configured: Configured, declared: str, text: str, value: object
) -> None:
    """What no other possibility takes is the text as it stands."""
    cells = {"a": f"from typing import Literal\nname: {declared} = None"}
    if declared.startswith("Literal"):
        cells = {"a": f"from typing import Literal\nname: {declared} = '{text}'"}
    if declared == "dict":
        cells = {"a": "name: dict = {}"}
    if declared == "int | str":
        cells = {"a": "name: int | str = 1"}
    made = configured(cells, Layers(assignments=[f"name={text}"]))
    assert made.stages["a"]["name"].value == value
    assert type(made.stages["a"]["name"].value) is type(value)


def test_a_name_with_a_colon_is_yaml_also_for_a_text(configured: Configured) -> None:
    """That is how engines hand values on, and how a quoted text is written."""
    made = configured(
        {"a": "name = ''\nrows = 1"}, Layers(assignments=['name:="a\\nb"', "rows:=2"])
    )
    assert made.stages["a"]["name"].value == "a\nb"
    assert made.stages["a"]["rows"].value == 2
    assert "123 is not a str (command line)" in refusal(
        configured, {"a": "name = ''"}, Layers(assignments=["name:=123"])
    )


@pytest.mark.parametrize(
    "layers",
    [
        Layers(assignments=["name=a\udcff"]),
        Layers(environ={"MLKIT_PARAM_NAME": "a\udcff"}),
        Layers(values={"name": "a\udcff"}),
    ],
)
def test_a_text_that_no_file_could_hold_is_refused(configured: Configured, layers: Layers) -> None:
    """Bytes that are not UTF-8 reach Python as halves of pairs."""
    assert "the value of 'name' is no text in UTF-8" in refusal(
        configured, {"a": "name = ''"}, layers
    )


def test_stages_that_declare_it_differently_each_get_their_own(configured: Configured) -> None:
    """Also when the run is resumed with what was given."""
    cells = {"a": "name = ''", "b": "name = 1"}
    made = configured(cells, Layers(assignments=["name=007"]))
    assert values(made, "name") == {"a": "007", "b": 7}
    again = configured(cells, Layers(values=made.overrides))
    assert values(again, "name") == {"a": "007", "b": 7}


UNKNOWN: list[tuple[dict[str, Any], str]] = [
    (
        {"assignments": ["rosw=3"]},
        "command line: no parameter is called 'rosw'. Did you mean 'rows'?",
    ),
    (
        {"assignments": ["c.rows=3"]},
        "command line: 'c.rows' names the stage 'c', which does not exist. Known: a, b",
    ),
    (
        {"assignments": ["a.other=3"]},
        "command line: stage 'a' declares no parameter 'other'. Known: rows",
    ),
    (
        {"environ": {"MLKIT_PARAM_ROSW": "3"}},
        "environment variable MLKIT_PARAM_ROSW: no parameter is called 'rosw'. "
        "Did you mean 'rows'?",
    ),
    (
        {"values": {"x.y.z": 1}},
        "run(parameters=…): 'x.y.z' names the stage 'x.y', which does not exist. Known: a, b",
    ),
    ({"assignments": ["rows"]}, "-p 'rows' is not name=value. Write -p rows=5000"),
    ({"assignments": ["=3"]}, "-p '=3' is not name=value. Write -p rows=5000"),
    (
        {"assignments": ["rows=[1,"]},
        "-p rows: '[1,' is not valid YAML: while parsing a flow node did "
        "not find expected node content. Put quotes around a text that holds special characters",
    ),
]


@pytest.mark.parametrize(("layer", "expected"), UNKNOWN)
def test_an_unknown_or_broken_name_is_refused(
    configured: Configured, layer: dict[str, Any], expected: str
) -> None:
    """With the layer and what was probably meant."""
    assert refusal(configured, ROWS, Layers(**layer)) == expected


def test_broken_files_are_refused(configured: Configured, tmp_path: Path) -> None:
    """Missing, broken, not a mapping, a key twice, an unknown name: each with its place."""
    file = tmp_path / "p.yaml"
    layers = Layers(files=[file])
    assert refusal(configured, ROWS, layers) == (
        f"{file}: there is no such parameter file. Name a YAML file of names and values"
    )
    for text, expected in {
        "- 1\n": f"{file}:1: a parameter file maps names to values. Write rows: 5000",
        "rows: 1\nrows: 2\n": f"{file}:2: the key 'rows' stands twice (first in line 1)",
        "a: [1\n": f"{file}:2: this is not valid YAML: while parsing a flow sequence did not find "
        "expected ',' or ']'",
        "\nrosw: 1\n": f"{file}:2: no parameter is called 'rosw'. Did you mean 'rows'?",
    }.items():
        file.write_text(text)
        assert refusal(configured, ROWS, layers) == expected
    file.write_text("# nothing\n")
    assert configured(ROWS, layers).overrides == {}


MAPPED = (
    "name: p\nstages:\n  s:\n    notebook: s.ipynb\n    foreach: {model: [a, b]}\n"
    "    outputs: {made: m.txt}\n"
)


def test_a_mapped_parameter_cannot_be_set(configured: Configured, tmp_path: Path) -> None:
    """It has its values from `foreach`; each instance receives its own, fitted to the type."""
    configured({"s": "rate = 1.0\nmade = ''"})
    (tmp_path / "pipeline.yaml").write_text(MAPPED.replace("model: [a, b]", "rate: [1, 2]"))
    pipeline = load_pipeline(tmp_path)
    for name in ("rate=3", "s.rate=3"):
        with pytest.raises(ConfigurationError) as caught:
            configure(pipeline, Layers(assignments=[name]))
        assert str(caught.value) == (
            "command line: stage 's' is mapped over 'rate'; it cannot be set. "
            "Change 'foreach' in pipeline.yaml"
        )
    instance = Instance(stage=pipeline.stages["s"], values=(2,))
    bound = configure(pipeline).of(instance)["rate"]
    assert (instance.id, bound.value, type(bound.value), bound.origin) == (
        *("s[2]", 2.0, float),
        "foreach",
    )


def test_outputs_and_inputs_are_no_parameters(tmp_path: Path, configured: Configured) -> None:
    """`-p` cannot redirect an artifact."""
    configured({"s": "model = ''\nmade = ''"})
    (tmp_path / "pipeline.yaml").write_text(MAPPED)
    with pytest.raises(ConfigurationError, match="stage 's' declares no parameter 'made'"):
        configure(load_pipeline(tmp_path), Layers(assignments=["s.made=/etc/x"]))


def test_what_a_run_began_with_is_weaker_than_a_stages_own(configured: Configured) -> None:
    """A resumed run keeps its parameters, and their rank."""
    layers = Layers(defaults={"rows": 7, "gone": 1})
    made = configured({"a": "rows = 1", "b": "rows = 1"}, layers, top="rows: 2")
    assert values(made, "rows") == {"a": 7, "b": 7}
    assert (made.stages["a"]["rows"].origin, made.overrides) == ("the run's own record", {})
    own = configured({"a": "rows = 1"}, layers, top="rows: 2", more="parameters: {rows: 3}")
    assert (values(own, "rows"), own.shown()) == ({"a": 3}, {"rows": 7})


def test_a_template_given_on_the_command_line_can_be_resumed(configured: Configured) -> None:
    """Of a plain variable the value is kept, of a secret one its name."""
    environ = {"MONTH": "jan", "TOKEN": "hunter22"}
    cell = {"a": "import mlkit\nurl = ''\nkey: mlkit.Secret = ''"}
    assigned = ["url=x ${MONTH}", "key=${TOKEN}"]
    made = configured(cell, Layers(assignments=assigned, environ=environ))
    assert made.overrides == {"url": "x jan", "key": "${TOKEN}"}
    assert made.stages["a"]["url"].value == "x jan"
    assert made.stages["a"]["key"].value == "hunter22"


def test_parse_assignment() -> None:
    """Everything after the first `=` is the value."""
    given = parse_assignment(" a.b =x=y")
    assert (given.name, given.raw, given.exact) == ("a.b", "x=y", False)
    assert parse_assignment("a:=x") == Assignment(name="a", raw="x", exact=True)
