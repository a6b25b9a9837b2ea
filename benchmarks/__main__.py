"""Run workloads and print tables: `python -m benchmarks [WORKLOAD…] [--rounds N] [--write]`."""

from __future__ import annotations

import argparse
import importlib
import sys
import tempfile
from pathlib import Path

from benchmarks.measure import measure_rounds
from benchmarks.report import page, section

WORKLOADS = (
    *("startup", "noop", "plan1000", "cached1000", "ml8", "chain30", "fan100", "wide"),
    "flights",
)
PAGE = Path(__file__).parents[1] / "docs" / "benchmarks.md"


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("workloads", nargs="*", help=f"of {', '.join(WORKLOADS)}; default: all")
    parser.add_argument("--rounds", type=int, default=3, help="interleaved rounds (default 3)")
    parser.add_argument(
        "--write",
        action="store_true",
        help="write docs/benchmarks.md, as a run of all workloads does",
    )
    return parser.parse_args()


def main() -> int:
    """Measure, print, and say by the exit status whether all goals were reached."""
    asked = arguments()
    writing = asked.write or not asked.workloads
    reached = True
    for name in asked.workloads or WORKLOADS:
        with tempfile.TemporaryDirectory(prefix=f"bench-{name}-") as folder:
            workload = importlib.import_module(f"benchmarks.workloads.{name}").build(Path(folder))
            print(f"{name}: {workload.about}", file=sys.stderr)
            summaries = measure_rounds(workload.contenders, asked.rounds, _progress)
        text, good = section(workload, summaries)
        print(text, flush=True)
        reached = reached and good
        if writing:
            sections = {**sections_of(PAGE), name: text}
            PAGE.write_text(page([sections[each] for each in WORKLOADS if each in sections]))
    return 0 if reached else 1


def sections_of(path: Path) -> dict[str, str]:
    """The sections that the page has, by their workloads' names."""
    if not path.exists():
        return {}
    _, *parts = path.read_text().split("\n## ")
    return {part.partition("\n")[0]: f"## {part.rstrip()}\n" for part in parts}


def _progress(line: str) -> None:
    print(f"  {line}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
