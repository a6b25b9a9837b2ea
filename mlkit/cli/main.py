"""The command `mlkit`: finds the command's file, and turns errors into sentences."""

from __future__ import annotations

import contextlib
import gc
import importlib
import keyword
import os
import signal
import sys
import threading
from collections.abc import Iterator
from functools import partial
from typing import Any

# A command is short, and neither importing nor loading a pipeline of a thousand stages leaves
# garbage: looking through all of it takes a twentieth of the time.
gc.set_threshold(200_000, 20, 20)

import typer  # noqa: E402 - see above
from typer.core import TyperCommand, TyperGroup  # noqa: E402 - see above

from mlkit import __version__  # noqa: E402 - see above
from mlkit.cli import output  # noqa: E402 - see above
from mlkit.cli.outlets import hold_standard_files, steady_streams  # noqa: E402 - see above
from mlkit.cli.plain_command import PlainCommand  # noqa: E402 - see above
from mlkit.cli.shells import VARIABLE, know_shells  # noqa: E402 - see above
from mlkit.core.policies import FORMER_NAMES  # noqa: E402 - see above
from mlkit.errors import MlkitError, UsageError  # noqa: E402 - see above
from mlkit.store.refusals import sentence_of  # noqa: E402 - see above

__all__ = ["COMMANDS", "SECTIONS", "app", "main"]

SECTIONS = {
    "Begin": {
        "init": "Write a first pipeline of your own: two small notebooks that run at once.",
        "convert": "Convert notebooks into a pipeline: cut or taken whole, run and compared.",
        "add": "Add a stage: write its notebook, and wire it in pipeline.yaml.",
        "edit": "Work on a stage's source in JupyterLab, with its real inputs.",
        "doctor": "Check the installation, and say what to do about what is missing.",
    },
    "Run": {
        "run": "Run a pipeline: only what has changed runs, the rest is reused.",
        "plan": "Say what a run would do, and why; where each parameter comes from.",
        "graph": "Draw the pipeline's graph: which stage comes after which.",
        "resume": "Finish a run that was killed or has failed.",
        "sweep": "Run every combination of some parameters, and compare.",
        "backfill": "Run once for each interval of the schedule that has no successful run.",
        "serve": "Run on the pipeline's schedule, until Ctrl-C or SIGTERM.",
        "export": "Compile the pipeline to the files of an engine, such as Airflow.",
        "kernels": "List the kernels that are kept or ready, or end what is kept and what waits.",
    },
    "Look at runs": {
        "runs": "List the runs, the newest first, with parameters and metrics.",
        "show": "Show one run: how it ended, its stages and their outputs.",
        "compare": "Compare runs: parameters, code, artifacts, metrics.",
        "report": "Write a run's report: one HTML file that needs nothing else.",
        "debug": "Open a stage's notebook of a run in JupyterLab, inputs injected.",
    },
    "Keep and drop runs": {
        "label": "Name a run: the name is usable wherever RUN is, and keeps the run.",
        "unlabel": "Take a name from its run; the run stays, and may be cleaned again.",
        "promote": "Make a run latest: the one whose files notebooks opened by hand read.",
        "clean": "Remove old runs, and artifacts that no run or result refers to.",
    },
    "Learn and teach": {
        "learn": "Write mlkit's lessons and exercises into a folder of your own.",
        "check": "Run the checks of your exercises, as the notebooks are saved.",
        "exercises": "Say which exercises you have solved, tried, and not yet tried.",
        "exercise": "Write an exercise, try it, and hand it out without its solution.",
        "grade": "Grade exercise notebooks: grades.csv, grades.json, pages of feedback.",
        "class": "Collect what a class handed in, return grades, and learn from them.",
        "render": "Render lessons and exercises as a static site, executed.",
    },
    "Look up": {
        "explain": "Explain an error by its code: the cause, and what to do.",
        "schema": "Print the JSON Schema of pipeline.yaml, or of what mlkit writes.",
        "completion": "Print what lets a shell complete mlkit's words by Tab.",
        "notify": "Tell people how a stage of a run ended; an engine's callbacks call it.",
    },
}
"""What the help lists, section by section: each command with its line. The function of that name
stands in the file of that name, which is imported when the command is called; in a file with a
`group` it is several."""

COMMANDS = {name: line for section in SECTIONS.values() for name, line in section.items()}
"""Each command with its line in the help."""


