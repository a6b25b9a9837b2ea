"""Do random things to one runs folder, in a process beside others; not collected as a test."""

from __future__ import annotations

import contextlib
import io
import json
import os
import random
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

from mlkit import MlkitError, RunOptions, Services, list_runs, resume, run
from mlkit.cli.main import main as command
from mlkit.core.states import RunStatus
from mlkit.load.parameters import Layers
from mlkit.testing import FakeRunner, InlineExecutor, RecordingNotifier

STAGES = ("a", "b", "each[x]", "each[y]", "last")
NAMES = ("blue", "green")
VALUES = 3


class Member:
    """One of the crowd.

    Parameters
    ----------
    file : Path
        The pipeline.
    seed : int
        What it draws its steps from.
    """

    def __init__(self, file: Path, seed: int) -> None:
        self.file = file
        self.runs = file.parent / "runs"
        self.chance = random.Random(seed)
        self.outlet = sys.stdout

    def step(self) -> None:
        """Do one thing; what only a fault in mlkit explains is told."""
        deed: Callable[[], object] = self.chance.choice(
            (*(self.run,) * 4, self.run_only, *(self.join,) * 3, self.resume, self.command)
        )
        try:
            deed()
        except MlkitError as error:
            if error.code == "E900" or "Permission denied" in str(error):
                self.tell(f"{deed.__name__}: {error.code} {error}\n{traceback.format_exc()}")
        except BaseException:  # noqa: BLE001 - whatever it is, it is what is looked for
            self.tell(f"{deed.__name__}: {traceback.format_exc()}")

    def tell(self, text: str) -> None:
        """Say it at once: the next moment this process may be killed."""
        self.outlet.write(json.dumps(text) + "\n")
        self.outlet.flush()

    def run(self, **options: object) -> None:
        """Run the pipeline, or a part of it, with one of a few values."""
        force = self.chance.choice(((), (), ("*",), ("b",)))
        fail_fast = self.chance.random() < 0.2
        given = {"n": self.chance.randrange(VALUES), "broken": self.chance.random() < 0.2}
        asked = RunOptions(**{"force": force, "fail_fast": fail_fast, **options})  # type: ignore[arg-type] # by name
        run(
            self.file,
            parameters=given,
            options=asked,
            layers=Layers(),
            services=services(),
            workers=2,
        )

    def run_only(self) -> None:
        """Run one stage on what there is."""
        self.run(only=self.chance.choice(STAGES))

    def join(self) -> None:
        """Run one stage of a run that others join, too, as an orchestrator's tasks do."""
        run_id = f"joined-{self.chance.randrange(3)}"
        stage = self.chance.choice(STAGES)
        given = {"n": int(run_id[-1])}
        asked = RunOptions(only=stage, run_id=run_id)
        run(self.file, parameters=given, options=asked, layers=Layers(), services=services())

    def resume(self) -> None:
        """Finish what was killed or has failed."""
        open_runs = [
            record.run_id
            for record in list_runs(self.runs)
            if record.status in (RunStatus.KILLED, RunStatus.FAILED)
        ]
        if open_runs:
            resume(self.chance.choice(open_runs), self.file, services=services())

    def command(self) -> None:
        """Call a command that looks, names or clears away."""
        a_run = self.chance.choice(["latest", *(each.run_id for each in list_runs(self.runs))])
        words = self.chance.choice(
            (
                ("runs",),
                ("plan",),
                ("show", a_run),
                ("compare", a_run, "latest"),
                ("label", a_run, self.chance.choice(NAMES), "--move"),
                ("unlabel", self.chance.choice(NAMES)),
                ("promote", a_run),
                ("clean", "--keep", str(self.chance.randrange(4)), "--yes"),
            )
        )
        said = io.StringIO()
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            try:
                command([*words, str(self.file)])
            except SystemExit as end:
                text = said.getvalue()
                if any(word in text for word in ("E900", "E901", "Traceback", "Permission denied")):
                    self.tell(f"{' '.join(words)}: {end.code} {text}")


def services() -> Services:
    """The driver's surroundings without kernels, in real time."""
    return Services(
        runner=FakeRunner(),
        notifier=RecordingNotifier(),
        executor=lambda workers: InlineExecutor(),
        environ={},
    )


def main() -> None:
    """Take that many steps, once told to."""
    file, seed, steps = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    os.chdir(file.parent)
    sys.stdout.write('"ready"\n')
    sys.stdout.flush()
    sys.stdin.readline()
    member = Member(file, seed)
    for _ in range(steps):
        member.step()


if __name__ == "__main__":
    main()
