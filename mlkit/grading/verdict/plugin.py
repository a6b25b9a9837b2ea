"""Our pytest plugin: nbval executes and compares, we judge, and results are kept by cell id."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbval.plugin import IPyNbCell, IPyNbFile

from mlkit.errors import GradingError
from mlkit.grading.sandbox.kernel import InmateKernel
from mlkit.grading.sandbox.limits import PATIENCE
from mlkit.grading.sandbox.walls import Isolation, Surroundings
from mlkit.grading.sandbox.witness import NAME, Witness, fault
from mlkit.grading.verdict.acceptance import RULES
from mlkit.grading.verdict.restore import Step
from mlkit.inside.checks.check_facts import Judgement, Observation, judge

__all__ = ["Execution", "GradingPlugin"]

LONGEST = 4000


@dataclass(kw_only=True)
class Execution:
    """One submission's execution: what to run and where, and what came out.

    Parameters
    ----------
    steps : sequence of Step
        The cells, in order.
    around : Surroundings
        Limits, and what must not be seen.
    isolation : str
        `sandboxed` or `limited`.
    aside : str
        What to say besides of every check that is not passed.
    seen : dict
        Cell id → what came out of it.
    judged : dict
        Check id → whether it passed, and why not.
    trouble : str
        Why there was no kernel, if there was none.
    """

    steps: Sequence[Step]
    around: Surroundings
    isolation: Isolation
    aside: str = ""
    seen: dict[str, Observation] = field(default_factory=dict)
    judged: dict[str, Judgement] = field(default_factory=dict)
    trouble: str = ""


class GradedFile(IPyNbFile):  # type: ignore[misc]  # nbval is not typed
    """A restored notebook; its kernel is replaced, and its cells replayed, when it has ended."""

    execution: Execution
    started_at: float
    spent_s: float = 0.0
    """What the cells of kernels that have ended had of their time."""

    def collect(self) -> Iterator[GradedCell]:
        """One test for each cell, named by the cell's id."""
        for number, step in enumerate(self.execution.steps):
            cell = nbformat.from_dict(  # type: ignore[no-untyped-call]  # untyped library
                {"cell_type": "code", "source": step.source, "execution_count": 1, "outputs": []}
            )
            options: defaultdict[str, bool] = defaultdict(bool, check=step.kind == "check")
            item = GradedCell.from_parent(
                self, name=step.id, cell_num=number, cell=cell, options=options
            )
            item.step = step
            yield item

    def setup(self) -> None:
        """Start the kernel and the clock."""
        self.started_at = time.monotonic()
        self.start_kernel()

    def start_kernel(self) -> None:
        """Start a kernel, at the second try if need be; without one there is no result."""
        self.execution.trouble = ""
        try:
            self.kernel = InmateKernel(self.execution.around, self.execution.isolation)
        except GradingError:
            self._start_again()

    def _start_again(self) -> None:
        try:
            self.kernel = InmateKernel(self.execution.around, self.execution.isolation)
        except GradingError as error:
            self.execution.trouble = error.message
            raise

    def out_of_time(self) -> bool:
        """Whether the submission has used up its time."""
        most_s = self.execution.around.limits.total_s
        wall_s = time.monotonic() - self.started_at
        return self.spent_s + self.kernel.spent_s > most_s or wall_s > PATIENCE * most_s

    def revive(self, number: int) -> None:
        """Start another kernel and run again, unjudged, what stands before a cell.

        Cells that ended a kernel are left out.
        """
        self.kernel.stop()
        self.spent_s += self.kernel.spent_s
        self.start_kernel()
        for step in self.execution.steps[:number]:
            if self.out_of_time():
                return
            seen = self.execution.seen.get(step.id, Observation())
            if step.kind != "check" and not (seen.died or seen.timed_out):
                self.kernel.await_reply(self.kernel.execute_cell_input(step.source))

    def teardown(self) -> None:
        """End the kernel, whatever it still does."""
        if self.kernel is not None:
            self.kernel.stop()


