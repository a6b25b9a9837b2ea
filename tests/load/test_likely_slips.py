"""What has no effect is told, by `plan` and by a run; what only looks odd is not."""

from __future__ import annotations

import builtins
import json
import string
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlkit.cli.main import main
from mlkit.core.pipeline import Pipeline, Stage
from mlkit.core.policies import Retry
from mlkit.load.likely_slips import likely_slips
from mlkit.load.pipeline_file import load_pipeline
from mlkit.testing import Sketch, run_fake, write_pipeline

ERRORS = [n for n, v in vars(builtins).items() if isinstance(v, type) and issubclass(v, Exception)]


def _retried_on(*names: str) -> list[str]:
    """What is said of a stage with these names under `on`."""
    stage = Stage(name="a", notebook=Path("a.ipynb"), retry=Retry(on=names))
    return likely_slips(Pipeline(name="p", file=Path("pipeline.yaml"), stages={"a": stage}))


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("ValueErorr", "ValueError"),
        ("KeyEror", "KeyError"),
        ("TimeOutError", "TimeoutError"),
        ("ConnectionErrror", "ConnectionError"),
        ("FileExistError", "FileExistsError"),
        ("StageTimeOut", "StageTimeout"),
    ],
)
def test_a_slip_of_the_hand_in_a_class_name_is_told(name: str, meant: str) -> None:
    """A retry that waits for a class that there is not would never come, without a word."""
    assert _retried_on(name) == [
        f"retry of a: no exception of Python is called '{name}'. Did you mean '{meant}'?"
    ]


@given(st.sampled_from(ERRORS), st.data())
def test_every_single_slip_is_told(name: str, data: st.DataObject) -> None:
    """A letter too much, too little, another one, or two exchanged; and no name of Python's is."""
    at = data.draw(st.integers(0, len(name) - 2))
    letter = data.draw(st.sampled_from(string.ascii_letters))
    slips = [
        name[:at] + letter + name[at:],
        name[:at] + name[at + 1 :],
        name[:at] + letter + name[at + 1 :],
        name[:at] + name[at + 1] + name[at] + name[at + 2 :],
    ]
    for slip in slips:
        assert bool(_retried_on(slip)) == (slip not in ERRORS)


def test_classes_of_libraries_are_no_slips() -> None:
    """Of httpx comes ConnectError, of requests Timeout, and of a project what it likes."""
    names = ("ConnectError", "Timeout", "HTTPError", "ReadTimeout", "OperationalError", "ApiError")
    assert _retried_on(*names) == []


def test_what_is_never_retried_is_told_once_for_all_stages(tmp_path: Path) -> None:
    """`defaults` hand it to each of them."""
    file = write_pipeline(
        tmp_path,
        Sketch(name="a"),
        Sketch(name="b"),
        defaults={"retry": {"max_retries": 1, "on": ["MissingOutput", "ValueError"]}},
    )
    assert likely_slips(load_pipeline(file)) == [
        "retry of a, b: 'MissingOutput' stands under 'on', and is never retried"
    ]


def test_a_dollar_brace_that_begins_no_variable_is_told(tmp_path: Path) -> None:
    """In parameters, `env` and `notify`; the text itself may be secret, and is not."""
    file = write_pipeline(
        tmp_path,
        Sketch(
            name="a",
            declares="url: str = ''\nodd: list = []\nfine: str = ''",
            keys={
                "env": {"X": "${NOPE"},
                "parameters": {"odd": ["${A-B}"], "fine": "$HOME ${HOME} $"},
                "notify": {"on_failure": ["json://${HOST:8080/x"]},
            },
        ),
        parameters={"url": "${}"},
    )
    said = likely_slips(load_pipeline(file))
    assert [line.partition(": '${' begins no ${NAME} there")[0] for line in said] == [
        "parameter 'url'",
        "parameter 'odd' of stage 'a'",
        f"env X (pipeline.yaml:{_line_of(file, 'X:')})",
        "notify",
    ]
    assert "8080" not in "".join(said)


def _line_of(file: Path, text: str) -> int:
    lines = file.read_text().splitlines()
    return next(number for number, line in enumerate(lines, 1) if line.strip().startswith(text))


def test_plan_and_run_say_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A plan is there to see such things before anything runs."""
    file = write_pipeline(tmp_path, Sketch(name="a"), parameters={"rosw": 3})
    said = ["no stage declares the parameter 'rosw', so it changes nothing"]
    with pytest.raises(SystemExit) as left:
        main(["plan", str(file), "--json"])
    assert left.value.code == 0
    assert json.loads(capsys.readouterr().out)["warnings"] == said
    assert list(run_fake(file).warnings) == said
