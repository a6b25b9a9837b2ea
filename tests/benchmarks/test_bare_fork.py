"""Kernels that are forked as simply as can be do the same work as those they stand beside."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from benchmarks.stages import Stage, plan, write_pipeline
from benchmarks.workload import bare_fork

ADD = "open(here, 'w').write(str(number + int(open(before).read())))"


def _chain(folder: Path, length: int, cell: str = ADD) -> Path:
    """A chain of sums, written down; where its last sum will be."""
    zero = folder / "zero.txt"
    zero.write_text("0")
    stages = [
        Stage(
            name=f"sum{number}",
            cells=(cell,),
            inputs={"before": f"sum{number - 1}.here"} if number else {},
            outputs={"here": "number.txt"},
            parameters={"number": number, **({} if number else {"before": str(zero)})},
        )
        for number in range(length)
    ]
    write_pipeline(folder, "sums", stages)
    steps = plan(folder, stages)
    (folder / "plan.json").write_text(json.dumps(steps))
    return Path(steps[-1]["writes"][0])


def test_each_notebook_runs_in_a_kernel_of_its_own_and_none_stays(tmp_path: Path) -> None:
    """Each link adds its number to the sum before; the program ends with its kernels."""
    last = _chain(tmp_path, 4)
    contender = bare_fork(tmp_path, workers=1)

    subprocess.run(contender.command, check=True, capture_output=True, timeout=120)

    assert last.read_text() == "6"


def test_a_cell_that_fails_is_told(tmp_path: Path) -> None:
    """A contender that does less than it says would look fast."""
    _chain(tmp_path, 2, "1 / 0")
    contender = bare_fork(tmp_path, workers=1)

    ended = subprocess.run(
        contender.command, check=False, capture_output=True, text=True, timeout=120
    )

    assert ended.returncode == 1
    assert "ZeroDivisionError" in ended.stderr


def test_what_is_named_is_imported_before_the_first_kernel(tmp_path: Path) -> None:
    """Its kernels have it without importing it."""
    cell = "import sys; open(here, 'w').write(str('colorsys' in sys.modules))"
    last = _chain(tmp_path, 1, cell)

    for modules in ((), ("colorsys",)):
        contender = bare_fork(tmp_path, workers=1, modules=modules)
        subprocess.run(contender.command, check=True, capture_output=True, timeout=120)
        assert last.read_text() == str(bool(modules))