class GradedCell(IPyNbCell):  # type: ignore[misc]  # nbval is not typed
    """One cell: executed by nbval, its output judged by facts."""

    step: Step

    def setup(self) -> None:
        """Nothing: a cell that timed out does not excuse the next."""

    def runtest(self) -> None:
        """Execute the cell, and keep what came out of it whether it failed or not."""
        execution: Execution = self.parent.execution
        witness: Witness | None = None
        try:
            if not self.parent.out_of_time() and not self.parent.kernel.is_alive():
                self.parent.revive(self.cell_num)
            if self.parent.out_of_time():
                execution.seen[self.step.id] = Observation(ended="timeout")
                pytest.fail("the submission's time is used up")
            witness = self._call_witness()
            super().runtest()
        finally:
            seen = execution.seen.setdefault(self.step.id, self._observation())
            if self.step.spec is not None and self.step.id not in execution.judged:
                execution.judged[self.step.id] = judge(self.step.spec, seen, rules=RULES)
            if witness is not None:
                self._hear(witness)

    def _call_witness(self) -> Witness | None:
        """Look at files from outside, if the check wants that; it finds their folder by a name."""
        wanted = self.step.spec.witness if self.step.spec is not None else {}
        if not wanted or not Witness.is_possible():
            return None
        try:
            kernel: InmateKernel = self.parent.kernel
            witness, place = kernel.witness(wanted["files"], wanted["replaced"])
        except OSError as error:  # an answer can fill its folders, and loses its own points by it
            pytest.fail(f"no folder can be made in the sandbox: {error.strerror}")
        self.cell.source = f"{NAME} = {place!r}\n{self.cell.source}"
        return witness

    def _hear(self, witness: Witness) -> None:
        """A pass that the witness does not confirm is none: the answer's process can lie."""
        judged, spec = self.parent.execution.judged, self.step.spec
        assert spec is not None
        # Taken back first: if looking itself should fail, there must be no pass left.
        judgement = judged.pop(self.step.id)
        try:
            why = fault(witness.look(), spec.witness)
        finally:
            witness.close()
        if why and judgement.status == "passed":
            message = f"{spec.witness['asks']} The operating system reports that {why}."
            judgement = Judgement(status="failed", message=message)
        judged[self.step.id] = judgement

    def compare_outputs(
        self, test: Sequence[Any], ref: Sequence[Any], skip_compare: Any = None
    ) -> bool:
        """Judge a check's facts in place of comparing texts."""
        assert self.step.spec is not None
        judgement = judge(self.step.spec, self._observation(), rules=RULES)
        self.parent.execution.judged[self.step.id] = judgement
        self.comparison_traceback = [judgement.message]
        return judgement.status == "passed"

    def _observation(self) -> Observation:
        outputs = self.test_outputs or []
        text = "".join(
            str(output.get("text", ""))
            for output in outputs
            if output.output_type == "stream" and output.get("name") == "stdout"
        )
        errors = [output for output in outputs if output.output_type == "error"]
        return Observation(
            text=text,
            error=str(errors[-1].get("ename")) if errors else None,
            error_text=str(errors[-1].get("evalue"))[:LONGEST] if errors else "",
            asleep=self.parent.kernel.asleep,
            waiting=self.parent.kernel.waiting,
            ended=self.parent.kernel.reason,
            aside=self.parent.execution.aside,
        )


class GradingPlugin:
    """Collects the one notebook that it is made for."""

    def __init__(self, path: Path, execution: Execution) -> None:
        self.path = path
        self.execution = execution

    def pytest_collect_file(self, file_path: Path, parent: pytest.Collector) -> GradedFile | None:
        """Collect our notebook, and nothing else."""
        if file_path != self.path:
            return None
        file: GradedFile = GradedFile.from_parent(parent, path=file_path)
        file.execution = self.execution
        return file
