"""Mistakes that nobody has thought of: a pipeline.yaml loads, or one sentence says what is wrong.

A file that uses every key is changed at random, in its values or in its text. The changes are drawn
from a seed, the variable `MLKIT_MISTAKES_SEED`; `MLKIT_MISTAKES` is how many files are drawn.
`test_mistakes.py` has the mistakes that somebody has thought of.
"""

from __future__ import annotations

import copy
import io
import os
import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from mlkit.core.pipeline import Pipeline
from mlkit.core.pipeline_keys import KEYS
from mlkit.errors import MlkitError
from mlkit.load import Layers, configure, load_pipeline
from mlkit.load.likely_slips import likely_slips
from mlkit.reports.graph_forms import to_mermaid, to_svg, to_text
from tests.load.conftest import Project

SEED = int(os.environ.get("MLKIT_MISTAKES_SEED", "1"))
FILES = int(os.environ.get("MLKIT_MISTAKES", "300"))
ENVIRON = {"HOME": "/home/ann", "HOOK": "json://localhost/hook"}
WHOLE = """\
name: flights
description: Will it be late?
schedule: "0 2 * * *"
timezone: Europe/Berlin
overlap: false
x-base: &base {timeout: 10m}
parameters:
  months: [1, 2, 3]
  rows: 20000
  rate: 0.5
env: {MODE: fast, WHERE: "${HOME}/x"}
defaults:
  <<: *base
  retry: {max_retries: 2, delay: 1s, backoff: 2, max_delay: 1m, jitter: false, on: [OSError]}
  notify: {on_failure: ["json://localhost/x"]}
profiles:
  prod:
    parameters: {rows: 5, train.rate: 0.1}
    defaults: {timeout: 5m}
    env: {MODE: slow}
    schedule: every 6h
stages:
  fetch:
    notebook: fetch.ipynb
    foreach: {month: parameters.months}
    wait_for: {path: "data/*.csv", every: 1s, timeout: 1h}
    outputs:
      flights: flights.parquet
      listed: listed.json
  one:
    notebook: fetch.ipynb
    parameters: {rows: 3}
    outputs: {flights: f.parquet, listed: l.json, extra: "parts/?"}
    metrics: {accuracy: listed.accuracy}
  train:
    notebook: fit.ipynb
    after: [one]
    foreach:
      model: one.listed
      month: parameters.months
    inputs:
      train_set: "file:data/x.csv"
      raw: fetch[month].flights
    parameters: {depth: 3, tags: [a, b], options: {a: 1, b: {c: 2}}}
    env: {LEVEL: "3"}
    timeout: 1h
    cache: false
    critical: true
    outputs: {metrics: metrics.json}
    resources: {cpu: 500m, memory: 4Gi, gpu: 1, node_selector: {disk: ssd}}
    image: my/image:1
    volumes: {work: {claim: c, path: /data}}
    retry: {max_retries: 1}
  select:
    notebook: select.ipynb
    inputs:
      candidates: train.metrics
    outputs: {decision: decision.json}
    trigger: all_done
    depends_on_past: true
  end:
    notebook: end.ipynb
    when: {select.decision: [go, 1]}
    notify: {on_success: "${HOOK}"}
  last:
    notebook: end.ipynb
    after: ["fetch[2]", "train[*,1]"]
    kernel: python3
    trigger: none_failed
"""
NUMBERS = (None, True, False, 0, 1, -1, 2**70, 10**400, 1.5, -0.0, 1e308)
NO_NUMBERS = (float("inf"), float("-inf"), float("nan"))
TEXTS = (
    *("", " ", "\n", "a\nb", "\t", "\0", "\x1b[31m", "é", "\u2028", "\x85", "\ufeff", "x" * 300),
    *("null", "~", "true", "1e3", "0x10", "1_000", "2024-01-01", "*", "&a", "!x", "%", "@a"),
    *("fetch", "fetch.flights", "fetch[1].flights", "fetch[].flights", "fetch[month].flights"),
    *("fetch[", "fetch[month", "train[forest,1].metrics", 'train["a,b"].metrics', "train[*,*]"),
    *("train[month].metrics", "train[model,month].metrics", "one.listed", "one.extra", "end"),
    *("parameters", "parameters.", "parameters.months", "parameters.rows", "select.decision"),
    *("file:", "file:data/x.csv", "file:data/", "file:data", "file:..", "file:/", "file:${HOME}"),
    *("run:", "run:x", "run:a/b.c", "run:latest/one.flights", "run:../x/latest/one.flights"),
    *("..", "../x", "/", "a/b", "parts/", "parts/?", "?", "/?", "x?/", "@notebook.ipynb"),
    *("10m", "-1s", "1h30m", "500ms", "every 6h", "every", "every 0s", "* * * * *", "0 2 30 2 *"),
    *("1-", "*/0 * * * *", f"{10**20} * * * *", "UTC", "Europe/Berlim", "../../etc/passwd"),
    *("all_success", "all_sucess", "${HOME}", "${NOPE}", "${", "${API_TOKEN}", "4Gi", "1.5.5"),
    *(".", "a.", "..a", "a.b.c", "python3", "nope", "json://x", "mailto"),
)
NAMES = (
    *sorted({key.name for key in KEYS}),
    *("x-own", "<<", "1", "", "é", "notebok", "paramters", "foreach ", "fetch", "train.rate"),
    *("month", "months", "import", "a.b", "a-b", "MLKIT_X", "logical_date", ".", "one."),
)
SIGNS = (
    *("\t", "\r", "\r\n", "\n", "\ufeff", "\xa0", "\x00", "\x85", "\u2028", "\x0c", "\\", "~"),
    *("---\n", "...\n", "# x\n", "%YAML 1.1\n---\n", "<<<<<<< HEAD\n", "=======\n", "{", "}", "["),
    *("!!python/object:os.system ", "!!binary ", "!!set ", "!mine ", "!!str ", "!!int ", "!!null "),
    *("&a ", "*a", "*base", "&base ", "<<: *base\n", "<<: 3\n", "? ", "- ", ": ", ", ", "]", "'"),
    *('"', "|\n", ">", "@", "`", "=", "🦊"),
)


