"""Hold the pipeline's first run against the original: values, files, figures and what is shown.

What differs between two runs of the original itself cannot be compared, and is never called equal.
"""

from __future__ import annotations

import ast
import contextlib
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mlkit.converting.given_names import GivenNames, given_names
from mlkit.converting.named_files import FilePlan
from mlkit.converting.observing import Marks, Observation
from mlkit.converting.parts import Cell
from mlkit.converting.planning import Conversion, StagePlan
from mlkit.converting.shown import compare_lines, lines_of, pictures_of
from mlkit.converting.snapshot import FORMATS, READABLE, digest_of, equal, load
from mlkit.core.record import RunRecord
from mlkit.frozen import dataclass
from mlkit.notebook.injection import INJECTED_TAG

__all__ = ["Comparison", "compare"]

_BEGINNING = ("mlkit-imports", "mlkit-settings")
"""The cells to which a stage's imports and settings are moved; what they print is shown there."""

_MAIN = "from mlkit.converting.comparing import main; main()"
"""`__main__` gets the notebook's names, so it must not be this module: one may be `equal`."""

EQUAL, DIFFERS, NOT_COMPARABLE = "equal", "differs", "not comparable"
NOT_COMPARED = "not compared"
"""The comparing itself was cut off: nothing is known, so nothing is fine."""


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """One value or figure, and what came of it.

    Parameters
    ----------
    stage : str
        The stage that makes it.
    what : str
        A name of the notebook, `figure N of cell M`, `what cell M shows` or `file PATH`.
    verdict : str
        `equal`, `differs`, `not comparable` or `not compared`.
    why : str
        What is known, for any other verdict than equal.
    """

    stage: str
    what: str
    verdict: str
    why: str = ""


def compare(
    conversion: Conversion,
    plans: Mapping[str, FilePlan],
    record: RunRecord,
    first: Observation,
    second: Observation,
    folder: Path,
    *,
    ids: Mapping[str, Sequence[str]],
) -> tuple[Comparison, ...]:
    """Compare all that was handed on or written, all figures, and all that cells show.

    Parameters
    ----------
    conversion, plans
        What was converted.
    record : RunRecord
        The pipeline's run.
    first, second : Observation
        The original's two runs.
    folder : Path
        The pipeline's folder, whose helper module values may need.
    ids : mapping of str to sequence of str
        The ids of each stage's cells as they were made, which a text does not keep.
    """
    return (
        *_values(conversion, given_names(conversion, plans), record, first, second, folder),
        *_files(conversion, plans, record, first, second, folder),
        *_cells(conversion, plans, record, first, second, ids),
    )


def _values(
    conversion: Conversion,
    names: GivenNames,
    record: RunRecord,
    first: Observation,
    second: Observation,
    folder: Path,
) -> list[Comparison]:
    asked, places = [], []
    for stage in conversion.stages:
        if stage.part.name not in record.stages:
            continue
        for carried in stage.gives:
            name = f"{carried.name}{FORMATS[carried.form]}"
            made = record.stages[stage.part.name].outputs.get(names.out_of(carried.name))
            looks = (o.looks[stage.part.end].folder / name for o in (first, second))
            asked.append([*map(str, looks), "" if made is None else str(made)])
            places.append((stage.part.name, carried.name))
    verdicts = _in_another_process(asked, folder, _definitions(conversion, first))
    return [
        Comparison(stage=stage, what=what, verdict=verdict, why=why)
        for (stage, what), (verdict, why) in zip(places, verdicts, strict=True)
    ]


def _definitions(conversion: Conversion, first: Observation) -> list[str]:
    """The functions and classes that values are of, and that are in no helper module."""
    roles = conversion.roles
    waiting = {
        name
        for stage in conversion.stages
        for carried in stage.gives
        for name in first.looks[stage.part.end].names[carried.name].get("refers", ())
    }
    wanted: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name in roles.definitions and name not in {*conversion.helpers, *wanted}:
            wanted.add(name)
            waiting |= roles.definitions[name].names.needs
    placed = [p for n, p in roles.definitions.items() if n in wanted]
    imports = dict.fromkeys(
        each.text
        for one in placed
        for name in one.names.needs
        for each in roles.imports.get(name, ())
    )
    return [*imports, *(one.text for one in placed)]


