"""Every kind of error, by its code: what it means, why it comes, and what helps.

Errors of one kind have one cause and one remedy, wherever in mlkit they are raised. A class of
errors names the code that holds for most of them (`usual_code`); where an error is of a kind of its
own, it is raised with `code=`. A code never changes its meaning, and is never used again.
"""

from __future__ import annotations

from collections.abc import Iterable

from mlkit.core.suggesting import did_you_mean
from mlkit.frozen import dataclass

__all__ = ["ERROR_KINDS", "GROUPS", "ErrorKind", "UnknownCodeError", "find_kind", "page_of"]


@dataclass(frozen=True, kw_only=True)
class ErrorKind:
    """One kind of error.

    Parameters
    ----------
    code : str
        `E` and three digits.
    title : str
        What is wrong, in a few words.
    cause : str
        Why it comes.
    remedy : str
        What one can do.
    name : str, optional
        The word that stands for it in records: the type of a stage's error.
    """

    code: str
    title: str
    cause: str
    remedy: str
    name: str | None = None


GROUPS = {
    "E1": "What a command was given",
    "E2": "pipeline.yaml",
    "E3": "Notebooks",
    "E4": "Parameters and variables",
    "E5": "Runs and stores",
    "E6": "Running",
    "E7": "Optional packages and engines",
    "E8": "Exercises and grading",
    "E9": "mlkit and its surroundings",
}
"""The first two signs of a code, and what such codes are about."""


class UnknownCodeError(LookupError):
    """No error has that code or name.

    Parameters
    ----------
    word : str
        What was asked for.
    """

    def __init__(self, word: str) -> None:
        super().__init__(f"no error has the code or name '{word}'")
        known = [*ERROR_KINDS, *(kind.name for kind in ERROR_KINDS.values() if kind.name)]
        near = did_you_mean(word, known)
        self.remedy = near or f"Codes go from {min(ERROR_KINDS)} to {max(ERROR_KINDS)}"


def _kinds(kinds: Iterable[ErrorKind]) -> dict[str, ErrorKind]:
    return {kind.code: kind for kind in kinds}


