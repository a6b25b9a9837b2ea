"""`env`, `profiles`, `metrics`, `timezone` and `overlap` of pipeline.yaml, and `.env` files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mlkit.core.pipeline import Pipeline
from mlkit.errors import ConfigurationError, PipelineError
from mlkit.load import Layers, configure, load_pipeline
from mlkit.load.env_file import read_env_file, with_env_file

if TYPE_CHECKING:
    from tests.load.conftest import Project

TEXT = """
    name: p
    schedule: "0 2 * * *"
    timezone: Europe/Berlin
    overlap: true
    parameters: {rows: 10, rate: 0.5}
    defaults: {timeout: 10m, retry: {max_retries: 2, delay: 1s}}
    env: {OMP_NUM_THREADS: 2, MODE: plain}
    profiles:
      prod:
        parameters: {rows: 5000, train.depth: 9}
        defaults: {retry: {max_retries: 5}}
        env: {MODE: prod, EXTRA: 007}
        schedule: every 6h
      small: {parameters: {rate: 0.25}}
    stages:
      collect:
        notebook: collect.ipynb
        outputs: {flights: f.parquet}
      train:
        notebook: train.ipynb
        env: {MODE: mine}
        parameters: {depth: 3}
        inputs: {train_set: collect.flights}
        outputs: {metrics: metrics.json}
        metrics: {accuracy: metrics.test.accuracy}
"""


def _env(pipeline: Pipeline, stage: str) -> dict[str, str]:
    return {name: item.text for name, item in pipeline.stages[stage].env.items()}


def _values(pipeline: Pipeline, stage: str, layers: Layers | None = None) -> dict[str, object]:
    found = configure(pipeline, layers).stages[stage]
    return {name: bound.value for name, bound in found.items()}


def test_without_a_profile_the_file_stands_as_it_is(project: Project) -> None:
    """A stage's variables are the pipeline's, and its own over them."""
    pipeline = project.load(TEXT)
    assert (pipeline.timezone, pipeline.overlap, pipeline.profile) == ("Europe/Berlin", True, None)
    assert _env(pipeline, "collect") == {"OMP_NUM_THREADS": "2", "MODE": "plain"}
    assert _env(pipeline, "train") == {"OMP_NUM_THREADS": "2", "MODE": "mine"}
    assert pipeline.stages["train"].metrics == {"accuracy": "metrics.test.accuracy"}
    assert _values(pipeline, "collect") == {"rows": 10}


def test_a_profile_is_merged_key_by_key(project: Project) -> None:
    """What it leaves out stays the file's; a stage's own `env` stays over the pipeline's."""
    pipeline = load_pipeline(project.write(TEXT), profile="prod")
    train = pipeline.stages["train"]
    assert pipeline.schedule == "every 6h"
    assert (train.retry.max_retries, train.retry.delay_s, train.timeout_s) == (5, 1.0, 600.0)
    assert _env(pipeline, "collect") == {"OMP_NUM_THREADS": "2", "MODE": "prod", "EXTRA": "007"}
    assert _env(pipeline, "train")["MODE"] == "mine"
    assert _values(pipeline, "collect") == {"rows": 5000}
    assert _values(pipeline, "train") == {"rate": 0.5, "depth": 9}


def test_a_profile_stands_over_the_file_and_below_everything_else(project: Project) -> None:
    """-f, the environment and -p win; each value says where it came from."""
    pipeline = load_pipeline(project.write(TEXT), profile="prod")
    line = (
        project.file.read_text().splitlines().index("    parameters: {rows: 5000, train.depth: 9}")
        + 1
    )
    origin = configure(pipeline).pipeline["rows"].origin
    assert origin == f"pipeline.yaml:{line}, profile 'prod'"
    more = project.folder / "more.yaml"
    more.write_text("rows: 7\n")
    assert _values(pipeline, "collect", Layers(files=[more])) == {"rows": 7}
    environ = {"MLKIT_PARAM_ROWS": "8"}
    assert _values(pipeline, "collect", Layers(files=[more], environ=environ)) == {"rows": 8}


def test_what_a_profile_says_is_no_override(project: Project) -> None:
    """Its name is recorded and handed on to tasks; its values are read again there."""
    pipeline = load_pipeline(project.write(TEXT), profile="prod")
    assert configure(pipeline).overrides == {}
    assert configure(pipeline, Layers(assignments=["rate=0.1"])).overrides == {"rate": 0.1}


def test_a_run_that_is_resumed_keeps_the_values_of_its_profile(project: Project) -> None:
    """They stand in its record, whatever the profile says today."""
    pipeline = load_pipeline(project.write(TEXT), profile="prod")
    assert _values(pipeline, "collect", Layers(defaults={"rows": 4000})) == {"rows": 4000}


