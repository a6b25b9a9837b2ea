"""Try an exercise before learners do: its format, its sentences, and every answer it was given.

The model has full marks, the stub none; each recorded right answer has full marks too, and each
wrong one is caught, with the sentence that it should be caught with. What needs no solution passes
no check. All of it is graded as a submission is, from a copy of nothing but what is declared.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from mlkit.errors import GradingError
from mlkit.grading.authoring.second_machine import hindrances
from mlkit.grading.authoring.shrugs import shrugs_at
from mlkit.grading.batch import Batch, grade_batch
from mlkit.grading.exercise.answered import hand_in
from mlkit.grading.exercise.generate import copy_data, with_reference_outputs
from mlkit.grading.exercise.roles import line_of_cell, read_notebook_file, role_ids
from mlkit.grading.exercise.source import Exercise, notebook_text, read_exercise
from mlkit.grading.exercise.words import Recorded, Words, words_file
from mlkit.inside.checks.check_facts import CheckSpec, is_guess, same, sentence_of
from mlkit.inside.checks.check_notebook import check_from_cell

__all__ = ["report", "shadowed", "solutions_in", "try_exercises"]


MODEL = Recorded(name="the model solution", kind="right")


@dataclass(kw_only=True)
class _Trial:
    """What is known of one exercise so far."""

    path: Path
    exercise: Exercise | None = None
    ids: Sequence[str] = ()
    problems: list[GradingError] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    cases: list[dict[str, Any]] = field(default_factory=list)
    ran: bool = False
    updated: bool = False

    @property
    def words(self) -> Words:
        """What stands beside the notebook."""
        known = self.exercise.words if self.exercise else None
        return known or Words(file=words_file(self.path))

    def fault(
        self,
        message: str,
        *,
        check: str = "",
        answer: Recorded | None = None,
        remedy: str | None = None,
    ) -> None:
        """Note a problem: where an answer stands, or a check's words, or else its cell."""
        file, line = self.path, None
        if answer is not None and answer is not MODEL:
            file, line = answer.file, answer.line
        elif check:
            if check in self.words.lines:
                file, line = self.words.file, self.words.lines[check]
            elif check in self.ids:
                line = line_of_cell(self.path, list(self.ids).index(check))
        self.problems.append(GradingError(message, file, line, remedy))

    def document(self) -> dict[str, Any]:
        """The part of `--json` about this exercise."""
        return {
            "name": self.path.stem,
            "title": self.exercise.title if self.exercise else "",
            "points": self.exercise.max_points if self.exercise else 0,
            "ok": not self.problems,
            "tried": self.ran,
            "updated": self.updated,
            "answers": self.cases,
            "problems": [
                {"message": p.message, "file": p.file, "line": p.line, "remedy": p.remedy}
                for p in self.problems
            ],
            "notes": self.notes,
        }


def solutions_in(folder: Path, names: Sequence[str] = ()) -> list[Path]:
    """The solution notebooks of a folder: those named, or all.

    Raises
    ------
    GradingError
        If there are none, or one of the names is none of theirs.
    """
    paths = {path.stem: path for path in sorted(folder.glob("*.ipynb"))}
    if not paths:
        raise GradingError(
            "there are no solution notebooks in this folder",
            folder,
            remedy="'mlkit exercise new NAME' begins one; --solutions DIR names another folder",
        )
    stems = [Path(name).stem if name.endswith(".ipynb") else name for name in names]
    for name in stems:
        if name not in paths:
            near = get_close_matches(name, paths, n=1)
            remedy = f"Did you mean {near[0]!r}?" if near else f"There are {', '.join(paths)}."
            raise GradingError(f"there is no exercise {name!r}", folder, remedy=remedy, code="E801")
    return [paths[name] for name in dict.fromkeys(stems)] or list(paths.values())