ERROR_KINDS = _kinds(
    (
        ErrorKind(
            code="E100",
            title="The command was given something that it cannot use",
            cause="An option, an argument or a value does not exist, or does not fit the command.",
            remedy="Read the sentence: it names the word. `mlkit COMMAND --help` lists what there "
            "is, with examples.",
        ),
        ErrorKind(
            code="E101",
            title="There is nothing of that name",
            cause="A stage, an engine, an executor, a page or another thing was named that does "
            "not exist: a slip of the pen, most often, or the wrong pipeline.",
            remedy="The remedy names what comes nearest. `mlkit graph` shows the stages, `mlkit "
            "show RUN` those of a run.",
        ),
        ErrorKind(
            code="E102",
            title="Options do not go together",
            cause="Two options exclude each other, or one has a meaning only beside another.",
            remedy="Leave one of them away, or give the one that is named as well.",
        ),
        ErrorKind(
            code="E103",
            title="It is in use",
            cause="The run is alive, the runs folder or store is being cleaned, or the pipeline is "
            "served already: two processes must not do that at once.",
            remedy="Wait until the other one has ended, or stop it. A run whose process is gone is "
            "never taken for alive; one on another machine is, until its last sign is old.",
        ),
        ErrorKind(
            code="E104",
            title="What comes before has no result",
            cause="One stage was asked for by itself (`--only`), and a stage that it reads from "
            "has no result that can be reused.",
            remedy="Run what comes before, too: `mlkit run --until STAGE`.",
        ),
        ErrorKind(
            code="E105",
            title="The place is taken, or cannot be written",
            cause="Something would be written where other things are, where no folder can be, or "
            "where you have no right to write. Nothing there was changed.",
            remedy="Name another place, or empty that one.",
        ),
        ErrorKind(
            code="E106",
            title="A date or a schedule is not understood",
            cause="A date is not in ISO form, a span is empty or too long, a schedule is neither "
            "cron nor `every SPAN`, or the pipeline has none.",
            remedy='Write dates as 2013-01-01 or 2013-01-01T06:00, schedules as "0 2 * * *" or '
            "every 6h.",
        ),
        ErrorKind(
            code="E107",
            title="The cluster cannot be used",
            cause="No Dask scheduler answers, it has no worker, or a worker does not see the same "
            "folders or has another environment.",
            remedy="Start scheduler and workers, with the same environment and a runs folder that "
            "they share, or give a store.",
        ),
        ErrorKind(
            code="E200",
            title="pipeline.yaml is invalid",
            cause="Something in the file, or the way in which its stages fit together, breaks a "
            "rule.",
            remedy="Correct the line that is named. The reference lists every key with an example.",
        ),
        ErrorKind(
            code="E201",
            title="A key is unknown",
            cause="The file has a key that means nothing in that place: a slip, or a key of "
            "another section.",
            remedy="Take the name that is suggested. Keys of your own begin with `x-`.",
        ),
        ErrorKind(
            code="E202",
            title="A value is of the wrong type",
            cause="A text stands where a number, a list or a mapping belongs, or the other way "
            "round, or the number is out of its range.",
            remedy="The reference says what the key takes. A text that looks like a number needs "
            "quotes.",
        ),
        ErrorKind(
            code="E203",
            title="Something is missing",
            cause="A key that must be there is not: the pipeline's name, its stages, a stage's "
            "notebook, a sensor's path.",
            remedy="Add it, as the remedy shows.",
        ),
        ErrorKind(
            code="E204",
            title="The YAML cannot be read",
            cause="A bracket or a quote is not closed, a colon or a bracket is used in a text "
            "without quotes, a key stands twice, or it is nested without end.",
            remedy="Correct the line; where braces broke it, the remedy shows the line as it "
            "should be.",
        ),
        ErrorKind(
            code="E205",
            title="A reference leads nowhere",
            cause="`inputs`, `after`, `when` or `foreach` names a stage, an output, a value or a "
            "parameter that does not exist, or is not written as a reference.",
            remedy="Write STAGE.OUTPUT, STAGE[VALUE].OUTPUT or file:PATH, with names of this file.",
        ),
        ErrorKind(
            code="E206",
            title="The stages form a cycle",
            cause="Each of the stages named waits for the next, and the last for the first.",
            remedy="Take one of these edges away, or split the stage that does two things.",
        ),
        ErrorKind(
            code="E207",
            title="A stage's notebook is not there",
            cause="The path under `notebook` names no file. It is relative to pipeline.yaml.",
            remedy="Correct the path; what comes nearest is suggested.",
        ),
        ErrorKind(
            code="E208",
            title="pipeline.yaml and the notebook do not agree",
            cause="The file names a parameter, an input or an output that the notebook's cell "
            "tagged `parameters` does not declare, or declares as another type.",
            remedy="Declare it in that cell, with a literal default, or correct the file.",
        ),
        ErrorKind(
            code="E209",
            title="An output cannot be called so",
            cause="Its file leaves the stage's folder, lies where mlkit works itself, or is shared "
            "with another output.",
            remedy="Choose a plain name within the stage's folder. `/` at the end means a folder, "
            "`?` what may be missing, `@notebook.ipynb` the executed notebook.",
        ),
        ErrorKind(
            code="E210",
            title="A stage cannot map over that",
            cause="The list under `foreach` holds a value twice or one that is no scalar, is no "
            "list, or is too long.",
            remedy="Write each value once; for combinations map over several parameters.",
        ),
        ErrorKind(
            code="E211",
            title="A file from outside is not there",
            cause="`file:PATH` under `inputs` names nothing, or a folder where a file is meant.",
            remedy="Correct the path, which is relative to pipeline.yaml; `file:PATH/` takes a "
            "folder. For a file that comes later the stage needs `wait_for`.",
        ),
        ErrorKind(
            code="E212",
            title="There is no such pipeline",
            cause="The place that was named, or the folder worked in, holds no pipeline.yaml.",
            remedy="Name the file or its folder; `mlkit init DIR` writes a first one.",
        ),
        ErrorKind(
            code="E213",
            title="There is no such profile",
            cause="`--profile` or `MLKIT_PROFILE` names a profile that the file does not have.",
            remedy="Take one of those under `profiles`; `--profile ''` means none.",
        ),
        ErrorKind(
            code="E214",
            title="An environment variable cannot be set so",
            cause="A name under `env` is none, belongs to mlkit or Jupyter, has no single text as "
            "its value, or is a secret whose value is in the file.",
            remedy="Write NAME: text. A secret is taken from outside: NAME: ${NAME}.",
        ),
        ErrorKind(
            code="E215",
            title="An input from another run is not there",
            cause="An input is `run:NAME/STAGE.OUTPUT`, and no run has that name or id, its stage "
            "did not end well, it has not written that output, its file is gone, or the notebook "
            "declares another type than what arrives.",
            remedy="The line in pipeline.yaml is named. `mlkit runs` lists runs and their names, "
            "`mlkit show NAME` what one has made. A stage that can do without declares "
            "`str | None`: where nothing is latest yet, it receives None.",
        ),
        ErrorKind(
            code="E300",
            title="A notebook breaks the contract of stages",
            cause="The notebook cannot be used as a stage.",
            remedy="Open it in JupyterLab, correct it, and save it.",
        ),
        ErrorKind(
            code="E301",
            title="A notebook cannot be read",
            cause="It is empty, is no JSON, is of an old format, or is broken inside.",
            remedy="Open and save it in JupyterLab, or take an earlier version from git.",
        ),
        ErrorKind(
            code="E302",
            title="The parameters cell is not understood",
            cause="In the cell tagged `parameters` only literal defaults can stand: NAME = VALUE, "
            "or NAME: TYPE = VALUE, each once, in one cell.",
            remedy="Move whatever is computed into a cell below it.",
        ),
        ErrorKind(
            code="E303",
            title="There is no such kernel",
            cause="The notebook or `kernel` names a Jupyter kernel that is not installed here, or "
            "the language has none.",
            remedy="`jupyter kernelspec list` shows what is there; `python -m ipykernel install "
            "--user --name NAME` makes one of an environment.",
        ),
        ErrorKind(
            code="E400",
            title="A value cannot be used",
            cause="A parameter, a file of parameters or a variable holds something that does not "
            "fit.",
            remedy="`mlkit plan` shows every parameter, its value, and where it came from.",
        ),
        ErrorKind(
            code="E401",
            title="No parameter is called so",
            cause="A value was given to a name that neither pipeline.yaml nor a notebook declares.",
            remedy="Take the name that is suggested; STAGE.NAME reaches one stage only.",
        ),
        ErrorKind(
            code="E402",
            title="A value is not of the type that the notebook declares",
            cause="The notebook's annotation, or its default, says what a parameter is: an int "
            "is taken for a float, a bool never for an int.",
            remedy="Give a value of that type, or change the annotation. Texts are taken as they "
            "stand where `str` is declared.",
        ),
        ErrorKind(
            code="E403",
            title="An environment variable is not set",
            cause="`${NAME}` in pipeline.yaml is filled in when a run begins, and nothing of that "
            "name is in the environment.",
            remedy="export NAME=…, or name a file that holds it: --env-file FILE.",
        ),
        ErrorKind(
            code="E404",
            title="A secret would be seen",
            cause="A variable that is a secret by its name reaches a place that records show.",
            remedy="Declare the parameter as mlkit.Secret in the notebook, or give the variable "
            "another name if it is none.",
        ),
        ErrorKind(
            code="E405",
            title="A secret is too short to be hidden",
            cause="Values of secrets are taken out of all that is written, wherever they stand; "
            "one of a few signs would stand everywhere.",
            remedy="Use one of at least six signs.",
        ),
        ErrorKind(
            code="E406",
            title="A file of parameters or variables cannot be read",
            cause="The file named by -f or --env-file is not there, or a line of it is not "
            "understood.",
            remedy="-f takes YAML of names and values, --env-file lines NAME=value.",
        ),
        ErrorKind(
            code="E407",
            title="-p is not understood",
            cause="The option wants NAME=VALUE, the value as YAML.",
            remedy="-p rows=5000, -p 'months=[1, 2]', -p train.depth=3.",
        ),
        ErrorKind(
            code="E500",
            title="The runs folder cannot be used",
            cause="It cannot be written or read, its database is damaged or was written by a newer "
            "mlkit, or a limit of the system is reached.",
            remedy="Look at rights, space and limits; --runs-dir DIR names another folder.",
        ),
        ErrorKind(
            code="E501",
            title="The store cannot be reached",
            cause="The address behind --store or --runs-dir does not answer, refuses, or lacks "
            "what was asked for.",
            remedy="Look at the address and at your credentials; what was computed stays in the "
            "local runs folder.",
        ),
        ErrorKind(
            code="E502",
            title="There is no such run",
            cause="No run in this runs folder has that id or beginning, or several have it, or "
            "none has succeeded yet (`latest`).",
            remedy="`mlkit runs` lists the runs of the folder.",
        ),
        ErrorKind(
            code="E503",
            title="A run cannot have that name",
            cause="The name is that of another run, reads as the id of one, means something else "
            "(latest, store, …), or holds signs that a name of a run may not have.",
            remedy="Choose another name of letters, digits and . _ - +; or move it: `mlkit label "
            "RUN NAME --move`.",
        ),
        ErrorKind(
            code="E504",
            title="That run cannot be latest",
            cause="`mlkit promote` was asked for a run that failed or was stopped, or that ran a "
            "part of the pipeline: notebooks opened by hand read every stage's files of latest.",
            remedy="Finish the run (`mlkit resume RUN`), or make a whole one with the same values.",
        ),
        ErrorKind(
            code="E600",
            title="It could not be carried through",
            cause="A program that does the work (a kernel, Sphinx, a browser, a worker) ended "
            "otherwise than it should.",
            remedy="The message holds what it said last.",
        ),
        ErrorKind(
            code="E610",
            name="StageTimeout",
            title="An attempt took longer than its timeout",
            cause="The stage's `timeout` is for the whole attempt. The kernel was interrupted, "
            "then ended. It is a TimeoutError to `retry.on`.",
            remedy="Give it more time, fewer data, or find the slow cell in the executed notebook.",
        ),
        ErrorKind(
            code="E611",
            name="DeadKernel",
            title="The kernel died",
            cause="The process ended by itself: out of memory, a fault in native code, os._exit.",
            remedy="The attempt's log.txt holds its last words, and `mlkit show RUN` how much "
            "memory it took.",
        ),
        ErrorKind(
            code="E612",
            name="MissingOutput",
            title="A declared output was not written",
            cause="The notebook ran to its end and left no file under one of its outputs' paths, "
            "or an empty folder.",
            remedy="Write to the path that the parameter holds, not to a name of your own. A name "
            "that ends with `?` in pipeline.yaml may be missing.",
        ),
        ErrorKind(
            code="E613",
            name="MissingInput",
            title="An input is not there",
            cause="A file that was there when the run began is gone, or changed while it was read.",
            remedy="See who else writes there, and run again.",
        ),
        ErrorKind(
            code="E614",
            name="SystemExit",
            title="The notebook called sys.exit",
            cause="A stage that leaves early has not done its work, whatever the exit code.",
            remedy='To end a stage early as skipped, call mlkit.skip("why").',
        ),
        ErrorKind(
            code="E615",
            name="DependsOnPast",
            title="The stage had no success in the interval before",
            cause="It says `depends_on_past: true`, and ended otherwise, or not at all, in the run "
            "of the interval of the schedule before.",
            remedy="Complete that run first, by 'mlkit resume' or 'mlkit backfill', and then "
            "resume this one.",
        ),
        ErrorKind(
            code="E700",
            title="An optional package is not installed",
            cause="What was asked for needs a library that mlkit does not install by itself.",
            remedy="Install the extra that is named.",
        ),
        ErrorKind(
            code="E710",
            title="An engine cannot be used",
            cause="The engine's environment is not there, or the engine did not start or compile.",
            remedy="`mlkit doctor` says which engines are there; `make engines ENGINES=NAME` sets "
            "one up in a checkout.",
        ),
        ErrorKind(
            code="E711",
            title="An engine cannot express that",
            cause="The pipeline asks for something that the engine has not. It is refused, never "
            "dropped in silence.",
            remedy="The page on engines shows what each can do; the message names the stage.",
        ),
        ErrorKind(
            code="E800",
            title="Grading cannot go on",
            cause="An exercise, a submission or the grader's surroundings cannot be used.",
            remedy="The message names the file and what is wrong with it.",
        ),
        ErrorKind(
            code="E801",
            title="There is no such exercise",
            cause="The word names no exercise of this folder, or nobody has handed one in.",
            remedy="`mlkit exercises` lists them; --solutions DIR says where solutions are.",
        ),
        ErrorKind(
            code="E802",
            title="A file cannot be read as a notebook",
            cause="It is empty, too large, a link, no JSON, or of another format.",
            remedy="Open and save it in JupyterLab. A submission that is broken gets its own page.",
        ),
        ErrorKind(
            code="E803",
            title="A check has no reference output",
            cause="The solution was not executed since the check was written, so that every "
            "answer would fail.",
            remedy="Run `mlkit exercise check NAME`, which executes the solution.",
        ),
        ErrorKind(
            code="E804",
            title="A table cannot be read",
            cause="A roster, a list of times or a table of grades is no CSV in UTF-8, or lacks "
            "a column.",
            remedy="Save it as CSV in UTF-8, its titles in the first line.",
        ),
        ErrorKind(
            code="E805",
            title="The sandbox cannot be used",
            cause="Other people's notebooks run in bubblewrap only, and it is missing or may not "
            "make its walls here.",
            remedy="Install bubblewrap; --trust is for code that you would run yourself.",
        ),
        ErrorKind(
            code="E806",
            title="Files are there that mlkit has not written",
            cause="A folder that would be filled holds other things. Nothing was changed.",
            remedy="Name another folder.",
        ),
        ErrorKind(
            code="E807",
            title="A rule for what is late is not understood",
            cause="A time, a time zone, a grace or a deduction is not written in a form that is "
            "known.",
            remedy="Write 2026-10-01T23:59, Europe/Berlin, 10m, '10% per day'.",
        ),
        ErrorKind(
            code="E900",
            title="The system refuses",
            cause="A file cannot be read or written, the disk is full, or a limit is reached.",
            remedy="The message names the file and what the system says.",
        ),
        ErrorKind(
            code="E901",
            title="Something went wrong inside mlkit",
            cause="A fault of mlkit, not of yours.",
            remedy="Call `mlkit --verbose COMMAND …` for the traceback, and report it.",
        ),
    )
)
"""All kinds by code."""


def find_kind(word: str) -> ErrorKind:
    """Give a kind by its code (`E612`, `e612`) or by its name in records (`MissingOutput`).

    Parameters
    ----------
    word : str
        The code or the name.

    Raises
    ------
    UnknownCodeError
        If there is none.
    """
    found = ERROR_KINDS.get(word.strip("[] ").upper())
    if found is not None:
        return found
    for kind in ERROR_KINDS.values():
        if kind.name is not None and kind.name.lower() == word.lower():
            return kind
    raise UnknownCodeError(word)


def page_of(kind: ErrorKind) -> str:
    """Write a kind's page, as Markdown that a terminal shows as it is.

    Parameters
    ----------
    kind : ErrorKind
        The kind.
    """
    title = f"{kind.code} {kind.name}: {kind.title}" if kind.name else f"{kind.code}: {kind.title}"
    return f"{title}\n\n{kind.cause}\n\nWhat to do: {kind.remedy}"
