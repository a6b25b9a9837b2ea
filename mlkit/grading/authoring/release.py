"""What learners are given: exercises without their solutions, with all that these need."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from mlkit.errors import DISTRIBUTION, GradingError
from mlkit.grading.authoring.trying import solutions_in
from mlkit.grading.exercise.handout import Handout, Written, read_record, write_folder, write_zip
from mlkit.grading.exercise.kit import kit_contents
from mlkit.grading.exercise.roles import read_notebook_file
from mlkit.grading.exercise.source import (
    GIVEN,
    Exercise,
    exercise_notebook,
    load_exercise,
    notebook_text,
)

__all__ = ["learners_kit", "opened_notebook", "release"]

Files = dict[str, bytes]
IGNORED = ".ipynb_checkpoints/\n__pycache__/\n.venv/\nruns/\nscratch/\n"
TEMPLATE = Path(__file__).with_name("template")
CLASS_MORE = """\
Further checks are run when your work is graded. The folder `.mlkit/` holds the exercises as you
were given them: leave it there. To hand in, give the notebooks in `exercises/`, under their names.
"""
PAGES = ("docs/open-project.md", "docs/instructor/open-project.md")
"""Pages of the documentation to which lessons lead; hatch_build.py puts them into the wheel."""
KIT_MORE = """\
Begin with `notebooks/00-start-here.ipynb`: it leads through the lessons, each with its exercise.
"""


def release(
    solutions: Path,
    to: Path,
    names: Sequence[str] = (),
    *,
    form: str = "folder",
    opened: Sequence[str] = (),
    title: str = "Exercises",
) -> dict[str, Any]:
    """Hand exercises out.

    Parameters
    ----------
    solutions : Path
        The folder of solutions.
    to : Path
        The folder, or the zip.
    names : sequence of str
        Which exercises; by default all. Those that the folder holds already stay.
    form : str
        `folder`, `zip` or `git`.
    opened : sequence of str
        Exercises whose model answers learners may see from now on.
    title : str
        The heading of the README.

    Returns
    -------
    dict
        `{"to", "form", "exercises", "opened", "new", "changed"}`.

    Raises
    ------
    GradingError
        If an exercise is not there or breaks the format, or something else stands in the way; then
        nothing is written.
    """
    target = _target(solutions, to, form)
    earlier = read_record(target) if form != "zip" else {}
    shown = {path.stem for path in solutions_in(solutions, opened)} if opened else set()
    wanted = {path.stem for path in solutions_in(solutions, names)} | shown
    exercises = [_ready(path) for path in solutions_in(solutions, sorted(wanted))]
    listed = {**earlier.get("exercises", {}), **{one.name: _row(one) for one in exercises}}
    packages = {*earlier.get("packages", ())}
    packages |= {name for one in exercises for name in (one.words.packages if one.words else ())}
    all_open = {*earlier.get("opened", ()), *shown}
    files = _exercise_files(exercises)
    for one in exercises:
        if one.name in all_open:
            files[f"solutions/{one.name}.ipynb"] = opened_notebook(one)
    count = f"{len(listed)} exercise{'s' if len(listed) != 1 else ''}"
    what = f"{count} in notebooks, which check themselves."
    readme = _own_readme(solutions) or _readme(title, what, CLASS_MORE, listed)
    files |= _around(readme, [DISTRIBUTION, *sorted(packages)])
    about = {"opened": sorted(all_open), "packages": sorted(packages), "exercises": listed}
    handout = Handout(files=files, about=about)
    if form == "zip":
        done = write_zip(handout, target)
    else:
        done = write_folder(handout, target, git=form == "git")
    return {**_document(done, form), "exercises": sorted(listed), "opened": about["opened"]}


def learners_kit(to: Path) -> dict[str, Any]:
    """Write mlkit's own lessons and exercises, without solutions, into a folder.

    What its owner has changed there is left alone.

    Raises
    ------
    GradingError
        If something else stands there.
    """
    kit = kit_contents()
    files: Files = {}
    listed: dict[str, Any] = {}
    for path in sorted((kit / "exercises").glob("*.ipynb")):
        content = path.read_bytes()
        files[f"exercises/{path.name}"] = files[f"{GIVEN.as_posix()}/{path.name}"] = content
        listed[path.stem] = _row_of_given(path)
    for path in sorted((kit / "notebooks").rglob("*")):
        inner = path.relative_to(kit)
        if path.is_file() and _is_handed_out(inner):
            files[inner.as_posix()] = path.read_bytes()
    what = "Lessons and exercises on machine-learning pipelines, made with mlkit."
    files |= {page: (kit / page).read_bytes() for page in PAGES if (kit / page).is_file()}
    text = _readme("Pipelines of notebooks", what, KIT_MORE, listed)
    files |= _around(text, [f"{DISTRIBUTION}[flights]"])
    handout = Handout(files=files, about={"exercises": listed, "opened": []})
    done = write_folder(handout, to.absolute(), keep_edited=True)
    return {**_document(done, "folder"), "exercises": sorted(listed), "kept": list(done.kept)}


def _is_handed_out(inner: Path) -> bool:
    """Whether a file of the lessons' folder is no by-product of a run."""
    made = {"runs", "scratch", "__pycache__"}
    return not any(part in made or part.startswith(".") for part in inner.parts)


