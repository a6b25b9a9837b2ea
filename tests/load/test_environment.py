"""`${NAME}` in a pipeline: what is filled in, and what must not be shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlkit.errors import ConfigurationError
from mlkit.load import Layers, configure, load_pipeline
from mlkit.load.lists import with_lists
from tests.load.conftest import (
    COLLECT,
    HEAD,
    MAPPED,
    SECRET,
    TRAIN,
    Configured,
    Project,
    refusal,
    values,
)


def test_plain_variables_are_filled_in_and_shown(configured: Configured) -> None:
    """`${NAME}` is a value like any other: in records, in the fingerprint, however short it is."""
    made = configured(
        {"a": "url = ''\nmany: list = []"},
        Layers(environ={"MONTH_X": "jan"}),
        top="url: 'https://x/${MONTH_X}?a'",
        more="parameters: {many: [1, {k: '${MONTH_X}'}]}",
    )
    url, many = made.stages["a"]["url"], made.stages["a"]["many"]
    assert (url.value, url.public, url.secret) == ("https://x/jan?a", "https://x/jan?a", False)
    assert many.public == [1, {"k": "jan"}]
    assert made.secrets == ()
    assert made.shown() == {"url": "https://x/jan?a"}


SECRET_NAMES = [
    *("TOKEN", "GITHUB_TOKEN", "TOKEN_X", "DB_PASSWORD", "MY_SECRET_X", "CREDENTIAL", "api_token"),
    *("AWS_CREDENTIALS", "OPENAI_API_KEY", "MYAPI_KEY"),
]


PLAIN_NAMES = [
    "TOKENS",
    "KEY",
    "API_KEYS",
    "MONTH",
    "TOKENIZER",
    "SECRETARY",
    "PASSWORDLESS",
    "PATH",
]


@pytest.mark.parametrize("name", SECRET_NAMES)
def test_a_variable_that_is_secret_by_its_name_is_refused_in_a_plain_place(
    tmp_path: Path, configured: Configured, name: str
) -> None:
    """In a plain parameter, in a list, on the command line, in a path; with the remedy."""
    layers = Layers(environ={name: "hunter22-secret"})
    text = refusal(configured, {"a": "url = ''"}, layers, top=f"url: 'x ${{{name}}}'")
    assert text == (
        f"{tmp_path}/pipeline.yaml:3: the environment variable {name} is a secret by its name, and "
        "parameter 'url' appears in records. Declare it 'url: mlkit.Secret', or take a variable "
        "with another name"
    )
    given = Layers(environ=layers.environ, assignments=[f"url=${{{name}}}"])
    assert "is a secret by its name" in refusal(configured, {"a": "url = ''"}, given)
    configured({"s": "made = ''\nmodel = ''"})
    (tmp_path / "pipeline.yaml").write_text(
        "name: p\nstages:\n  s:\n    notebook: s.ipynb\n"
        f"    inputs: {{made: 'file:${{{name}}}/a'}}\n"
    )
    with pytest.raises(ConfigurationError, match="the path of input 'made' appears in records"):
        configure(load_pipeline(tmp_path), layers)


@pytest.mark.parametrize("name", PLAIN_NAMES)
def test_other_names_are_plain(configured: Configured, name: str) -> None:
    """Whole words decide."""
    made = configured({"a": "url = ''"}, Layers(environ={name: "value"}), top=f"url: '${{{name}}}'")
    assert (made.shown(), made.secrets) == ({"url": "value"}, ())


@pytest.mark.parametrize("name", ["TOKEN", "HOST"])
def test_what_reaches_a_secret_parameter_is_secret(configured: Configured, name: str) -> None:
    """Whatever its name: the value and the whole text around it."""
    made = configured(
        {"a": "import mlkit\nkey: mlkit.Secret = ''"},
        Layers(environ={name: "hunter22-secret"}),
        top=f"key: 'Bearer ${{{name}}}'",
    )
    assert made.stages["a"]["key"].value == "Bearer hunter22-secret"
    assert made.shown() == {"key": "***"}
    assert set(made.secrets) == {"hunter22-secret", "Bearer hunter22-secret"}
    assert "hunter22" not in repr(made)


def test_one_variable_in_a_plain_and_a_secret_place_is_refused(configured: Configured) -> None:
    """It would be told in one place and hidden in the other."""
    text = refusal(
        configured,
        {"a": "url = ''"},
        Layers(environ={"HOST": "example.org"}),
        top="url: 'https://${HOST}/'",
        more="notify: {on_failure: ['json://${HOST}/']}",
    )
    assert "the environment variable HOST stands in a secret place (notify, pipeline.yaml:" in text
    assert "in one that records show (parameter 'url', pipeline.yaml)" in text


def test_variables_in_files_and_notifications(tmp_path: Path, configured: Configured) -> None:
    """`${NAME}` is filled in there too; in an address it is hidden, in a path it is not."""
    configured({"s": "made = ''\nmodel = ''"})
    (tmp_path / "pipeline.yaml").write_text(
        "name: p\nstages:\n  s:\n    notebook: s.ipynb\n    inputs: {made: 'file:${DATA_DIR}/a'}\n"
        "    notify: {on_failure: ['json://${HOOK_TOKEN}@h/']}\n"
    )
    pipeline = load_pipeline(tmp_path)
    here = tmp_path / "data"
    here.mkdir()
    environ = {"DATA_DIR": str(here), "HOOK_TOKEN": "hunter22"}
    with pytest.raises(ConfigurationError) as missing:
        configure(pipeline, Layers(environ=environ))
    assert str(missing.value) == (
        f"{tmp_path}/pipeline.yaml:3: stage 's': input 'made': there is no file "
        "'${DATA_DIR}/a'. Look at the values of the variables in it"
    )
    (here / "a").touch()
    made = configure(pipeline, Layers(environ=environ))
    assert made.files == {"s.made": here / "a"}
    assert made.notify["s"].on_failure == ("json://hunter22@h/",)
    assert made.secrets == ("hunter22",)
    assert "hunter22" not in repr(made)
    with pytest.raises(ConfigurationError) as caught:
        configure(pipeline, Layers(environ={"DATA_DIR": str(here)}))
    assert str(caught.value) == (
        f"{tmp_path}/pipeline.yaml:3: stage 's': the environment variable HOOK_TOKEN is not set. "
        "Set it: export HOOK_TOKEN=…, or name a file that does: --env-file FILE"
    )


def test_a_missing_variable_does_not_matter_where_it_is_overruled(configured: Configured) -> None:
    """Where the value is given, the variable need not be set."""
    cell = {"a": "url = ''"}
    made = configured(cell, Layers(assignments=["url=here"]), top="url: '${NOT_SET_X}'")
    assert values(made, "url") == {"a": "here"}
    assert "the environment variable NOT_SET_X is not set" in refusal(
        configured, cell, top="url: '${NOT_SET_X}'"
    )


def test_a_short_secret_is_refused(tmp_path: Path, configured: Configured) -> None:
    """Five characters would hide half of every text."""
    assert refusal(configured, SECRET, Layers(assignments=["token=12345"])) == (
        "parameter 'token' (command line): a secret of 5 characters is too short to be hidden. "
        "Use one of at least 6 characters"
    )
    assert refusal(configured, SECRET, Layers(environ={"T": "12345\n\n"}), top="token: '${T}'") == (
        f"{tmp_path}/pipeline.yaml:3: environment variable T: a secret of 5 characters is too "
        "short to be hidden. Use one of at least 6 characters"
    )


@pytest.mark.parametrize(
    "text",
    ["123456", "'quoted'", "[a-list", "*alias", "a: b: c", "#hash-sign", "{x: 1234", " spaced "],
)
@pytest.mark.parametrize("layer", ["assignments", "environ"])
def test_a_secret_is_a_text_as_it_stands(configured: Configured, layer: str, text: str) -> None:
    """It is no YAML: digits stay text, special characters need no quotes, it is never shown."""
    layers = (
        Layers(assignments=[f"token={text}"])
        if layer == "assignments"
        else Layers(environ={"MLKIT_PARAM_TOKEN": text})
    )
    made = configured(SECRET, layers)
    bound = made.stages["a"]["token"]
    assert (bound.value, bound.secret, bound.public) == (text, True, "***")
    assert made.secrets == (text,)
    assert made.shown() == {"token": "***"}
    assert made.overrides == {}
    assert text not in repr(made)


def test_a_secret_for_one_stage(configured: Configured) -> None:
    """`-p stage.token` is as hidden as `-p token`."""
    made = configured(SECRET, Layers(assignments=["a.token=99999999", "rows=3"]))
    assert made.stages["a"]["token"].value == "99999999"
    assert made.overrides == {"rows": 3}
    assert made.shown() == {"rows": 3}
    assert "99999999" not in repr(made)


def test_a_secret_stays_hidden_in_stages_that_forgot_to_say_so(configured: Configured) -> None:
    """If one stage declares the name as secret, no stage gets it into its cell."""
    both = {"a": "import mlkit\ntoken: mlkit.Secret = ''", "b": "token = ''"}
    made = configured(both, Layers(assignments=["token=hunter22"]))
    assert {name: bound["token"].secret for name, bound in made.stages.items()} == {
        "a": True,
        "b": True,
    }


def test_a_secret_that_is_no_text_is_refused(configured: Configured) -> None:
    """Without showing it."""
    text = refusal(configured, SECRET, Layers(values={"token": 12345678}))
    assert text == (
        "parameter 'token' of stage 'a' is a secret: its value must be a text "
        "(run(parameters=…)). Put quotes around it"
    )


def test_a_variable_of_the_wrong_type_is_named(configured: Configured) -> None:
    """It is a value like any other."""
    text = refusal(
        configured,
        {"a": "rows = 1"},
        Layers(environ={"T": "many"}),
        top="other: 1",
        more="parameters: {rows: '${T}'}",
    )
    assert "'many' is not an int" in text


@pytest.mark.parametrize(
    ("top", "more", "place", "said"),
    [
        ("rows: '${T}'", "", 3, "parameter 'rows' of stage 'a': 'many' is not an int"),
        ("rows: '${U}'", "", 3, "the environment variable U is not set"),
        ("rows: '${A_TOKEN}'", "", 3, "the environment variable A_TOKEN is a secret by its name"),
        ("o: 1", "parameters:\n      rows: '${T}'", 8, "'many' is not an int"),
        ("o: 1", "parameters:\n      rows: '${U}'", 8, "stage 'a': the environment variable U is"),
        ("o: 1", "env:\n      MODE: '${U}'", 8, "the environment variable U is not set"),
    ],
)
@pytest.mark.parametrize("name", ["pipeline.yaml", "other.yml"])
def test_a_mistake_that_a_variable_brings_has_its_file_and_line(
    tmp_path: Path, configured: Configured, name: str, top: str, more: str, place: int, said: str
) -> None:
    """The very line of the value, in the file that was read, whatever it is called."""
    configured({"a": "rows = 1"}, top="o: 1")
    (tmp_path / name).write_text(
        f"name: p\nparameters:\n  {top}\nstages:\n  a:\n    notebook: a.ipynb\n    {more}\n"
    )
    with pytest.raises(ConfigurationError) as caught:
        configure(
            load_pipeline(tmp_path / name), Layers(environ={"T": "many", "A_TOKEN": "abcdef"})
        )
    assert (str(tmp_path / name), place) == (caught.value.file, caught.value.line)
    assert said in caught.value.message
    assert not caught.value.message.startswith(name)


@pytest.mark.parametrize(
    ("declared", "text", "value"),
    [
        ("x = 1", "5000", 5000),
        ("x = 1.0", "1e-3", 0.001),
        ("x: bool = False", "true", True),
        ("x: list = []", "[1, a]", [1, "a"]),
        ("x: int | None = None", "null", None),
        ("x = ''", "5000", "5000"),
        ("x: int | str = 1", "5000", "5000"),
        ("x = None", "5000", "5000"),
    ],
)
@pytest.mark.parametrize("place", ["top", "own", "command line"])
def test_a_variable_alone_is_read_as_yaml_where_no_text_is_taken(
    configured: Configured, declared: str, text: str, value: object, place: str
) -> None:
    """As `-p` is: the environment has only texts; where one is taken it stays as it stands."""
    made = configured(
        {"a": declared},
        Layers(environ={"T": text}, assignments=["x=${T}"] if place == "command line" else []),
        top="x: '${T}'" if place == "top" else "o: 1",
        more="parameters: {x: '${T}'}" if place == "own" else "",
    )
    assert made.stages["a"]["x"].value == value
    if place != "own":
        assert made.pipeline["x"].value == value
    assert list(made.overrides.values()) == ([value] if place == "command line" else [])


def test_a_list_that_is_mapped_over_may_be_a_variable(project: Project) -> None:
    """Its values come with the run; what is no list is refused with its line."""
    text = (
        "name: p\nparameters:\n  models: '${MODELS}'\nstages:\n"
        + COLLECT
        + MAPPED.replace("[forest, boost]", "parameters.models")
    )
    project.file.write_text(text)
    pipeline = load_pipeline(project.file)
    made = configure(pipeline, Layers(environ={"MODELS": "[forest, boost]"}))
    foreach = with_lists(pipeline, made).stages["train"].foreach
    assert foreach is not None
    assert foreach.values == ("forest", "boost")
    with pytest.raises(ConfigurationError, match="a list is needed") as caught:
        with_lists(pipeline, configure(pipeline, Layers(environ={"MODELS": "forest"})))
    assert (str(project.file), 3) == (caught.value.file, caught.value.line)


def test_an_empty_secret_is_none(configured: Configured) -> None:
    """`-p token=` takes the secret away."""
    made = configured(SECRET, Layers(assignments=["token="]))
    assert made.stages["a"]["token"].value == ""
    assert made.secrets == ()


@pytest.mark.parametrize(
    "said",
    [
        "wait_for: {path: '${DATA_X}/x.csv'}",
        "outputs: {metrics: '${DATA_X}.json'}",
        "image: 'registry.example/${DATA_X}:1'",
        "resources: {node_selector: {disk: '${DATA_X}'}}",
        "foreach: {model: ['${DATA_X}']}",
    ],
)
def test_a_variable_is_refused_where_nothing_fills_it_in(project: Project, said: str) -> None:
    """A sensor would wait an hour for a file whose name holds `${DATA_X}`."""
    text = project.refused(HEAD + TRAIN + f"    {said}\n")
    assert text.startswith(f"pipeline.yaml:5: stage 'train': '{said.partition(':')[0]}' holds ")
    assert "filled in under parameters, env and notify and in file: paths only" in text


def test_a_variable_is_refused_in_the_defaults_too(project: Project) -> None:
    """What they hold goes into every stage."""
    text = project.refused("name: p\ndefaults: {image: 'x/${DATA_X}:1'}\nstages:\n" + TRAIN)
    assert text.startswith("pipeline.yaml:2: defaults: 'image' holds ")


def test_a_list_parameter_that_is_mapped_over_may_hold_a_variable(project: Project) -> None:
    """So the refusal's remedy says; and what begins with `x-` is nobody's business."""
    pipeline = project.load(
        "name: p\nparameters: {models: ['${DATA_X}']}\nstages:\n"
        + TRAIN
        + "    foreach: {model: parameters.models}\n    x-own: '${DATA_X}'\n"
    )
    assert list(pipeline.stages) == ["train"]