def test_the_environment_chooses_a_profile(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`MLKIT_PROFILE`, unless another one, or none, is asked for."""
    monkeypatch.setenv("MLKIT_PROFILE", "small")
    chosen = project.load(TEXT).profile
    assert chosen is not None
    assert chosen.name == "small"
    assert load_pipeline(project.file, profile="").profile is None


def test_each_value_of_env_is_its_text_as_it_is_written(project: Project) -> None:
    """No number loses its zeros, no word becomes a bool."""
    pipeline = project.load("""
        name: p
        env:
          A: 007
          B: 1.10
          C: true
          D: "two words"
          E: ''
          F: 1e-3
        stages: {end: {notebook: end.ipynb}}
    """)
    texts = ["007", "1.10", "true", "two words", "", "1e-3"]
    assert list(_env(pipeline, "end").values()) == texts


SECRETS = """
    name: p
    env: {API_TOKEN: "${MY_KEY}", URL: "http://${HOST}/?t=${API_TOKEN}", PLAIN: "${HOST}"}
    stages: {end: {notebook: end.ipynb}}
"""


def test_a_secret_in_env_is_named_where_it_is_shown(project: Project) -> None:
    """The rest of a value with a secret in it is told, and counts; the secret does not."""
    environ = {"MY_KEY": "hidden-key", "HOST": "db", "API_TOKEN": "hidden-token"}
    found = configure(project.load(SECRETS), Layers(environ=environ))
    assert {name: bound.value for name, bound in found.env["end"].items()} == {
        "API_TOKEN": "hidden-key",
        "URL": "http://db/?t=hidden-token",
        "PLAIN": "db",
    }
    assert {name: bound.public for name, bound in found.env["end"].items()} == {
        "API_TOKEN": "${MY_KEY}",
        "URL": "http://db/?t=${API_TOKEN}",
        "PLAIN": "db",
    }
    assert set(found.secrets) == {"hidden-key", "hidden-token"}
    assert "hidden" not in repr(found)


def test_a_variable_of_env_that_is_not_set_is_told_with_its_line(project: Project) -> None:
    """And with the two ways to set it."""
    pipeline = project.load(SECRETS)
    with pytest.raises(ConfigurationError, match="HOST is not set") as caught:
        configure(pipeline, Layers(environ={"MY_KEY": "hidden-key", "API_TOKEN": "hidden-token"}))
    assert caught.value.line == 2
    assert "--env-file" in str(caught.value.remedy)


def test_an_export_needs_no_value(project: Project) -> None:
    """`${NAME}` stays as it is where it is filled in later, by what runs the stages."""
    pipeline = project.load("""
        name: p
        parameters: {rows: "${ROWS}"}
        env: {URL: "http://${HOST}"}
        stages:
          collect:
            notebook: collect.ipynb
            notify: {on_failure: "${HOOK}"}
            outputs: {flights: f.parquet}
    """)
    layers = Layers(needs_values=False)
    assert configure(pipeline, layers).overrides == {}
    with pytest.raises(ConfigurationError, match="is not set"):
        configure(pipeline, replace(layers, needs_values=True))


def test_a_file_of_variables_stands_below_the_environment(tmp_path: Path) -> None:
    """It is read as python-dotenv reads it: quotes, comments, export."""
    file = tmp_path / "prod.env"
    file.write_text("# ours\nexport HOST=db\nTOKEN='a b#c'\n\nEMPTY=\nURL=http://${HOST}/\n")
    assert read_env_file(file) == {
        **{"HOST": "db", "TOKEN": "a b#c"},
        **{"EMPTY": "", "URL": "http://db/"},
    }
    assert with_env_file(file, {"HOST": "other", "X": "1"})["HOST"] == "other"
    assert with_env_file(None, {"X": "1"}) == {"X": "1"}


@pytest.mark.parametrize(
    ("text", "line", "fact"),
    [("A=1\n\nwhat is this\n", 3, "sets no variable"), ("A=1\nB\n", 2, "sets no variable")],
)
def test_a_broken_line_of_such_a_file_is_told(
    tmp_path: Path, text: str, line: int, fact: str
) -> None:
    """The library passes over such lines; a value would be missing."""
    file = tmp_path / ".env"
    file.write_text(text)
    with pytest.raises(ConfigurationError, match=fact) as caught:
        read_env_file(file)
    assert (caught.value.file, caught.value.line) == (str(file), line)


def test_a_file_of_variables_that_is_not_there_is_told(tmp_path: Path) -> None:
    """It was named: it is meant."""
    with pytest.raises(ConfigurationError, match="no such file of environment variables"):
        read_env_file(tmp_path / ".env")


def test_a_broken_profile_is_told_though_another_one_is_chosen(project: Project) -> None:
    """So that it is not found out on the day when it is needed."""
    text = TEXT.replace("small: {parameters: {rate: 0.25}}", "small: {parameters: {rat: 0.25}}")
    with pytest.raises(PipelineError, match="no parameter is called 'rat'") as caught:
        load_pipeline(project.write(text), profile="prod")
    assert caught.value.remedy == "Did you mean 'rate'?"


def test_what_is_taken_in_through_several_mappings_keeps_its_text_and_its_line(
    project: Project,
) -> None:
    """`<<` in what `<<` takes in, a list of mappings, anchors in keys that are passed over."""
    pipeline = project.load("""
        name: p
        x-first: &first {A: 007, B: 1}
        x-second: &second
          <<: *first
          B: 2.0
        x-third: &third {C: yes}
        env: {<<: [*second, *third], D: 4}
        stages: {end: {notebook: end.ipynb}}
    """)
    assert _env(pipeline, "end") == {"A": "007", "B": "2.0", "C": "yes", "D": "4"}
    lines = {name: item.line for name, item in pipeline.stages["end"].env.items()}
    assert lines == {"A": 2, "B": 5, "C": 6, "D": 7}


def test_a_profile_may_take_in_another(project: Project) -> None:
    """Profiles are mappings like any other."""
    text = """
        name: p
        profiles:
          test: &test {parameters: {rows: 3}, env: {MODE: test}}
          prod: {<<: *test, env: {MODE: prod}}
        stages: {collect: {notebook: collect.ipynb, outputs: {flights: f.parquet}}}
    """
    pipeline = load_pipeline(project.write(text), profile="prod")
    assert _values(pipeline, "collect") == {"rows": 3}
    assert _env(pipeline, "collect") == {"MODE": "prod"}