def try_exercises(
    folder: Path,
    names: Sequence[str] = (),
    *,
    update: bool = False,
    say: Callable[[str], None],
) -> dict[str, Any]:
    """Try exercises, and say everything that is wrong with them.

    Parameters
    ----------
    folder : Path
        The folder of solutions.
    names : sequence of str
        Which; by default all.
    update : bool
        Whether to write what the checks print now into the solutions, as what they should print.
    say : callable
        Told what is going on.

    Returns
    -------
    dict
        `{"solutions", "isolation", "ok", "exercises": [{"name", "title", "points", "ok", "tried",
        "updated", "answers", "problems", "notes"}]}`.

    Raises
    ------
    GradingError
        If an exercise is not there.
    """
    trials = [_Trial(path=path) for path in solutions_in(folder, names)]
    for trial in trials:
        _read(trial)
        if trial.exercise is not None and not trial.problems:
            say(f"{trial.path.stem}: running the solution")
            _run_solution(trial, update)
    _find_doubles(trials, folder)
    sound = [trial for trial in trials if not trial.problems]
    isolation = _try_answers(sound, say) if sound else None
    for trial in trials:
        trial.problems += _of_this_machine(trial)
    return {
        "solutions": str(folder),
        "isolation": isolation,
        "ok": all(not trial.problems for trial in trials),
        "exercises": [trial.document() for trial in trials],
    }


def _read(trial: _Trial) -> None:
    """Read a solution; what is wrong with its format becomes its problems."""
    try:
        trial.ids = role_ids(read_notebook_file(trial.path), trial.path)
        trial.exercise, faults = read_exercise(trial.path, with_folder=True)
    except GradingError as error:
        trial.problems.append(error)
        return
    trial.problems += faults
    for message, check, remedy in _faults_of_design(trial.exercise):
        trial.fault(message, check=check, remedy=remedy)


def _of_this_machine(trial: _Trial) -> list[GradingError]:
    if trial.exercise is None:
        return []
    return list(hindrances(trial.exercise, trial.path, trial.ids))


def _faults_of_design(exercise: Exercise) -> Iterator[tuple[str, str, str]]:
    """What an exercise may say, and should not: the fact, its cell, and the remedy."""
    covered = {name for check in exercise.checks if check.hidden for name in check.answers}
    for name in exercise.answers:
        if name not in covered:
            remedy = "What a visible check expects is there to be copied: add a check and the tag "
            remedy += "'hidden', with inputs of its own."
            yield f"no hidden check is about {name!r}", name, remedy
    for check in exercise.checks:
        if check.hidden:
            told = [check.title, check.otherwise, *map(sentence_of, check.misconceptions)]
            for name, value in check.expected.items():
                text = json.dumps(value, ensure_ascii=False)
                if len(text) > 6 and any(text in sentence for sentence in told):
                    yield (
                        f"a sentence of the hidden check {check.id!r} tells what {name!r} is",
                        check.id,
                        "Learners read it: say what is wrong, and not what would be right.",
                    )
        for first, second in shadowed(check):
            yield (
                f"of two sentences of {check.id!r} the second can never be read: "
                f"{first!r} fits wherever {second!r} does",
                check.id,
                "Put the one with more conditions first, or give it a fact that singles it out.",
            )


def shadowed(check: CheckSpec) -> Iterator[tuple[str, str]]:
    """Pairs of sentences of which the first is read wherever the second could be.

    Those with equal conditions are a fault of the format, which `load_exercise` tells.
    """
    for number, later in enumerate(check.misconceptions):
        for earlier in check.misconceptions[:number]:
            if _fits_wherever(earlier, later) and not _fits_wherever(later, earlier):
                yield sentence_of(earlier), sentence_of(later)
                break


def _fits_wherever(earlier: Mapping[str, Any], later: Mapping[str, Any]) -> bool:
    """Whether every result that fits one entry fits an earlier one; in doubt not."""
    if "NameError" in json.dumps([earlier, later]):
        return False  # such entries are looked at before all others
    if any(earlier.get(key) != later.get(key) for key in ("error", "timeout", "died")):
        return False
    for key in ("wrong", "right"):
        if not set(earlier.get(key, ())) <= set(later.get(key, ())):
            return False
    for key in ("when", "kinds"):
        if not earlier.get(key, {}).items() <= later.get(key, {}).items():
            return False
    # An entry with nothing but `wrong` fits only wrong values of the right kind.
    sure = earlier.get("when") or earlier.get("kinds") or not earlier.get("wrong")
    return bool(sure or not (later.get("when") or later.get("kinds")))


