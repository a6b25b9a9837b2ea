"""`python -m benchmarks.units`: what a stage, a file, an event and a run cost, and what a day is.

Each is measured for N units and for ten times as many, every time in a process of its own. What
each further unit costs is the difference divided by 9 N; what a run costs beside its units is what
is left. CPU seconds are the best of so many rounds, everything else is counted. No kernels run but
where it says so, so CPU is the driver's. The store is moto's server on this machine, which counts
the requests. Exit status 1 if a unit costs more than 1.2 times as much as at a tenth of the size.
`--full` takes ten times as many as by default; `--write` writes what is printed into docs/scale.md.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.parts_of_pages import SCALE, written
from benchmarks.unit_costs import AWAY_S, WORKERS_WAITING, Costs

__all__ = ["GROWING", "MOST_GROWTH", "SIZES", "Pair", "day", "growth", "measure", "text"]

MOST_GROWTH = 1.2

SIZES: Mapping[str, int] = {
    "map_here": 100,
    "map_on_s3": 10,
    "waiting": 10,
    "history": 100,
    "files_here": 1_000,
    "files_on_s3": 10,
    "events": 1_000,
    "kernels": 10,
    "disk": 30,
}
"""N of each measurement; it is made of 10 N as well."""
FULL = frozenset({"map_here", "history", "events"})
"""What `--full` makes ten times as large: what needs no server and no kernel."""

STAGES_A_DAY = 100_000
STAGES_A_RUN = 100
DAY_S = 86_400
# AWS, "Best practices design patterns: optimizing Amazon S3 performance": at least so many requests
# a second for each prefix.
S3_WRITES_S = 3_500
S3_READS_S = 5_500
# AWS, "Amazon S3 pricing", S3 Standard in us-east-1, in dollars: a thousand PUT, COPY, POST or LIST
# requests; a thousand GET, HEAD and others; a gigabyte for a month. DELETE costs nothing.
S3_WRITES_COST = 0.005
S3_READS_COST = 0.0004
S3_GB_MONTH_COST = 0.023


@dataclass(frozen=True, kw_only=True)
class Pair:
    """A measurement of N units, and of ten times as many."""

    small: int
    large: int
    of_small: Costs
    of_large: Costs

    def unit(self, name: str) -> float:
        """What each further unit costs."""
        return (self.of_large[name] - self.of_small[name]) / (self.large - self.small)

    def beside(self, name: str) -> float:
        """What is left when each unit has been counted: the run's own."""
        return max(0.0, self.of_small[name] - self.small * self.unit(name))

    def growth(self, name: str) -> float:
        """How many times as much a unit costs among ten times as many."""
        return (self.of_large[name] / self.large) / (self.of_small[name] / self.small)


Found = Mapping[str, Pair]


def measure(sizes: Mapping[str, int] = SIZES, rounds: int = 1) -> dict[str, Pair]:
    """Measure everything, each in a process of its own.

    Parameters
    ----------
    sizes : mapping of str to int
        N of each.
    rounds : int
        How often what is told in seconds is measured.
    """
    found = {}
    for name, small in sizes.items():
        costs = {count: _best(name, count, rounds) for count in (small, 10 * small)}
        found[name] = Pair(
            small=small, large=10 * small, of_small=costs[small], of_large=costs[10 * small]
        )
        print(f"  {name}: {small:,} and {10 * small:,}", file=sys.stderr, flush=True)
    return found


def _best(name: str, count: int, rounds: int) -> Costs:
    made = [_once(name, count) for _ in range(rounds)]
    return {key: min(each[key] for each in made) for key in made[0]}


def _once(name: str, count: int) -> Costs:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.unit_costs", name, str(count)],
        cwd=Path(__file__).parents[1],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    costs: Costs = json.loads(done.stdout.splitlines()[-1])
    return costs


GROWING: Sequence[tuple[str, str, str]] = (
    ("instance of a map, computed: CPU", "map_here", "computed cpu_s"),
    ("instance of a map, computed: statements", "map_here", "computed statements"),
    ("instance of a map, computed: database, bytes", "map_here", "computed database_bytes"),
    ("instance of a map, computed: run.json, bytes", "map_here", "computed record_bytes"),
    ("instance of a map, reused: CPU", "map_here", "reused cpu_s"),
    ("instance of a map, reused: statements", "map_here", "reused statements"),
    ("instance of a map on S3: PUT", "map_on_s3", "computed PUT"),
    ("run in the history: database, bytes", "history", "database_bytes"),
    ("run in the history: CPU to list it", "history", "list cpu_s"),
    ("file in a folder artifact: CPU", "files_here", "cpu_s"),
    ("file in a folder artifact on S3: PUT", "files_on_s3", "computed PUT"),
    ("event of a run: CPU", "events", "cpu_s"),
    ("event of a run: bytes", "events", "bytes"),
)
"""A unit and what of it, the measurement, the cost."""


def growth(found: Found) -> dict[str, float]:
    """How many times as much each unit costs among ten times as many."""
    grown = {words: found[name].growth(cost) for words, name, cost in GROWING}
    history = found["history"]
    for words, cost in (("CPU", "one_more cpu_s"), ("statements", "one_more statements")):
        ratio = history.of_large[cost] / history.of_small[cost]
        grown[f"one more run among them: {words}"] = ratio
    return grown