def _in_another_process(
    asked: Sequence[Sequence[str]], folder: Path, definitions: Sequence[str] = ()
) -> list[tuple[str, str]]:
    """Values can need any library, and the notebook's own classes: not in this process."""
    if not asked:
        return []
    done = subprocess.run(
        [sys.executable, "-P", "-c", _MAIN, str(folder)],
        input=json.dumps([definitions, asked]),
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["the comparing process was killed"]
        return [(NOT_COMPARED, lines[-1])] * len(asked)
    return [tuple(pair) for pair in json.loads(done.stdout)]


def _verdict(one: str, two: str, made: str) -> tuple[str, str]:
    if not made:
        return DIFFERS, "the stage has not made it"
    if not Path(two).exists():
        return NOT_COMPARABLE, "the original's second run did not have it in this form"
    try:
        original, again, now = (load(Path(path)) for path in (one, two, made))
    except Exception as error:  # noqa: BLE001 - whatever a value's own unpickling raises
        return NOT_COMPARABLE, f"it cannot be read here ({type(error).__name__}: {error})"
    if not equal(original, again):
        return NOT_COMPARABLE, "it differs between two runs of the original itself"
    return (EQUAL, "") if equal(original, now) else (DIFFERS, "another value than the original's")


def _files(
    conversion: Conversion,
    plans: Mapping[str, FilePlan],
    record: RunRecord,
    first: Observation,
    second: Observation,
    folder: Path,
) -> list[Comparison]:
    found = []
    asked: list[list[str]] = []
    places: list[tuple[str, str]] = []
    for stage in conversion.stages:
        name, plan = stage.part.name, plans[stage.part.name]
        made = record.stages[name].outputs if name in record.stages else {}
        for output in plan.outputs:
            path = plan.paths[output]
            one, two = (_digests(o.looks[stage.part.end].files, path) for o in (first, second))
            seen = ((first, one), (second, two))
            now = _digests_now(made.get(output), path)
            for file in sorted({*one, *two, *now}):
                digests = [each[file] for each in (one, two, now) if file in each]
                if len(set(digests)) > 1 and len(digests) == 3 and file.endswith(READABLE):
                    asked.append(
                        [
                            *(_kept(o, stage, marks[file], file) for o, marks in seen),
                            str(_inside(Path(str(made[output])), path, file)),
                        ]
                    )
                    places.append((name, f"file {file}"))
                    continue
                verdict, why = EQUAL, ""
                if one.get(file) != two.get(file):
                    verdict = NOT_COMPARABLE
                    why = "it differs between two runs of the original itself"
                elif file not in now:
                    verdict, why = DIFFERS, "the stage has not made it"
                elif now[file] != one.get(file):
                    verdict, why = DIFFERS, "other contents than the original's"
                what = f"file {file}"
                found.append(Comparison(stage=name, what=what, verdict=verdict, why=why))
    for (name, what), (verdict, why) in zip(
        places, _in_another_process(asked, folder), strict=True
    ):
        found.append(Comparison(stage=name, what=what, verdict=verdict, why=why))
    return found


def _kept(observation: Observation, stage: StagePlan, digest: str, file: str) -> str:
    folder = observation.looks[stage.part.end].folder.parent
    return str(folder / "files" / f"{digest}{Path(file).suffix}")


def _inside(made: Path, path: str, file: str) -> Path:
    return made if file == path else made / file.removeprefix(f"{path}/")


def _digests(files: Mapping[str, Marks], path: str) -> dict[str, str]:
    """The digests of a file, or of all in a folder, by their paths."""
    return {
        name: marks[2]
        for name, marks in files.items()
        if name == path or name.startswith(f"{path}/")
    }


def _digests_now(made: Any, path: str) -> dict[str, str]:
    if made is None:
        return {}
    here = Path(str(made))
    if here.is_dir():
        inside = [file for file in here.rglob("*") if file.is_file()]
        return {f"{path}/{file.relative_to(here).as_posix()}": digest_of(file) for file in inside}
    return {path: digest_of(here)}


def _cells(
    conversion: Conversion,
    plans: Mapping[str, FilePlan],
    record: RunRecord,
    first: Observation,
    second: Observation,
    ids: Mapping[str, Sequence[str]],
) -> list[Comparison]:
    found = []
    for stage in conversion.stages:
        name = stage.part.name
        ran = Path(record.runs_dir, record.run_id, name, "notebook.ipynb")
        made = _cells_by_id(ran, ids[name])
        places = _places(plans[name], made)
        early = [line for i in _BEGINNING for line in lines_of(_outputs(made, i))]
        for cell in stage.part.code:
            outputs = _outputs(made, f"cell-{cell.index}")
            for what, verdict, why in (
                *_figures(cell, pictures_of(outputs), first, second),
                *_lines(
                    cell,
                    lines_of(outputs),
                    places,
                    (first, second),
                    early=early if stage.roles.moved(cell) else (),
                ),
            ):
                found.append(Comparison(stage=name, what=what, verdict=verdict, why=why))
    return found


def _figures(
    cell: Cell, now: Sequence[str], first: Observation, second: Observation
) -> Iterator[tuple[str, str, str]]:
    here, again = (o.pictures.get(cell.index, ()) for o in (first, second))
    for number in range(1, max(len(here), len(now)) + 1):
        what = f"figure {number} of {cell.called}"
        if here[number - 1 : number] != again[number - 1 : number] or len(again) != len(here):
            yield what, NOT_COMPARABLE, "it differs between two runs of the original"
        elif number > len(here):
            yield what, DIFFERS, "the original does not draw it"
        elif now[number - 1 : number] != here[number - 1 : number]:
            yield what, DIFFERS, "another picture than the original's"
        else:
            yield what, EQUAL, ""


def _lines(
    cell: Cell,
    shown: Sequence[str],
    places: Mapping[str, str],
    originals: tuple[Observation, Observation],
    *,
    early: Sequence[str],
) -> Iterator[tuple[str, str, str]]:
    one, two = (original.lines.get(cell.index, ()) for original in originals)
    if not (one or two or shown):
        return
    now = []
    for line in shown:
        for place, path in places.items():  # the longest first
            line = line.replace(place, path)
        now.append(line)
    same, why = compare_lines(one, two, now)
    if same is False and early:  # an import that prints, and stands in the stage's first cell now
        here = compare_lines(_without(one, early), _without(two, early), now)
        same, why = here if here[0] else (same, why)
    verdict = NOT_COMPARABLE if same is None else EQUAL if same else DIFFERS
    yield f"what {cell.called} shows", verdict, why


def _without(lines: Sequence[str], others: Sequence[str]) -> list[str]:
    """Lines without those that stand elsewhere, each as often as it does."""
    left, kept = Counter(others), []
    for line in lines:
        if left[line]:
            left[line] -= 1
        else:
            kept.append(line)
    return kept


def _places(plan: FilePlan, made: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Where the stage found its files, and where they are in the original: a text may name them.

    The paths that its notebook was given while it ran: an output then lies elsewhere than later.
    """
    injected = "".join(made.get(INJECTED_TAG, {}).get("source", ()))
    given = {
        node.targets[0].id: node.value.value
        for node in ast.parse(injected).body
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and isinstance(node.value, ast.Constant)
    }
    found = {str(given[name]): path for name, path in plan.paths.items() if name in given}
    return dict(sorted(found.items(), key=lambda pair: len(pair[0]), reverse=True))


def _cells_by_id(notebook: Path, ids: Sequence[str]) -> dict[str, Mapping[str, Any]]:
    """The cells of an executed notebook by their ids; the injected one has its tag's name."""
    if not notebook.exists():
        return {}
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    own = [cell for cell in cells if cell.get("id") != INJECTED_TAG]
    injected = [cell for cell in cells if cell.get("id") == INJECTED_TAG]
    return dict(zip([*ids[: len(own)], INJECTED_TAG], [*own, *injected], strict=False))


def _outputs(made: Mapping[str, Mapping[str, Any]], cell: str) -> Sequence[Mapping[str, Any]]:
    outputs: Sequence[Mapping[str, Any]] = made.get(cell, {}).get("outputs", ())
    return outputs


def main() -> None:
    """Read definitions and triples of paths, print a verdict for each triple."""
    told = os.dup(1)
    os.dup2(2, 1)  # what the notebook's own code prints is no verdict
    sys.path.insert(0, sys.argv[1])
    if Path(sys.argv[1], "helpers.py").exists():
        import helpers  # type: ignore[import-not-found]  # the converted pipeline's own

        # a class that the original has in its cells, and the pipeline in its helper module
        for name, value in vars(helpers).items():
            if not name.startswith("_"):
                setattr(sys.modules["__main__"], name, value)
    definitions, asked = json.load(sys.stdin)
    for text in definitions:
        # one that needs a value of the notebook where it stands is not there: a value of it then
        # cannot be read, and its verdict says so
        with contextlib.suppress(Exception):
            exec(text, vars(sys.modules["__main__"]))  # the notebook's own, which has run before
    verdicts = [_verdict(*paths) for paths in asked]
    with open(told, "w", encoding="utf-8") as answer:  # noqa: PTH123 - a descriptor has no path
        json.dump(verdicts, answer)