class Drawn:
    """Draws the changes of one file."""

    def __init__(self, seed: str) -> None:
        self.random = random.Random(seed)

    def file(self) -> str:
        """A pipeline.yaml with one to three changes."""
        times = self.random.choice((1, 1, 2, 3))
        if self.random.random() < 0.6:
            return self.with_other_values(times)
        text = WHOLE
        for _ in range(times):
            text = self.with_other_signs(text)
        return text

    def value(self, depth: int = 0) -> Any:
        """A value of any type that YAML has."""
        kind = 0.0 if depth > 2 else self.random.random()
        if kind < 0.72:
            return self.random.choice((*NUMBERS, *NO_NUMBERS, *TEXTS))
        if kind < 0.86:
            return [self.value(depth + 1) for _ in range(self.random.randrange(4))]
        names = self.random.sample(NAMES, self.random.randrange(4))
        return {name: self.value(depth + 1) for name in names}

    def with_other_values(self, times: int) -> str:
        """A value of another type, a name misspelled or misplaced, a reference broken."""
        yaml = YAML(typ="safe", pure=True)
        whole = copy.deepcopy(yaml.load(WHOLE))
        for _ in range(times):
            *way, last = self.random.choice([path for path in _paths(whole) if path])
            place = whole
            for step in way:
                place = place[step]
            change = self.random.randrange(6)
            if change < 3:
                place[last] = self.value()
            elif change == 3:
                del place[last]
            elif isinstance(place, list):
                place.append(self.value())
            else:
                name = self.random.choice(NAMES)
                place[name] = place.pop(last) if change == 4 else self.value()
        stream = io.StringIO()
        yaml.default_flow_style, yaml.allow_unicode = False, True
        yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]  # annotated None
        yaml.dump(whole, stream)
        return stream.getvalue()

    def with_other_signs(self, text: str) -> str:
        """A sign too many or too few, a line twice or elsewhere, other line ends, a half file."""
        lines = text.splitlines(keepends=True) or ["\n"]
        at, line = self.random.randrange(len(text) + 1), self.random.randrange(len(lines))
        sign = self.random.choice(SIGNS)
        match self.random.randrange(9):
            case 0 | 1 | 2:
                return text[:at] + sign + text[at:]
            case 3:
                return "".join([*lines[:line], lines[line - 1], *lines[line:]])
            case 4:
                return "".join([*lines[:line], *lines[line + 1 :]])
            case 5:
                blank = self.random.choice((" ", "  ", "\t", "- ", "\xa0"))
                return "".join([*lines[:line], blank + lines[line], *lines[line + 1 :]])
            case 6:
                return text[:at] + text[at + self.random.randrange(1, 6) :]
            case 7:
                found = self.random.choice([*re.finditer(r"(?<=: )[^\n]+|$", text)])
                return text[: found.start()] + sign + text[found.start() :]
        ends = text.replace("\n", "\r\n"), text.replace("\n", "\r"), text.rstrip("\n")
        whole = "\ufeff" + text, text + text, f"{text}---\n{text}", f"---\n{text}...\n", ""
        return self.random.choice((*ends, *whole, text[:at]))


