"""The table of pipeline.yaml's keys, and the JSON Schema that is made of it."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from ruamel.yaml import YAML

from mlkit.core.pipeline_keys import KEYS, TITLES, keys_of, pipeline_schema
from mlkit.errors import MlkitError
from mlkit.load import load_pipeline
from mlkit.load.yaml_tree import read_yaml
from tests.load.conftest import notebook_document

ROOT = Path(__file__).parents[2]
SCHEMA = Draft202012Validator(pipeline_schema())
OWN = sorted(
    path
    for folder in ("notebooks", "tests", "benchmarks", "mlkit")
    for path in (ROOT / folder).rglob("*pipeline.yaml")
    if not {"runs", "scratch", ".ipynb_checkpoints"} & set(path.parts)
)

Document = dict[str, Any]
Place = tuple[str, ...]

WHOLE: Document = {
    "name": "p",
    "description": "words",
    "schedule": "every 6h",
    "timezone": "UTC",
    "overlap": False,
    "parameters": {"rows": 3},
    "env": {"MODE": "plain"},
    "defaults": {"timeout": "10m", "retry": {"max_retries": 1}, "cache": True},
    "profiles": {
        "big": {
            "parameters": {"rows": 4},
            "defaults": {"critical": False},
            "env": {"MODE": "b"},
            "schedule": "0 2 * * *",
        }
    },
    "stages": {
        "a": {
            "notebook": "a.ipynb",
            "parameters": {"rows": 5},
            "outputs": {"made": "made.json"},
            "retry": {"delay": 2, "backoff": 2, "max_delay": "1m", "jitter": True, "on": ["E"]},
            "timeout": 60,
            "trigger": "all_success",
            "wait_for": {"path": "*.csv", "every": "1s", "timeout": "1m"},
            "notify": {"on_failure": ["json://host/a"], "on_success": "json://host/b"},
            "resources": {"cpu": 2, "memory": "1Gi", "gpu": 1, "node_selector": {"disk": "ssd"}},
            "image": "img",
            "volumes": {
                "work": {"claim": "data", "path": "/data"},
                "settings": {"config_map": "app", "path": "/etc/app"},
                "keys": {"secret": "app", "path": "/etc/keys"},
            },
            "metrics": {"auc": "made.auc"},
        },
        "b": {
            "notebook": "b.ipynb",
            "inputs": {"made": "a.made"},
            "after": ["a"],
            "when": {"a.made": [1, 2]},
            "foreach": {"model": ["x", "y"]},
            "env": {"MODE": "c"},
            "kernel": "python3",
            "critical": True,
            "depends_on_past": True,
        },
    },
}
"""A pipeline in which every key stands at least once."""

JUNK: list[Any] = [None, True, 0, -1, 2.5, "", "x", "10m", [], [None], ["x"], [{}], {}, {"x": 1}]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The notebooks of `WHOLE`."""
    place = tmp_path_factory.mktemp("whole")
    cells = {"a": "rows = 1\nmade = ''", "b": "made = ''\nmodel = 'x'"}
    for name, cell in cells.items():
        (place / f"{name}.ipynb").write_text(json.dumps(notebook_document(cell)))
    return place


def refusal(document: Document, folder: Path) -> MlkitError | None:
    """What the loader says of a document; None if it takes it."""
    (folder / "pipeline.yaml").write_text(json.dumps(document), encoding="utf-8")
    try:
        load_pipeline(folder)
    except MlkitError as error:
        return error
    return None


def places(value: Any, at: Place = ()) -> Iterator[Place]:
    """Every place in a document, by the keys that lead there."""
    yield at
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from places(inner, (*at, key))


def changed(document: Document, at: Place, change: Callable[[Any, str], None]) -> Document:
    """A copy in which one place is changed, given what holds it and its key."""
    whole = {"": copy.deepcopy(document)}
    holder: Any = whole
    for key in ("", *at)[:-1]:
        holder = holder[key]
    change(holder, ("", *at)[-1])
    return whole[""]


PLACES = list(places(WHOLE))