def _find_doubles(trials: Sequence[_Trial], folder: Path) -> None:
    """Checks of the same name in two exercises: `mlkit.check` finds one by its name alone."""
    owners: dict[str, list[str]] = {}
    for path in sorted(folder.glob("*.ipynb")):
        try:
            for check in read_exercise(path)[0].checks:
                owners.setdefault(check.id, []).append(path.stem)
        except GradingError:
            continue  # told of when that exercise is checked itself
    for trial in trials:
        for check in trial.exercise.checks if trial.exercise else ():
            others = [name for name in owners[check.id] if name != trial.path.stem]
            if others:
                message = f"the check {check.id!r} is also one of {', '.join(others)}"
                remedy = "mlkit.check finds a check by its name alone: give one another name."
                trial.fault(message, check=check.id, remedy=remedy)


def _run_solution(trial: _Trial, update: bool) -> None:  # noqa: FBT001 - private
    """Run a solution beside nothing but its data; compare what it prints, or store it."""
    assert trial.exercise is not None
    trial.ran = True
    try:
        notebook = with_reference_outputs(trial.path)
    except GradingError as error:
        trial.problems.append(error)
        return
    now = {
        name: check_from_cell(cell).expected
        for name, cell in zip(trial.ids, notebook["cells"], strict=True)
        if name.startswith("check-")
    }
    silent = [check.id for check in trial.exercise.checks if not now.get(check.id)]
    for name in silent:
        remedy = "End it with print(as_facts({…})), a name for each situation."
        trial.fault(f"the check {name!r} prints no facts", check=name, remedy=remedy)
    changed = [
        check.id
        for check in trial.exercise.checks
        if check.id not in silent and not same(now[check.id], dict(check.expected), check.tolerance)
    ]
    if changed and update:
        trial.path.write_text(notebook_text(notebook), encoding="utf-8")
        trial.exercise, faults = read_exercise(trial.path, with_folder=True)
        trial.problems += faults
        trial.updated = True
        return
    for check in trial.exercise.checks:
        if check.id in changed and not (check.accept and check.expected):
            stored = "another result than is stored" if check.expected else "what is not stored yet"
            remedy = f"If it is right: mlkit exercise check {trial.path.stem} --update stores it."
            message = f"the check {check.id!r} prints {stored}"
            trial.fault(message, check=check.id, remedy=remedy)


def _try_answers(trials: Sequence[_Trial], say: Callable[[str], None]) -> str:
    """Grade the model, the stub, shrugs and every recorded answer; say in what isolation."""
    with tempfile.TemporaryDirectory(prefix="mlkit-") as name:
        place = Path(name).resolve()
        solutions, handed_in = place / "solutions", place / "handed-in"
        known: dict[Path, tuple[_Trial, str, Recorded | None]] = {}
        for trial in trials:
            assert trial.exercise is not None
            copy_data(trial.exercise.data, solutions)
            for file in (trial.path, words_file(trial.path)):
                if file.is_file():
                    shutil.copyfile(file, solutions / file.name)
            for number, (kind, case) in enumerate(_cases(trial.exercise)):
                folder = handed_in / f"{trial.path.stem}-{kind}-{number:04}"
                known[hand_in(trial.exercise, case, folder)] = trial, kind, case
        batch = Batch(paths=[handed_in], solutions=solutions, trust=True)
        say(f"grading {len(known)} answers")
        document = grade_batch(batch)
        for submission in document["submissions"]:
            trial, kind, case = known[Path(submission["path"])]
            _judge(trial, kind, case, submission)
    for trial in trials:
        trial.notes += [*_unread(trial), *_guesses(trial)]
    return str(document["isolation"])


def _cases(exercise: Exercise) -> Iterator[tuple[str, Recorded | None]]:
    yield "model", MODEL
    yield "stub", None
    yield from (("shrug", case) for case in shrugs_at(exercise))
    recorded = exercise.words.recorded if exercise.words else ()
    yield from ((case.kind, case) for case in recorded)


def _judge(trial: _Trial, kind: str, case: Recorded | None, submission: Mapping[str, Any]) -> None:
    """Hold a grade against what it should be."""
    checks = {check["id"]: check for check in submission["checks"]}
    if kind == "shrug" and case is not None:
        _solves_nothing(trial, case, checks)
        return
    before = len(trial.problems)
    name = case.name if case is not None else "the stub"
    if submission["status"] == "ungradable":
        trial.fault(f"{name!r} cannot be graded: {'; '.join(submission['flags'])}", answer=case)
    elif case is None:
        if (submission["status"], submission["score"]) != ("not_attempted", 0):
            trial.fault(
                f"the untouched exercise has {submission['score']:g} points",
                remedy="What learners are given already answers a check.",
            )
    elif case.kind == "right":
        _full_marks(trial, case, checks)
    else:
        _caught(trial, case, checks[case.caught_by])
    trial.cases.append(
        {
            "kind": kind,
            "name": name,
            "score": submission["score"],
            "max": submission["max"],
            "ok": len(trial.problems) == before,
            "messages": {name: check["message"] for name, check in checks.items()},
        }
    )


