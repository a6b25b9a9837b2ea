"""The command line as a whole: help, errors, exit codes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from mlkit.cli.main import COMMANDS, load_command
from mlkit.testing import chain, run_fake
from tests.cli.conftest import Call

BELOW = [
    *("exercise new", "exercise check", "exercise release"),
    *("class collect", "class return", "class written", "class stats", "class quiz"),
]
"""Commands below a word that is one of COMMANDS."""
HEAVY = "pandas sklearn papermill mlflow nbformat nbclient matplotlib jupyter_client zmq rich"


@pytest.mark.parametrize("name", [*COMMANDS, *BELOW])
def test_every_command_has_help_and_json(name: str, call: Call) -> None:
    """Each command says what it does, and takes --json."""
    spoken = call(*name.split(), "--help")
    assert spoken.code == 0
    assert f"mlkit {name}" in spoken.out
    assert "--json" in spoken.out
    assert name in BELOW or (load_command(name).help or "").strip()


@pytest.mark.parametrize("name", COMMANDS)
def test_the_list_of_commands_says_what_a_command_says(name: str) -> None:
    """Help lists commands without importing them, in the words with which each begins its own."""
    first = (load_command(name).help or "").partition("\n\n")[0]
    assert COMMANDS[name] == " ".join(first.split())


def test_an_unknown_command_is_named_with_a_remedy(call: Call) -> None:
    """A typing error ends with exit code 2 and a way out."""
    spoken = call("rnu")
    assert spoken.code == 2
    assert "No such command 'rnu'" in spoken.err
    assert "mlkit --help" in spoken.err
    assert "Traceback" not in spoken.err


@pytest.mark.parametrize("words", [("runs", "--sort"), ("run", "-p"), ("show", "--runs-dir")])
def test_an_option_without_its_value_leads_to_the_commands_help(
    words: tuple[str, ...], call: Call
) -> None:
    """Not to that of all commands."""
    spoken = call(*words)
    assert f"'mlkit {words[0]} --help' lists what there is" in spoken.err


def test_an_error_with_json_is_one_document(call: Call, tmp_path: Path) -> None:
    """With --json an error stands on stdout as one document, and for people on stderr."""
    spoken = call("plan", tmp_path / "nothing", "--json")
    assert spoken.code == 2
    error = spoken.json()["error"]
    assert error["message"] == "there is no such pipeline"
    assert error["file"].endswith("nothing")
    assert error["line"] is None
    assert "pipeline.yaml" in error["remedy"]
    assert "there is no such pipeline" in spoken.err


@pytest.mark.parametrize("words", [["exercise"], ["class"], []])
def test_json_without_a_command_says_that_the_command_is_missing(
    call: Call, words: list[str]
) -> None:
    """And not that there is no such option, which each of the commands has."""
    called = call(*words, "--json")
    message = called.json()["error"]["message"]
    assert message == f"'{' '.join(['mlkit', *words])} COMMAND --json': which COMMAND is missing"


def test_the_version_is_the_packages(call: Call) -> None:
    """`--version` prints the version."""
    from mlkit import __version__

    assert call("--version").out == f"mlkit {__version__}\n"


@pytest.mark.parametrize("words", [["--help"], ["plan", "{words}"]])
def test_nothing_heavy_is_imported_for_help_and_plan(words: list[str], words_folder: Path) -> None:
    """Help and plan start without the libraries of notebooks."""
    given = [word.replace("{words}", str(words_folder)) for word in words]
    code = (
        "import sys\n"
        "from mlkit.cli.main import main\n"
        "try:\n"
        f"    main({given!r})\n"
        "except SystemExit:\n"
        f"    print('HEAVY', sorted(set({HEAVY!r}.split()) & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.splitlines()[-1] == "HEAVY []"


@pytest.mark.parametrize("name", ["run", "plan", "resume", "sweep", "backfill", "serve", "export"])
def test_a_commands_help_loads_no_driver(name: str) -> None:
    """What a command calls is imported when it is called; its options are all that help needs."""
    code = (
        "import sys\n"
        "from mlkit.cli.main import load_command\n"
        f"load_command({name!r})\n"
        "heavy = 'mlkit.driver.start mlkit.notebook.execute mlkit.store.database'.split()\n"
        "print(sorted(set(heavy) & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize("words", [["show", "latest"], ["runs"]])
def test_looking_at_runs_loads_no_driver(tmp_path: Path, words: list[str]) -> None:
    """What runs stages takes as long to import as all that shows them."""
    file = chain(tmp_path, 1)
    run_fake(file)
    code = (
        "import sys\n"
        "from mlkit.cli.main import main\n"
        "try:\n"
        f"    main({[*words, str(file)]!r})\n"
        "except SystemExit as end:\n"
        "    assert not end.code, end.code\n"
        "heavy = 'mlkit.driver.start mlkit.driver.loop mlkit.api.sweeping'.split()\n"
        "print(sorted(set(heavy) & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.fixture(name="words_folder")
def _words_folder(words: Path) -> Path:
    return words


def test_the_package_can_be_called_as_a_module() -> None:
    """`python -m mlkit` is the command line."""
    done = subprocess.run(
        [sys.executable, "-m", "mlkit", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("mlkit ")


def test_an_option_is_known_by_its_former_name(call: Call, words: Path) -> None:
    """`--kernel` is `--start`; help names the present one alone."""
    for given in (["--kernel", "thread"], ["--kernel=thread"], ["--start", "thread"]):
        spoken = call("run", words, *given)
        assert spoken.code == 2
        assert "'thread' is not one of 'fork', 'spawn'" in spoken.err
    assert "--start" in call("run", "--help").out
    assert "--kernel" not in call("run", "--help").out


@pytest.mark.parametrize("name", ["", *COMMANDS, *BELOW])
def test_help_fits_into_the_terminal_and_shows_how(name: str, call: Call) -> None:
    """Each command has an example, and no line is wider than a terminal."""
    spoken = call(*name.split(), "--help")
    assert max(map(len, spoken.out.splitlines())) <= 80
    assert "As for run" not in spoken.out
    assert not name or "  Examples\n    mlkit " in spoken.out
