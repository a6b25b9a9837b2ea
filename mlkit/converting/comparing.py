"""Hold the pipeline's first run against the original: every value handed on, and every figure.

What differs between two runs of the original itself cannot be compared, and is never called equal.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mlkit.converting.observing import Observation
from mlkit.converting.planning import Conversion
from mlkit.converting.snapshot import FORMATS, equal, load
from mlkit.core.record import RunRecord

__all__ = ["Comparison", "compare"]

EQUAL, DIFFERS, NOT_COMPARABLE = "equal", "differs", "not comparable"


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """One value or figure, and what came of it.

    Parameters
    ----------
    stage : str
        The stage that makes it.
    what : str
        A name of the notebook, or `figure N of cell M`.
    verdict : str
        `equal`, `differs` or `not comparable`.
    why : str
        What is known, for any other verdict than equal.
    """

    stage: str
    what: str
    verdict: str
    why: str = ""


def compare(
    conversion: Conversion, record: RunRecord, first: Observation, second: Observation, folder: Path
) -> tuple[Comparison, ...]:
    """Compare all that was handed on, and all figures.

    Parameters
    ----------
    conversion : Conversion
        What was converted.
    record : RunRecord
        The pipeline's run.
    first, second : Observation
        The original's two runs.
    folder : Path
        The pipeline's folder, whose helper module values may need.
    """
    return (
        *_values(conversion, record, first, second, folder),
        *_figures(conversion, record, first, second),
    )


def _values(
    conversion: Conversion, record: RunRecord, first: Observation, second: Observation, folder: Path
) -> list[Comparison]:
    asked, places = [], []
    for stage in conversion.stages:
        if stage.part.name not in record.stages:
            continue
        for carried in stage.gives:
            name = f"{carried.name}{FORMATS[carried.form]}"
            made = record.stages[stage.part.name].outputs.get(f"{carried.name}_out")
            looks = (o.looks[stage.part.end].folder / name for o in (first, second))
            asked.append([*map(str, looks), "" if made is None else str(made)])
            places.append((stage.part.name, carried.name))
    verdicts = _in_another_process(asked, folder)
    return [
        Comparison(stage=stage, what=what, verdict=verdict, why=why)
        for (stage, what), (verdict, why) in zip(places, verdicts, strict=True)
    ]


def _in_another_process(asked: Sequence[Sequence[str]], folder: Path) -> list[tuple[str, str]]:
    """Values can need any library, and the notebook's own classes: not in this process."""
    if not asked:
        return []
    done = subprocess.run(
        [sys.executable, "-P", "-m", "mlkit.converting.comparing", str(folder)],
        input=json.dumps(asked),
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["the comparing process was killed"]
        return [(NOT_COMPARABLE, lines[-1])] * len(asked)
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


def _figures(
    conversion: Conversion, record: RunRecord, first: Observation, second: Observation
) -> list[Comparison]:
    found = []
    for stage in conversion.stages:
        made = _pictures_of(Path(record.runs_dir, record.run_id, stage.part.name, "notebook.ipynb"))
        for cell in stage.part.code:
            here = first.pictures.get(cell.index, ())
            again = second.pictures.get(cell.index, ())
            for number, picture in enumerate(here, start=1):
                verdict, why = EQUAL, ""
                now = made.get(f"cell-{cell.index}", ())
                if len(again) != len(here) or again[number - 1] != picture:
                    verdict, why = NOT_COMPARABLE, "it differs between two runs of the original"
                elif len(now) < number or now[number - 1] != picture:
                    verdict, why = DIFFERS, "another picture than the original's"
                what = f"figure {number} of cell {cell.index + 1}"
                found.append(Comparison(stage=stage.part.name, what=what, verdict=verdict, why=why))
    return found


def _pictures_of(notebook: Path) -> Mapping[str, tuple[str, ...]]:
    """The figures of an executed notebook, by the ids of its cells."""
    if not notebook.exists():
        return {}
    document = json.loads(notebook.read_text(encoding="utf-8"))
    pictures = {}
    for cell in document["cells"]:
        datas = [output.get("data", {}) for output in cell.get("outputs", ())]
        found = [data["image/png"] for data in datas if "image/png" in data]
        pictures[cell.get("id", "")] = tuple(
            "".join(one) if isinstance(one, list) else one for one in found
        )
    return pictures


def main() -> None:
    """Read triples of paths, print a verdict for each."""
    sys.path.insert(0, sys.argv[1])
    if Path(sys.argv[1], "helpers.py").exists():
        import helpers  # type: ignore[import-not-found]  # the converted pipeline's own

        # a class that the original has in its cells, and the pipeline in its helper module
        for name, value in vars(helpers).items():
            if not name.startswith("_"):
                setattr(sys.modules["__main__"], name, value)
    verdicts = [_verdict(*paths) for paths in json.load(sys.stdin)]
    sys.stdout.write(json.dumps(verdicts))


if __name__ == "__main__":
    main()