@dataclass(frozen=True, kw_only=True)
class Share:
    """What a day asks of one thing, as a part of what it can give.

    Parameters
    ----------
    what : str
        The thing.
    each : str
        What a stage takes.
    daily : str
        What a day takes.
    limit : str
        What there is.
    share : float
        The part of it.
    """

    what: str
    each: str
    daily: str
    limit: str
    share: float


def day(found: Found) -> list[Share]:
    """What 100,000 computed stages a day ask for, the largest share first."""
    kernels, here, away = found["kernels"], found["map_here"], found["map_on_s3"]
    commits = here.unit("computed commits")
    # The rate at the larger size: what a commit costs, measured so often.
    commit_s = found["disk"].of_large["commit_s"]
    writes = _requests(away, ("PUT", "LIST", "POST", "DELETE"))
    reads = _requests(away, ("GET", "HEAD"))
    waiting_s = found["waiting"].unit("computed s")
    shares = [
        _cpu("kernels, one line each", kernels.unit("kernel cpu_s")),
        _cpu("driver", kernels.unit("driver cpu_s")),
        Share(
            what=f"driver's waiting for a store that answers after {AWAY_S * 1000:.0f} ms",
            each=f"{waiting_s * 1000:.0f} ms",
            daily=f"{waiting_s * STAGES_A_DAY / 3600:.1f} h",
            limit=f"24 h of one driver with {WORKERS_WAITING} workers",
            share=waiting_s * STAGES_A_DAY / DAY_S,
        ),
        Share(
            what="commits of SQLite",
            each=f"{commits:.1f}",
            daily=f"{_a_second(commits):.1f}/s",
            limit=f"{1 / commit_s:,.0f}/s on this disk",
            share=_a_second(commits) * commit_s,
        ),
        _of_s3("PUT, LIST, DELETE", writes, S3_WRITES_S),
        _of_s3("GET, HEAD", reads, S3_READS_S),
    ]
    return sorted(shares, key=lambda share: -share.share)


def _cpu(what: str, each_s: float) -> Share:
    return Share(
        what=f"CPU of the {what}",
        each=f"{each_s * 1000:.0f} ms",
        daily=f"{each_s * STAGES_A_DAY / 3600:.1f} h",
        limit="24 h of one core",
        share=each_s * STAGES_A_DAY / DAY_S,
    )


def _of_s3(what: str, each: float, limit_s: int) -> Share:
    return Share(
        what=f"requests to S3: {what}",
        each=f"{each:.1f}",
        daily=f"{_a_second(each):.1f}/s",
        limit=f"{limit_s:,}/s for each prefix",
        share=_a_second(each) / limit_s,
    )


def _requests(away: Pair, kinds: Sequence[str]) -> float:
    """Requests for a computed stage, with its share of those of a run."""
    return sum(
        away.unit(f"computed {kind}") + away.beside(f"computed {kind}") / STAGES_A_RUN
        for kind in kinds
    )


def _a_second(each: float) -> float:
    return each * STAGES_A_DAY / DAY_S


def text(found: Found) -> str:
    """Everything as Markdown."""
    return "\n".join([*_stage(found), *_requests_of(found), *_grown(found), *_day(found)]) + "\n"


_HERE = (
    ("driver's CPU, ms", "cpu_s", 1000, 2),
    ("SQLite: statements", "statements", 1, 1),
    ("SQLite: commits", "commits", 1, 1),
    ("SQLite: growth, bytes", "database_bytes", 1, 0),
    ("run.json, bytes", "record_bytes", 1, 0),
    ("events", "events", 1, 1),
    ("events.jsonl, bytes", "event_bytes", 1, 0),
    ("folder of the run, bytes", "disk_bytes", 1, 0),
    ("folder of the run, files", "files", 1, 1),
)


def _stage(found: Found) -> list[str]:
    pair = found["map_here"]
    lines = ["### A further stage, on local disk", ""]
    lines += ["| | computed | reused |", "|---|---|---|"]
    for words, name, times, digits in _HERE:
        cells = [f"{times * pair.unit(f'{what} {name}'):,.{digits}f}" for what in _KINDS[:2]]
        lines.append(f"| {words} | {cells[0]} | {cells[1]} |")
    kernels = found["kernels"]
    lines += [
        "",
        f"With a real kernel, forked, a notebook of one line takes "
        f"{1000 * kernels.unit('driver cpu_s'):.0f} ms of the driver's CPU and "
        f"{1000 * kernels.unit('kernel cpu_s'):.0f} ms of the kernel's. The driver's memory is "
        f"{pair.of_small['peak_bytes'] / 1e6:.0f} MB at {pair.small:,} instances and "
        f"{pair.of_large['peak_bytes'] / 1e6:.0f} MB at {pair.large:,}: "
        f"{pair.unit('peak_bytes') / 1e3:.0f} kB for each.",
        "",
    ]
    return lines


