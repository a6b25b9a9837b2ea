"""Several notebooks as the stages of one pipeline: each stays as it is written.

Nothing but files passes from one to the next, as each has a kernel of its own. Only plain values at
the top, and in a cell tagged `parameters`, move: they become the stage's parameters.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from mlkit.converting.named_files import FilePlan
from mlkit.converting.observing import Observation
from mlkit.converting.originals import Originals
from mlkit.converting.parts import Part, name_parts
from mlkit.converting.planning import Conversion, StagePlan, unsteady_names
from mlkit.converting.statement_roles import Placed, Roles, placed_in, roles_of

__all__ = ["parts_of_notebooks", "plan_whole_notebooks", "remarks_on_order"]

_MISSING = re.compile(r"FileNotFoundError: .*'(?P<path>[^']+)'")


def parts_of_notebooks(originals: Originals) -> tuple[Part, ...]:
    """Make one part of each notebook, called like its file."""
    return name_parts(
        [
            Part(name="", title=_title(original.file), cells=original.cells)
            for original in originals.notebooks
        ]
    )


def _title(file: Path) -> str:
    return file.stem.replace("_", " ").replace("-", " ")


def plan_whole_notebooks(parts: Sequence[Part], seen: Observation) -> Conversion:
    """Plan one stage for each notebook.

    Parameters
    ----------
    parts : sequence of Part
        As `parts_of_notebooks` made them.
    seen : Observation
        A run of the originals.
    """
    stages = []
    for part in parts:
        alone = replace(seen, looks={part.end: seen.looks[part.end]})
        literals = roles_of([part], unsteady_names([part], alone)).literals
        stages.append(
            StagePlan(part=part, roles=_roles(part, literals), parameters=tuple(literals))
        )
    return Conversion(stages=tuple(stages))


def _roles(part: Part, literals: Mapping[str, Placed]) -> Roles:
    """Everything is work where it stands, but for plain values."""
    moved = {id(placed.statement) for placed in literals.values()}
    work: dict[int, list[Placed]] = {}
    for placed in placed_in([part]):
        if id(placed.statement) not in moved:
            work.setdefault(placed.cell.index, []).append(placed)
    return Roles(imports={}, settings=(), literals=literals, definitions={}, work=work)


def remarks_on_order(
    conversion: Conversion, plans: Mapping[str, FilePlan], seen: Observation
) -> list[str]:
    """Tell of files that a notebook looks for before another one writes them.

    Parameters
    ----------
    conversion, plans
        The stages in the order in which they ran, and their files.
    seen : Observation
        A run of the originals.
    """
    remarks = []
    for number, stage in enumerate(conversion.stages):
        for path in sorted({*_from_outside(stage, plans), *_missed(stage, seen)}):
            for later in conversion.stages[number + 1 :]:
                plan = plans[later.part.name]
                if any(plan.paths.get(output) == path for output in plan.outputs):
                    remarks.append(
                        f"{stage.part.cells[0].notebook} reads {path}, which "
                        f"{later.part.cells[0].notebook} writes later: name the notebooks in the "
                        "order of their work"
                    )
    return remarks


def _from_outside(stage: StagePlan, plans: Mapping[str, FilePlan]) -> Iterator[str]:
    for text in plans[stage.part.name].inputs.values():
        if text.startswith("file:"):
            yield text.removeprefix("file:")


def _missed(stage: StagePlan, seen: Observation) -> Iterator[str]:
    for cell in stage.part.code:
        missing = _MISSING.search(seen.failed.get(cell.index, ""))
        if missing is not None:
            yield os.path.normpath(missing["path"])