def _paths(value: Any, way: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield way
    pairs = value.items() if isinstance(value, dict) else ()
    for key, inner in enumerate(value) if isinstance(value, list) else pairs:
        yield from _paths(inner, (*way, key))


@pytest.fixture
def whole(project: Project) -> Project:
    """A folder with all that the whole pipeline names."""
    project.notebook(
        "fetch.ipynb", 'rows = 10\nmonth = 1\nflights = "f"\nlisted = "l"\nextra = ""\n'
    )
    project.notebook(
        "fit.ipynb",
        """
        model = "forest"
        rate = 0.5
        month = 1
        depth: int | None = None
        tags: list[str] = []
        options: dict = {}
        train_set = "x.csv"
        raw = ""
        metrics = "scratch/metrics.json"
        """,
    )
    (project.folder / "data").mkdir()
    (project.folder / "data" / "x.csv").write_text("a\n")
    return project


def _outcome(project: Project) -> Pipeline | MlkitError:
    """The pipeline, also drawn and with its parameters; or the mistake."""
    try:
        pipeline = load_pipeline(project.file)
    except MlkitError as error:
        return error
    to_mermaid(pipeline), to_svg(pipeline), to_text(pipeline, width=80)
    likely_slips(pipeline)
    try:
        configure(pipeline, Layers(environ=ENVIRON))
    except MlkitError as error:
        return error
    return pipeline


def _troubles(error: MlkitError, project: Project) -> Iterator[str]:
    """What is missing in what is said of a mistake, and of those found with it."""
    text = project.file.read_bytes().decode()
    for each in (error, *error.others):
        if each.file is None or Path(each.file).parent != project.folder:
            yield f"names {each.file}, none of its files"
        elif each.line is None and Path(each.file) == project.file:
            yield "names no line"
        elif Path(each.file) == project.file and not 1 <= (each.line or 0) <= _lines(text):
            yield f"names line {each.line} of {_lines(text)}"
        if not each.message.strip() or not each.remedy or each.exit_code != 2:
            yield "lacks its fact, its remedy, or the exit code of a mistake"


def _lines(text: str) -> int:
    """How many lines a text has, the empty one behind its last line end too."""
    return len(f"{text}.".splitlines())


def test_the_whole_pipeline_is_one(whole: Project) -> None:
    """It is right before it is changed, and uses every key."""
    outcome = _outcome_of(whole, WHOLE)
    assert isinstance(outcome, Pipeline)
    assert {key.name for key in KEYS} - set(re.findall(r"\w+(?=:)", WHOLE)) == {
        *("config_map", "secret")
    }


def _outcome_of(project: Project, text: str) -> Pipeline | MlkitError:
    project.file.write_bytes(text.encode())
    return _outcome(project)


def test_a_file_loads_or_its_mistake_is_told(whole: Project) -> None:
    """In one tree of errors, with file, line, fact and remedy; nothing is written."""
    before = sorted(path.name for path in whole.folder.iterdir())
    loaded = 0
    for number in range(FILES):
        seed = f"{SEED}/{number}"
        text = Drawn(seed).file()
        try:
            outcome = _outcome_of(whole, text)
        except Exception as error:  # noqa: BLE001 - that there is no other is what is tested
            pytest.fail(f"{type(error).__name__}: {error}, with the file of {seed}:\n{text}")
        if isinstance(outcome, Pipeline):
            loaded += 1
        else:
            troubles = [*_troubles(outcome, whole)]
            assert not troubles, f"{troubles} {outcome}, with the file of {seed}:\n{text}"
    assert loaded, "every file was broken: the changes try nothing but the parser"
    assert sorted(path.name for path in whole.folder.iterdir()) == sorted(
        {*before, "pipeline.yaml"}
    )