def _target(solutions: Path, to: Path, form: str) -> Path:
    """Where it goes; never among the solutions."""
    target = to.absolute()
    if form == "zip" and target.suffix != ".zip":
        target = target.with_name(f"{target.name}.zip")
    home = solutions.resolve()
    if target.resolve() in (home, *home.parents) or target.resolve().is_relative_to(home):
        raise GradingError(
            "learners would get this folder, and the solutions are in it or around it",
            to,
            remedy="Give a folder of its own: --to handout",
        )
    return target


def _ready(path: Path) -> Exercise:
    """An exercise that can be given out: learners' checks know what they should print."""
    exercise = load_exercise(path)
    for check in exercise.checks:
        if not check.expected:
            raise GradingError(
                f"the check {check.id!r} has no reference output: every answer would fail",
                path,
                remedy=f"mlkit exercise check {path.stem} --update stores it",
                code="E803",
            )
    return exercise


def _exercise_files(exercises: Iterable[Exercise]) -> Files:
    """Each notebook twice, to work in and as it was given, and the data beside it."""
    files: Files = {}
    for exercise in exercises:
        text = notebook_text(exercise_notebook(exercise)).encode()
        files[f"exercises/{exercise.name}.ipynb"] = text
        files[f"{GIVEN.as_posix()}/{exercise.name}.ipynb"] = text
        for name, path in exercise.data.items():
            files[f"exercises/{name}"] = path.read_bytes()
    return files


def opened_notebook(exercise: Exercise) -> bytes:
    """The model answers as learners may see them: in their notebook, without hidden checks."""
    notebook = exercise_notebook(exercise)
    for cell in notebook["cells"]:
        if cell["id"] in exercise.answers:
            cell["source"] = exercise.solution[cell["id"]].splitlines(keepends=True)
    return notebook_text(notebook).encode()


def _row(exercise: Exercise) -> dict[str, Any]:
    seen = sum(check.points for check in exercise.checks if not check.hidden)
    return {"title": exercise.title, "points": seen}


def _row_of_given(path: Path) -> dict[str, Any]:
    cells = read_notebook_file(path)["cells"]
    checks = [c["metadata"]["mlkit"] for c in cells if c["id"].startswith("check-")]
    heading = next("".join(c["source"]) for c in cells if c["cell_type"] == "markdown")
    title = heading.partition("\n")[0].lstrip("# ")
    return {"title": title, "points": sum(about.get("points", 0) for about in checks)}


def _own_readme(solutions: Path) -> str | None:
    """The teacher's own README beside the solutions, if there is one."""
    own = solutions / "README.md"
    return own.read_text(encoding="utf-8") if own.is_file() else None


def _readme(title: str, what: str, more: str, listed: Mapping[str, Mapping[str, Any]]) -> str:
    text = (TEMPLATE / "learners.md").read_text(encoding="utf-8")
    return text.format(title=title, what=what, more=more.strip(), rows=_rows(listed))


def _rows(listed: Mapping[str, Mapping[str, Any]]) -> str:
    return "\n".join(
        f"| [{name}](exercises/{name}.ipynb) | {str(row['title']).replace('|', ' ')} "
        f"| {row['points']:g} |"
        for name, row in sorted(listed.items())
    )


def _around(readme: str, packages: Sequence[str]) -> Files:
    """README and environment; this version of mlkit is what the exercises were tried with."""
    own, *others = packages
    texts = {
        "README.md": readme,
        "requirements.txt": "\n".join([f"{own}=={version(DISTRIBUTION)}", *others]) + "\n",
        "environment.yml": (TEMPLATE / "environment.yml").read_text(encoding="utf-8"),
        ".gitignore": IGNORED,
    }
    return {name: text.encode() for name, text in texts.items()}


def _document(done: Written, form: str) -> dict[str, Any]:
    return {
        "to": str(done.place),
        "form": form,
        "new": list(done.new),
        "changed": list(done.changed),
    }
