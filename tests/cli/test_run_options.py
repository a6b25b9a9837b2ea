"""Every option of a run stands in every command, or the table says why not."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
from pathlib import Path

import pytest

from mlkit.cli.main import load_command
from mlkit.driver.options import NOT_OFFERED, OPTIONS, RunOptions, flag
from tests.cli.conftest import Call

COMMANDS = ["run", "plan", "resume", "sweep", "backfill", "serve", "export"]
NEW = """
    quiet: Annotated[bool, Spelling(words="Say nothing at all.")] = False
"""
"""A field, as somebody would add one."""


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("name", OPTIONS)
def test_an_option_is_offered_or_its_absence_explained(command: str, name: str, call: Call) -> None:
    """In the help with its words; where it is refused, the reason is given."""
    reason = NOT_OFFERED[command].get(name)
    said = call(command, "--help").out
    if reason is None:
        assert f"  {flag(name)} " in said
        assert OPTIONS[name].words.removesuffix(".") in " ".join(said.split())
        return
    assert f"  {flag(name)} " not in said
    refused = call(command, flag(name), "x")
    assert refused.code == 2
    assert reason in " ".join(refused.err.split())


def test_a_resumed_run_may_be_asked_for_less(call: Call) -> None:
    """Its own options hold unless others are given, so a flag can be taken back."""
    said = call("resume", "--help").out
    assert "--fail-fast / --no-fail-fast" in said
    assert "as in that run" in said


@pytest.mark.parametrize("name", NOT_OFFERED["run --on"])
def test_what_an_engine_does_not_heed_is_refused(name: str, call: Call, words: Path) -> None:
    """Before anything runs, with the reason."""
    if name in NOT_OFFERED["run"]:
        return
    value = [] if isinstance(getattr(RunOptions(), name), bool) else ["write"]
    spoken = call("run", words, "--on", "airflow", flag(name), *value, "--json")
    assert spoken.code == 2
    assert spoken.json()["error"]["message"] == (
        f"{flag(name)} does not go with --on: {NOT_OFFERED['run --on'][name]}"
    )


def test_a_new_option_is_one_field() -> None:
    """Commands, record, engines' tasks and Python take it from there."""
    import mlkit.driver.options as there

    code = f"""
import importlib.util, json, sys, types
import mlkit.driver
source = open({inspect.getsourcefile(there)!r}).read()
place = source.index("    def to_json")
module = types.ModuleType("mlkit.driver.options")
sys.modules["mlkit.driver.options"] = mlkit.driver.options = module
exec(compile(source[:place] + {NEW!r} + source[place:], "options.py", "exec"), module.__dict__)
from mlkit import RunOptions
from mlkit.cli.main import load_command
chosen = RunOptions(quiet=True)
helps = {{}}
for name in {COMMANDS!r}:
    command = load_command(name)
    helps[name] = command.get_help(command.context_class(command))
print(json.dumps({{
    "helps": helps,
    "record": chosen.to_json(),
    "again": RunOptions.of_record(chosen.to_json()).quiet,
    "task": chosen.to_words("task"),
    "python": RunOptions.__doc__,
}}))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    told = json.loads(done.stdout)
    for command, text in told["helps"].items():
        assert "--quiet" in text, command
        assert "Say nothing at all" in " ".join(text.split()), command
    assert told["record"]["quiet"] is True
    assert told["again"] is True
    assert told["task"] == ["--quiet"]
    assert "quiet : bool\n    Say nothing at all." in told["python"]


def test_a_command_keeps_its_name_and_words() -> None:
    """What the options are read from is the command itself."""
    for command in COMMANDS:
        assert load_command(command).name == command
        assert "given" not in {item.name for item in load_command(command).params}


@pytest.mark.kernel
def test_what_only_run_had_reaches_sweeps_too(call: Call, words: Path, tmp_path: Path) -> None:
    """The record of each run tells it, and resuming keeps or takes back."""
    base = ("--runs-dir", tmp_path, "--json")
    asked = ("--until", "write", "--verify", "--fail-fast", "--force")
    swept = call("sweep", words, "-p", "many=1,3", *asked, *base)
    assert swept.code == 0
    for run in swept.json()["runs"]:
        record = json.loads((tmp_path / run["run_id"] / "run.json").read_text())
        kept = {"until": "write", "verify": True, "fail_fast": True, "force": True}
        assert kept.items() <= record["options"].items()
        assert list(record["stages"]) == ["write"]
    again = call("resume", run["run_id"], words, "--force", "write", "--no-verify", *base)
    assert again.code == 0
    assert again.json()["stages"]["write"]["attempts"] == 2