_KINDS = ("computed", "reused", "reused elsewhere")
_ON_S3 = ("PUT", "LIST", "GET", "HEAD", "DELETE")


def _requests_of(found: Found) -> list[str]:
    pair, files = found["map_on_s3"], found["files_on_s3"]
    lines = ["### A further stage, on S3", ""]
    lines += [
        f"| requests | {' | '.join(_KINDS)} | a run beside its stages |",
        "|---|---|---|---|---|",
    ]
    for kind in _ON_S3:
        cells = [f"{pair.unit(f'{what} {kind}'):.1f}" for what in _KINDS]
        lines.append(f"| {kind} | {' | '.join(cells)} | {pair.beside(f'computed {kind}'):.0f} |")
    for words, name in (("bytes sent", "bytes_in"), ("bytes received", "bytes_out")):
        cells = [f"{pair.unit(f'{what} {name}'):,.0f}" for what in _KINDS]
        lines.append(f"| {words} | {' | '.join(cells)} | {pair.beside(f'computed {name}'):,.0f} |")
    waiting = found["waiting"]
    lines += [
        "",
        f"A file of a folder artifact takes {files.unit('computed PUT'):.1f} PUT when it is "
        f"computed and {files.unit('reused elsewhere GET'):.1f} GET on another machine. Where the "
        f"store answers after {AWAY_S * 1000:.0f} ms, a computed stage takes "
        f"{1000 * waiting.unit('computed s'):.0f} ms with {WORKERS_WAITING} workers and a reused "
        f"one {1000 * waiting.unit('reused s'):.0f} ms.",
        "",
    ]
    return lines


def _grown(found: Found) -> list[str]:
    lines = ["### Ten times as many", ""]
    lines += ["| unit | N | at N | at 10 N | × |", "|---|---|---|---|---|"]
    for words, name, cost in GROWING:
        pair = found[name]
        cells = [pair.of_small[cost] / pair.small, pair.of_large[cost] / pair.large]
        shown = [_shown(cell, cost) for cell in cells]
        lines.append(
            f"| {words} | {pair.small:,} | {shown[0]} | {shown[1]} | {pair.growth(cost):.2f} |"
        )
    history = found["history"]
    for words, ratio in growth(found).items():
        if words.startswith("one more run"):
            cost = "one_more cpu_s" if words.endswith("CPU") else "one_more statements"
            shown = [_shown(each[cost], cost) for each in (history.of_small, history.of_large)]
            lines.append(f"| {words} | {history.small:,} | {shown[0]} | {shown[1]} | {ratio:.2f} |")
    return [*lines, ""]


def _shown(value: float, cost: str) -> str:
    if cost.endswith("cpu_s"):
        return f"{1000 * value:.3f} ms"
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


def _day(found: Found) -> list[str]:
    shares = day(found)
    lines = [f"### {STAGES_A_DAY:,} stages a day, in runs of {STAGES_A_RUN}", ""]
    lines += ["| | a stage | the day | there is | share |", "|---|---|---|---|---|"]
    lines += [
        f"| {each.what} | {each.each} | {each.daily} | {each.limit} | {100 * each.share:.1f} % |"
        for each in shares
    ]
    here, away = found["map_here"], found["map_on_s3"]
    paid = _requests(away, ("PUT", "LIST", "POST")) * S3_WRITES_COST
    paid += _requests(away, ("GET", "HEAD")) * S3_READS_COST
    grown = here.unit("computed database_bytes") * STAGES_A_DAY
    folder = here.unit("computed disk_bytes") * STAGES_A_DAY
    files = here.unit("computed files") * STAGES_A_DAY
    sent = away.unit("computed bytes_in") * STAGES_A_DAY
    lines += [
        "",
        f"**First: {shares[0].what}.** Then: {shares[1].what}.",
        "",
        f"The day adds {grown / 1e9:.2f} GB to the database and {folder / 1e9:.2f} GB "
        f"in {files:,.0f} files to the runs folder. It sends {sent / 1e9:.2f} GB to the bucket, "
        f"beside larger artifacts. Its requests cost ${paid * STAGES_A_DAY / 1000:.2f}, and what "
        f"it has sent ${sent / 1e9 * S3_GB_MONTH_COST:.2f} for each month that it is kept.",
        "",
    ]
    return lines


def main() -> int:
    """Measure, print, and say by the exit status whether every unit costs what it did."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.units", description=__doc__)
    parser.add_argument("--full", action="store_true", help="ten times as many")
    parser.add_argument("--rounds", type=int, default=2, help="for seconds (default 2)")
    parser.add_argument("--write", action="store_true", help="write docs/scale.md")
    asked = parser.parse_args()
    sizes = {n: 10 * size if asked.full and n in FULL else size for n, size in SIZES.items()}
    found = measure(sizes, asked.rounds)
    print(text(found))
    if asked.write:
        written(SCALE, "units", text(found))
    dear = {words: ratio for words, ratio in growth(found).items() if ratio > MOST_GROWTH}
    for words, ratio in dear.items():
        print(f"{words}: {ratio:.2f} ×, goal {MOST_GROWTH} ×: missed")
    return 1 if dear else 0


if __name__ == "__main__":
    sys.exit(main())