def _solves_nothing(trial: _Trial, case: Recorded, checks: Mapping[str, Mapping[str, Any]]) -> None:
    for name, check in checks.items():
        if check["status"] == "passed":
            message = f"an answer that does nothing but {case.name} passes {name!r}"
            remedy = "Add an input on which that is wrong: the check tells it from no solution."
            trial.fault(message, check=name, remedy=remedy)


def _full_marks(trial: _Trial, case: Recorded, checks: Mapping[str, Mapping[str, Any]]) -> None:
    for name, check in checks.items():
        if check["status"] != "passed":
            remedy = "Either the answer is wrong, or the check asks for more than the task says."
            if case is MODEL:
                remedy = "It ran here, so it may need a file, a package or a time of this machine."
            message = f"{case.name} does not pass {name!r}: {check['message']}"
            trial.fault(message, check=name, answer=case, remedy=remedy)


def _caught(trial: _Trial, case: Recorded, check: Mapping[str, Any]) -> None:
    if check["status"] == "passed":
        remedy = "The check's inputs do not tell it from a right answer: add one that does."
        message = f"the wrong answer {case.name!r} passes {case.caught_by!r}"
        trial.fault(message, answer=case, remedy=remedy)
    elif case.says not in check["message"]:
        trial.fault(
            f"the wrong answer {case.name!r} should read {case.says!r}, and reads: "
            f"{check['message']}",
            answer=case,
            remedy="Give its sentence the fact that singles it out, and put it first.",
        )


def _unread(trial: _Trial) -> Iterator[str]:
    """Sentences that none of the recorded wrong answers leads to."""
    assert trial.exercise is not None
    read = [
        message
        for case in trial.cases
        if case["kind"] == "wrong"
        for message in case["messages"].values()
    ]
    told = Counter(
        sentence_of(entry)
        for check in trial.exercise.checks
        for entry in check.misconceptions
        if not any(sentence_of(entry) in message for message in read)
    )
    if not any(case.kind == "wrong" for case in trial.words.recorded):
        yield "no wrong answer is recorded to try the sentences on"
    else:
        yield from (f"no recorded wrong answer reads: {sentence}" for sentence in told)


def _guesses(trial: _Trial) -> Iterator[str]:
    """Sentences of hidden checks that name a cause which their facts do not single out."""
    assert trial.exercise is not None
    for check in trial.exercise.checks:
        for entry in check.misconceptions:
            if is_guess(check, entry):
                yield (
                    f"{check.id} guesses, and says so: {sentence_of(entry)} (give it a fact that "
                    "singles the mistake out, or write under `asks` what is asked there)"
                )


def report(document: Mapping[str, Any]) -> str:
    """What a trial has found, for people: a line an exercise, and below it what is wrong."""
    lines: list[str] = []
    for one in document["exercises"]:
        lines.append(f"{'✓' if one['ok'] else '✗'} {one['name']}  {_counted(one)}")
        if one["updated"]:
            lines.append("    stored what its checks print now")
        for problem in one["problems"]:
            place = f"{problem['file']}:{problem['line']}" if problem["line"] else problem["file"]
            lines.append(f"    {place}: {problem['message'].rstrip('.')}.")
            if problem["remedy"]:
                lines.append(f"        {problem['remedy']}")
        lines += [f"    note: {note}" for note in one["notes"]]
    if document["isolation"] == "limited":
        lines.append(
            "Tried without a sandbox (bubblewrap is not to be had here): a file of this machine "
            "that an answer reads is found by its name alone."
        )
    return "\n".join(lines)


def _counted(one: Mapping[str, Any]) -> str:
    """How many of an exercise's recorded answers got what they should."""
    if not one["answers"]:
        return "answers not tried"
    parts = [f"{one['points']:g} points"]
    for kind in ("right", "wrong"):
        cases = [case for case in one["answers"] if case["kind"] == kind]
        if cases:
            parts.append(f"{kind} answers {sum(case['ok'] for case in cases)} of {len(cases)}")
    return ", ".join(parts)