class LazyGroup(TyperGroup):
    """A group that imports a command's file when it is needed, so that help is quick."""

    def __init__(self, **given: Any) -> None:
        names: Any = dict.fromkeys(COMMANDS)  # of which typer suggests one for a mistaken name
        super().__init__(**{**given, "commands": names})

    def list_commands(self, ctx: Any) -> list[str]:
        """The commands, section by section."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Import a command's file."""
        return load_command(cmd_name) if cmd_name in COMMANDS else None

    def format_help_text(self, ctx: Any, formatter: Any) -> None:
        """Write what mlkit is; lines of examples stay lines."""
        self.help = _unfolded(self.help)
        super().format_help_text(ctx, formatter)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the list of commands without importing any."""
        widest = max(map(len, COMMANDS))
        for title, section in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl([(name.ljust(widest), line) for name, line in section.items()])

    def shell_complete(self, ctx: Any, incomplete: str) -> Any:
        """Offer the commands without importing any."""
        listed: dict[str, Any] = {
            name: TyperCommand(name, help=line, short_help=line) for name, line in COMMANDS.items()
        }
        group = TyperGroup(commands=listed, params=self.params)
        return group.shell_complete(typer.Context(group, parent=ctx.parent), incomplete)


def load_command(name: str) -> Any:
    """Import a command's file and make its click command.

    A name that Python keeps for itself has an underscore behind it as a file's name.
    """
    module = importlib.import_module(f"mlkit.cli.{name}{'_' * keyword.iskeyword(name)}")
    several = getattr(module, "group", None)
    if several is not None:  # a word with commands of its own below it
        command = typer.main.get_command(several)
        command.name, command.help = name, _unfolded(command.help)
        for below in command.commands.values():  # type: ignore[attr-defined]  # a group has them
            below.help = _unfolded(below.help)
        return command
    single = typer.Typer(add_completion=False, rich_markup_mode=None)
    single.command(name, cls=PlainCommand)(getattr(module, name))
    command = typer.main.get_command(single)
    command.name = name
    command.help = _unfolded(command.help)
    return command


def _unfolded(text: str | None) -> str | None:
    r"""Make the two characters `\b` of a raw docstring the mark that keeps a paragraph's lines."""
    return None if text is None else text.replace(r"\b", "\b")


