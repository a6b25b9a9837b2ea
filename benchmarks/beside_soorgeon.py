"""`python -m benchmarks.beside_soorgeon`: `mlkit convert` beside soorgeon, on ten shapes.

Each notebook is converted by both tools, and what comes of it is run: by mlkit, and by Ploomber,
for which soorgeon writes. Then a check that is neither tool's own: the original runs in a plain
kernel, and each line that it shows has to stand in the pipeline's executed notebooks. Printed is a
table in Markdown. Exit status 1 if mlkit has converted fewer than eight of ten, or if a line is
missing of which `mlkit convert` has not told.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

from benchmarks.peers import executable
from benchmarks.rivals import QUIET
from tests.converting.originals import ORIGINALS, write_original

__all__ = ["Outcome", "lines_of", "main", "missing", "table"]

SHAPES = tuple(ORIGINALS)[:10]
LEAST = 8
_ADDRESS = re.compile(r"0x[0-9a-f]+|\d+(\.\d+)? (ns|µs|us|ms|s)\b.*")
"""What is another in each process: addresses, and how long something took."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of one notebook by one tool.

    Parameters
    ----------
    converts, green : bool
        Whether a pipeline was written, and whether all of its stages ran.
    stages : int
        How many it has.
    missing : int
        How many lines of the original it does not show; -1 if it is not green.
    told : bool
        Whether the tool itself says that something differs.
    """

    converts: bool
    green: bool = False
    stages: int = 0
    missing: int = -1
    told: bool = False

    @property
    def is_same(self) -> bool:
        """Whether all that the original shows is shown."""
        return self.green and not self.missing


def lines_of(notebooks: Iterable[Path]) -> Counter[str]:
    """All lines of text that notebooks show, each as often as it does."""
    found: Counter[str] = Counter()
    for path in notebooks:
        document: Any = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]  # it has no types
        for cell in document.cells:
            for output in cell.get("outputs", ()):
                text = output.get("text") or output.get("data", {}).get("text/plain", "")
                if output.get("name") != "stderr":
                    found.update(filter(None, map(_plain, text.splitlines())))
    return found


def _plain(line: str) -> str:
    return _ADDRESS.sub("", line).strip()


def missing(original: Path, notebooks: Iterable[Path]) -> int:
    """How many lines of the original no notebook shows."""
    return (lines_of([original]) - lines_of(notebooks)).total()


def _run_plainly(original: Path) -> Path:
    """The original, executed where it stands, failing cells and all."""
    document: Any = nbformat.read(original, as_version=4)  # type: ignore[no-untyped-call]  # it has no types
    quiet = ["--log-level=40"]
    NotebookClient(
        document,
        allow_errors=True,
        extra_arguments=quiet,
        resources={"metadata": {"path": str(original.parent)}},
    ).execute()
    executed = original.with_suffix(".executed")
    nbformat.write(document, executed)  # type: ignore[no-untyped-call]  # it has no types
    return executed


def _call(command: Sequence[str | Path], where: Path, env: Mapping[str, str]) -> bool:
    done = subprocess.run(
        list(map(str, command)),
        cwd=where,
        env={**os.environ, **env},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    (where / f"{Path(command[0]).name}.log").write_text(done.stdout + done.stderr)
    return done.returncode == 0


def by_mlkit(shape: str, folder: Path, executed: Path) -> Outcome:
    """`mlkit convert`, which runs what it has written."""
    original = write_original(shape, folder / "src")
    out = folder / "out"
    mlkit = Path(sys.executable).with_name("mlkit")
    told = not _call([mlkit, "convert", original, "--to", out], folder, {})
    stages = len(list(out.glob("*.ipynb")))
    if not stages:
        return Outcome(converts=False)
    made = list(out.glob("runs/2*/*/notebook.ipynb"))
    green = (out / "runs" / "latest").exists()
    left = missing(executed, made) if green else -1
    return Outcome(converts=True, green=green, stages=stages, missing=left, told=told)


def by_soorgeon(shape: str, folder: Path, executed: Path) -> Outcome:
    """`soorgeon refactor`, then `ploomber build`."""
    folder.mkdir()
    original = write_original(shape, folder)
    bin_folder = executable("soorgeon", "soorgeon").parent
    env = {**QUIET, "PATH": f"{bin_folder}{os.pathsep}{os.environ['PATH']}"}
    if not _call([bin_folder / "soorgeon", "refactor", original.name], folder, env):
        return Outcome(converts=False)
    stages = len(list(folder.glob("tasks/*")))
    green = _call([bin_folder / "ploomber", "build"], folder, env)
    left = missing(executed, folder.glob("output/*.ipynb")) if green else -1
    return Outcome(converts=True, green=green, stages=stages, missing=left)


def table(outcomes: Mapping[str, tuple[Outcome, Outcome]]) -> str:
    """The outcomes, of mlkit and of soorgeon, as a table in Markdown."""
    lines = ["| notebook | `mlkit convert` | soorgeon 0.0.20 |", "|---|---|---|"]
    lines += [f"| {name} | {_words(a)} | {_words(b)} |" for name, (a, b) in outcomes.items()]
    for title, attribute in (("green", "green"), ("and show all", "is_same")):
        counts = [
            sum(getattr(pair[at], attribute) for pair in outcomes.values()) for at in range(2)
        ]
        lines.append(f"| {title}, of {len(outcomes)} | {counts[0]} | {counts[1]} |")
    return "\n".join(lines)


def _words(outcome: Outcome) -> str:
    if not outcome.converts:
        return "not converted"
    stages = f"{outcome.stages} stage{'s' if outcome.stages > 1 else ''}"
    if not outcome.green:
        return f"{stages}, fails"
    return f"{stages}, green" + (f", {outcome.missing} lines differ" if outcome.missing else "")


def main() -> None:
    """Convert, run, and print."""
    parser = argparse.ArgumentParser(description="mlkit convert beside soorgeon")
    parser.add_argument("--keep", type=Path, help="a new folder in which all that is made stays")
    parser.add_argument("shapes", nargs="*", default=SHAPES, help="which; all ten by default")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="converting-") as name:
        place = arguments.keep or Path(name)
        outcomes = {}
        for number, shape in enumerate(arguments.shapes):
            folder = place / f"{number}"
            (folder / "mlkit").mkdir(parents=True)
            executed = _run_plainly(write_original(shape, folder / "plain"))
            outcomes[shape] = (
                by_mlkit(shape, folder / "mlkit", executed),
                by_soorgeon(shape, folder / "soorgeon", executed),
            )
            print(shape, *map(_words, outcomes[shape]), sep=": ", file=sys.stderr, flush=True)
    print(table(outcomes))
    ours = [pair[0] for pair in outcomes.values()]
    silent = [o for o in ours if o.green and o.missing and not o.told]
    sys.exit(1 if silent or sum(o.green for o in ours) < LEAST * len(ours) / len(SHAPES) else 0)


if __name__ == "__main__":
    main()