@st.composite
def documents(draw: st.DrawFn) -> Document:
    """`WHOLE` with a few places dropped, filled with something else, or given a strange key."""
    document = WHOLE
    for _ in range(draw(st.integers(1, 2))):
        at = draw(st.sampled_from(list(places(document))[1:]))
        junk = draw(st.sampled_from(JUNK))
        kind = draw(st.sampled_from(["drop", "put", "add"]))

        def change(holder: Any, key: str, junk: Any = junk, kind: str = kind) -> None:
            if kind == "drop":
                del holder[key]
            elif kind == "put" or not isinstance(holder[key], dict):
                holder[key] = junk
            else:
                holder[key]["strange"] = junk

        document = changed(document, at, change)
    return document


STRUCTURE = ("unknown key", "must be", "is missing", "there are no stages", "it names no parameter")
"""How the loader's refusals begin to read where it is the structure that is wrong."""


def is_of_structure(error: MlkitError) -> bool:
    """Whether a refusal is of keys and types, which a schema can see."""
    return any(words in error.message for words in STRUCTURE)


def test_the_whole_pipeline_is_taken_by_both(folder: Path) -> None:
    """And holds every key that there is, so that each is tried below."""
    assert refusal(WHOLE, folder) is None
    SCHEMA.validate(WHOLE)
    found = {at[-1] for at in PLACES if at}
    assert {key.name for key in KEYS} - found == set()


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(document=documents())
def test_schema_and_loader_agree_on_structure(document: Document, folder: Path) -> None:
    """What the schema refuses the loader refuses, and what is wrong by its structure is refused."""
    wrong = [error.message for error in SCHEMA.iter_errors(document)]
    said = refusal(document, folder)
    if wrong:
        assert said is not None, wrong
    if said is not None and is_of_structure(said):
        assert wrong, said


@pytest.mark.parametrize("at", [at for at in PLACES if at], ids=".".join)
def test_every_place_is_checked_alike(at: Place, folder: Path) -> None:
    """Every value of a list of strange ones, in every place of the pipeline that has all keys."""
    for junk in JUNK:

        def put(holder: Any, key: str, junk: Any = junk) -> None:
            holder[key] = junk

        document = changed(WHOLE, at, put)
        wrong = [error.message for error in SCHEMA.iter_errors(document)]
        said = refusal(document, folder)
        assert not (wrong and said is None), (junk, wrong)
        assert wrong or said is None or not is_of_structure(said), (junk, said)


@pytest.mark.parametrize("path", OWN, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_pipeline_of_the_repository_validates(path: Path) -> None:
    """As it stands in the checkout."""
    SCHEMA.validate(read_yaml(path.read_text("utf-8"), str(path), MlkitError).plain())


def test_the_repository_has_pipelines() -> None:
    """Otherwise the test above would prove nothing."""
    assert len(OWN) >= 2


@pytest.mark.parametrize("key", KEYS, ids=lambda key: f"{key.place}.{key.name}")
def test_every_key_has_an_example_that_the_schema_takes(key: Any) -> None:
    """It is YAML, it holds the key, and it stands where the key does."""
    example = YAML(typ="safe").load(key.example)
    if key.place == "volume":
        (holder,) = example["volumes"].values()
    elif key.place in ("pipeline", "stage", "defaults", "profile"):
        holder = example
    else:
        holder = example[key.place]
    assert key.name in holder
    place = {**pipeline_schema(), **pipeline_schema()["$defs"].get(key.place, {})}
    given = {"name": "p", "stages": {"s": {"notebook": "s"}}} if key.place == "pipeline" else {}
    given |= {"notebook": "s.ipynb"} if key.place == "stage" else {}
    given |= {"path": "x"} if key.place == "wait_for" else {}
    if key.place == "pipeline":
        place = pipeline_schema()
    else:
        place.pop("required", None)
    Draft202012Validator(place).validate({**given, **holder})
    assert key.says.endswith(".")
    assert key.default
    assert key.takes


def test_no_place_is_forgotten() -> None:
    """Each has a heading and keys, none twice."""
    assert {key.place for key in KEYS} == set(TITLES)
    for place in TITLES:
        assert len(set(keys_of(place))) == len(keys_of(place)) > 0
    Draft202012Validator.check_schema(pipeline_schema())