app = typer.Typer(
    cls=LazyGroup,
    add_completion=False,
    rich_markup_mode=None,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _why_not(error: Exception, path: str) -> str | None:
    """Say why a command has not an option of a run that others have."""
    # Only who has made a mistake waits for it: 30 ms.
    from mlkit.driver.options import NOT_OFFERED, flag

    command, asked = path.rpartition(" ")[2], getattr(error, "option_name", None)
    reasons = {flag(name): reason for name, reason in NOT_OFFERED.get(command, {}).items()}
    return f"'{path}' has none: {reasons[asked]}" if asked in reasons else None


def _without_command(error: Exception, context: Any) -> str | None:
    """Say that a group's command is missing, where an option of its commands stands alone."""
    asked, group = getattr(error, "option_name", None), getattr(context, "command", None)
    if asked != "--json" or not hasattr(group, "list_commands"):
        return None
    return f"'{context.command_path} COMMAND {asked}': which COMMAND is missing"


def _version(value: bool) -> None:  # noqa: FBT001 - typer calls it so
    if value:
        typer.echo(f"mlkit {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: bool = typer.Option(  # noqa: FBT001 - typer reads the signature
        False, "--version", callback=_version, is_eager=True, help="Print the version and exit."
    ),
    verbose: bool = typer.Option(  # noqa: FBT001 - typer reads the signature
        False, "--verbose", help="Show a traceback when something goes wrong inside mlkit."
    ),
) -> None:
    r"""Pipelines of notebooks: learn them, build them, run them.

    \b
    mlkit run            run the pipeline of this folder (or notebooks/flights)
    mlkit plan           what would run, and why
    mlkit COMMAND -h     what a command does, with examples
    """


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and leave with its exit code, whatever becomes of the output."""
    hold_standard_files()
    _have_a_home()
    if VARIABLE in os.environ:
        know_shells()
    given = list(sys.argv[1:] if arguments is None else arguments)
    with steady_streams(), _unwinding():
        code = _run(_with_force_values(_with_new_names(given)))
    sys.exit(code)


def _have_a_home() -> None:
    """Let a user that no list of users has live where containers let it live.

    Without `HOME` and without a line in /etc/passwd nobody has said where: Jupyter starts no kernel
    then. Docker and Kubernetes say `/`.
    """
    if os.path.expanduser("~") == "~":  # noqa: PTH111 - Path raises where there is no home
        os.environ["HOME"] = os.sep


@contextlib.contextmanager
def _unwinding() -> Iterator[None]:
    """Let SIGTERM and a terminal that closes end a command as Ctrl-C does.

    By themselves they end it where it stands: its temporary folders would stay, and what it has
    started. Who ignores one of them (`nohup`) goes on ignoring it; a run asks for more, meanwhile.
    """
    ends = [signal.SIGTERM, signal.SIGHUP]
    if threading.current_thread() is not threading.main_thread():
        ends.clear()
    ends = [number for number in ends if signal.getsignal(number) is signal.SIG_DFL]
    for number in ends:
        signal.signal(number, signal.default_int_handler)
    try:
        yield
    finally:
        for number in ends:
            signal.signal(number, signal.SIG_DFL)


def _with_new_names(arguments: list[str]) -> list[str]:
    """Take options by the names that they had: `--kernel` is `--start`."""
    out = []
    for word in arguments:
        name, equals, value = word.partition("=")
        new = FORMER_NAMES.get(name.removeprefix("--")) if name.startswith("--") else None
        out.append(word if new is None else f"--{new}{equals}{value}")
    return out


def _with_force_values(arguments: list[str]) -> list[str]:
    """Let `--force` stand without a stage: it then means all of them."""
    out = []
    for index, word in enumerate(arguments):
        out.append(word)
        if word == "--force":
            following = arguments[index + 1 : index + 2]
            if not following or following[0].startswith("-") or _is_pipeline(following[0]):
                out.append("*")
    return out


def _is_pipeline(word: str) -> bool:
    """Whether a word after `--force` is the pipeline, not a stage."""
    return word.endswith((".yaml", ".yml")) or os.sep in word or os.path.isdir(word)  # noqa: PTH112


def _is_named(place: str | None, arguments: list[str]) -> bool:
    """Whether a path that the system refuses stands on the command line: the mistake is there."""
    words = [word.partition("=")[2] if word.startswith("--") else word for word in arguments]
    full = map(os.path.abspath, map(os.path.expanduser, filter(None, words)))
    return place is not None and os.path.abspath(place) in full  # noqa: PTH100 - keeps links


def _command_of(arguments: list[str]) -> str:
    """The command that was called, for a mistake that does not know where it was made."""
    return " ".join(["mlkit", *[word for word in arguments if word in COMMANDS][:1]])


def _run(arguments: list[str]) -> int:
    fail = partial(output.fail, as_json="--json" in arguments)
    try:
        os.getcwd()  # noqa: PTH109 - this fails, and Path needs an import
    except OSError:
        gone = "the folder that you are in has been removed, or may not be read"
        fail(UsageError(gone, remedy="Go to another folder"))
    try:
        code = app(arguments, prog_name="mlkit", standalone_mode=False)
        return int(code or 0)
    except MlkitError as error:
        fail(error)
    except KeyboardInterrupt:
        return 130
    except OSError as error:
        if "--verbose" in arguments:
            raise
        fact, place, remedy = sentence_of(error)
        if _is_named(place, arguments):
            fail(UsageError(fact, place, remedy="Name another one"))
        fail(MlkitError(fact, place, remedy=remedy, code="E900"), exit_code=1)
    except Exception as error:
        show = getattr(error, "format_message", None)
        if type(error).__name__ == "NoArgsIsHelpError" and show is not None:
            output.say(show())  # it is the help
            return 2
        if show is not None:
            context = getattr(error, "ctx", None)
            path = context.command_path if context is not None else _command_of(arguments)
            helps = _why_not(error, path) or f"'{path} --help' lists what there is"
            fact = show().replace("a valid int range", "a whole number")  # typer's name for it
            fact = _without_command(error, context) or fact
            fail(UsageError(fact, remedy=helps))
        if type(error).__name__ in ("Abort", "Exit"):
            return int(getattr(error, "exit_code", 130))
        if "--verbose" in arguments:
            raise
        wrong = MlkitError(
            f"something went wrong inside mlkit: {type(error).__name__}: {error}",
            remedy="For the traceback call 'mlkit --verbose COMMAND …'; please report it",
            code="E901",
        )
        fail(wrong, exit_code=1)
