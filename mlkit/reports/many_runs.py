"""Many runs side by side: what differs between them, and nothing of what is the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from itertools import count
from typing import Any

from mlkit.core.record import RunRecord
from mlkit.core.run_row import RunRow
from mlkit.core.values import canonical, shown
from mlkit.frozen import dataclass
from mlkit.observe.layout import broken, columns, fold
from mlkit.reports.changes import CodeChange
from mlkit.reports.comparison import code_change
from mlkit.reports.run_table import number_text, state_text

__all__ = ["Difference", "Interval", "ManyRuns", "Traced", "compare_many", "letters"]

Traced = Mapping[str, Mapping[str, Any]]
"""What is known of a stage's result, by the stage: `parts` and `observed`, as they are kept."""

_INDENT = "  "
_MOST_VERSIONS = 4
_LOW, _HIGH = ("_low", "_lower", ".low", ".lower"), ("_high", "_upper", ".high", ".upper")


@dataclass(frozen=True, kw_only=True)
class Interval:
    """Where a metric lies: its value, and the ends of an interval around it if it has one."""

    value: float
    low: float | None = None
    high: float | None = None

    def __str__(self) -> str:
        """`0.6973 [0.65, 0.746]`."""
        if self.low is None or self.high is None:
            return number_text(self.value)
        ends = f"[{number_text(self.low)}, {number_text(self.high)}]"
        return f"{number_text(self.value)} {ends}"


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One thing that is not the same in all runs.

    Parameters
    ----------
    kind : str
        `parameter`, `setting` (kernel, Python, profile, environment), `file`, `package`, `metric`.
    name : str
        Which one.
    values : tuple of object
        One for each run, None where a run has none: a value, a digest, a version, an `Interval`.
    """

    kind: str
    name: str
    values: tuple[Any, ...]


@dataclass(frozen=True, kw_only=True)
class CodeVersions:
    """The versions of one stage's code: which runs have which, and what differs from the first.

    Parameters
    ----------
    stage : str
        The stage.
    runs : tuple of tuple of int
        For each version the places of its runs.
    changes : tuple of CodeChange or None
        For each version after the first, its cells against the first one's.
    """

    stage: str
    runs: tuple[tuple[int, ...], ...]
    changes: tuple[CodeChange | None, ...]


@dataclass(frozen=True, kw_only=True)
class ManyRuns:
    """What differs between runs.

    Parameters
    ----------
    rows : tuple of RunRow
        The runs, in the order in which they were named.
    differences : tuple of Difference
        Causes first, then what was measured.
    code : tuple of CodeVersions
        The stages whose code is not the same in all.
    equal : mapping of str to int
        How many things of each kind are the same in all.
    """

    rows: tuple[RunRow, ...]
    differences: tuple[Difference, ...]
    code: tuple[CodeVersions, ...]
    equal: Mapping[str, int]

    def of(self, kind: str) -> list[Difference]:
        """The differences of one kind."""
        return [found for found in self.differences if found.kind == kind]

    def to_json(self) -> dict[str, Any]:
        """The comparison as JSON; a run that has no such thing has null there."""
        return {
            "runs": [
                {"run_id": r.run_id, "labels": list(r.labels), "status": r.state} for r in self.rows
            ],
            "differences": [
                {
                    "kind": found.kind,
                    "name": found.name,
                    "values": [
                        asdict(value) if isinstance(value, Interval) else value
                        for value in found.values
                    ],
                }
                for found in self.differences
            ],
            "code": [
                {"stage": versions.stage, "versions": [list(runs) for runs in versions.runs]}
                for versions in self.code
            ],
            "equal": dict(self.equal),
        }

    def to_text(self, width: int = 80) -> str:
        """The comparison for a terminal: the runs by letters, then what differs, causes first."""
        names = letters(len(self.rows))
        head = [
            (name, row.run_id, ", ".join(row.labels), state_text(row))
            for name, row in zip(names, self.rows, strict=True)
        ]
        parts = [columns(head, width, whole=(0, 1))]
        for title, kinds in _SECTIONS:
            found = [f for kind in kinds for f in self.of(kind)]
            if found:
                parts.append(f"{title}\n{_table(found, names, width)}")
            if kinds == ("parameter",) and self.code:
                lines = [line for versions in self.code for line in _code(versions, names, width)]
                parts.append("\n".join(["Code", *lines]))
        if len(parts) == 1:
            parts.append("No difference.")
        same = ", ".join(f"{number} {_many(kind, number)}" for kind, number in self.equal.items())
        if same:
            parts.append("\n".join(fold(f"The same in all: {same}.", width)))
        return "\n\n".join(parts)


_SECTIONS = (
    ("Parameters", ("parameter",)),
    ("Settings", ("setting",)),
    ("Files", ("file",)),
    ("Packages", ("package",)),
    ("Metrics", ("metric",)),
)


def letters(number: int) -> list[str]:
    """Short names for so many runs: A, B, …, Z, A2, …."""
    return [chr(65 + n % 26) + (str(n // 26 + 1) if n >= 26 else "") for n in range(number)]


def compare_many(
    records: Sequence[RunRecord],
    rows: Sequence[RunRow],
    traced: Sequence[Traced],
) -> ManyRuns:
    """Find what differs between runs.

    Parameters
    ----------
    records : sequence of RunRecord
        The runs.
    rows : sequence of RunRow
        The same runs as the table has them.
    traced : sequence of mapping
        What is known of their stages' results.
    """
    differences: list[Difference] = []
    equal: dict[str, int] = {}
    numbers = range(len(records))
    for kind, found, known in (
        ("parameter", [_parameters(records[n]) for n in numbers], None),
        ("setting", [_profile(records[n]) for n in numbers], None),
        *((kind, list(map(gather, traced)), _known(traced, gather)) for kind, gather in _TRACED),
        ("metric", [_metrics(rows[n].metrics) for n in numbers], None),
    ):
        for name in dict.fromkeys(name for each in found for name in each):
            values = tuple(each.get(name) for each in found)
            asked = [values[n] for n in numbers if known is None or n in known[name]]
            if len({_identity(value) for value in asked}) > 1:
                differences.append(Difference(kind=kind, name=name, values=values))
            else:
                equal[kind] = equal.get(kind, 0) + 1
    code = tuple(_versions(records, traced))
    told = {d.name for d in differences if d.kind == "parameter" and "." not in d.name}
    kept = [d for d in differences if not _is_told(d, told)]
    return ManyRuns(rows=tuple(rows), differences=tuple(kept), code=code, equal=equal)


def _is_told(found: Difference, told: set[str]) -> bool:
    """Whether a stage's parameter differs because the pipeline's of that name does."""
    return found.kind == "parameter" and found.name.rpartition(".")[2] in told - {found.name}


def _identity(value: Any) -> str:
    return repr(value) if isinstance(value, Interval) else canonical(value)


def _parameters(record: RunRecord) -> dict[str, Any]:
    own: dict[str, Any] = dict(record.parameters)
    for item in record.stages.values():
        for name, value in item.parameters.items():
            is_own = name not in record.parameters or record.parameters[name] != value
            if is_own and item.id == item.stage:
                own[f"{item.stage}.{name}"] = value
    return {name: shown(value) for name, value in own.items()}


def _profile(record: RunRecord) -> dict[str, Any]:
    return {"profile": record.options["profile"]} if record.options.get("profile") else {}


def _known(
    traced: Sequence[Traced], gather: Callable[[Traced], dict[str, Any]]
) -> dict[str, set[int]]:
    """Which runs can say something of a name: those that have a result of one of its stages.

    A run that failed before a stage uses other packages no more than it uses the same ones.
    """
    stages: dict[str, set[str]] = {}
    for each in traced:
        for instance, result in each.items():
            for name in gather({instance: result}):
                stages.setdefault(name, set()).add(instance.partition("[")[0])
    ran = [set(_by_stage(each)) for each in traced]
    return {name: {n for n, own in enumerate(ran) if own & those} for name, those in stages.items()}


def _settings(traced: Traced) -> dict[str, Any]:
    found: dict[str, Any] = {}
    by_stage = _by_stage(traced)
    versions = {result["parts"].get("python") for result in by_stage.values()} - {"", None}
    found["Python"] = ", ".join(sorted(versions)) or None
    for stage, result in by_stage.items():
        parts = result["parts"]
        found[f"kernel of {stage}"] = parts.get("kernel") or "mlkit's own"
        for name, value in parts.get("env", {}).items():
            found[f"env {name} of {stage}"] = value
        for name, digest in result["observed"].get("environment", {}).get("read", {}).items():
            found[f"variable {name}"] = None if digest is None else f"value {digest[:8]}"
    return found


def _files(traced: Traced) -> dict[str, Any]:
    found = {}
    for result in traced.values():
        for name, item in result["observed"].get("files", {}).items():
            root, _, relative = name.partition(":")
            place = relative if root in ("notebook", "path") else f"{relative} ({root})"
            found[place] = item["digest"][:10]
    return found


def _packages(traced: Traced) -> dict[str, Any]:
    return {
        name: version
        for result in traced.values()
        for name, version in result["observed"].get("packages", {}).items()
    }


_TRACED = (("setting", _settings), ("file", _files), ("package", _packages))
"""What is known of the results that a run has, not of the run."""


def _metrics(numbers: Mapping[str, float]) -> dict[str, Interval]:
    """Metrics by their names, each with its interval; the ends are no metrics of their own."""
    ends: set[str] = set()
    found: dict[str, Interval] = {}
    for name, value in numbers.items():
        base = name.removesuffix(".value")
        low = next((base + end for end in _LOW if base + end in numbers), None)
        high = next((base + end for end in _HIGH if base + end in numbers), None)
        if low is None or high is None:
            found[name] = Interval(value=value)
            continue
        ends |= {low, high}
        found[base] = Interval(value=value, low=numbers[low], high=numbers[high])
    return {name: value for name, value in found.items() if name not in ends}


def _by_stage(traced: Traced) -> Traced:
    """One result for each stage: the instances of a mapped one have their code in common."""
    found: dict[str, Mapping[str, Any]] = {}
    for name, result in traced.items():
        found.setdefault(name.partition("[")[0], result)
    return found


def _versions(records: Sequence[RunRecord], traced: Sequence[Traced]) -> Iterator[CodeVersions]:
    """The stages of which not all runs have the same cells."""
    by_stage = [_by_stage(each) for each in traced]
    for stage in dict.fromkeys(name for each in by_stage for name in each):
        groups: dict[tuple[str, ...], list[int]] = {}
        for place, each in enumerate(by_stage):
            if stage in each:
                cells = tuple(digest for digest, _ in each[stage]["parts"].get("cells", ()))
                groups.setdefault(cells, []).append(place)
        if len(groups) < 2:
            continue
        runs = tuple(tuple(places) for places in groups.values())
        first = records[runs[0][0]]
        yield CodeVersions(
            stage=stage,
            runs=runs,
            changes=tuple(
                None if number == 0 else code_change(stage, first, records[places[0]])
                for number, places in enumerate(runs)
            ),
        )


def _table(found: Sequence[Difference], names: Sequence[str], width: int) -> str:
    """A row for each difference, a column for each run; by values where runs are many."""
    head = ["", *names]
    rows = [[d.name, *("–" if value is None else str(value) for value in d.values)] for d in found]
    least = max(max(map(len, row[1:])) for row in rows)
    if len(names) * min(least + 2, 14) + 20 <= width:
        return columns(rows, width, indent=_INDENT, head=head)
    lines: list[str] = []
    for row in rows:
        lines += [f"{_INDENT}{line}" for line in fold(row[0], width - 2)]
        groups: dict[str, list[str]] = {}
        for name, value in zip(names, row[1:], strict=True):
            groups.setdefault(value, []).append(name)
        cells = [(" ".join(who), value) for value, who in groups.items()]
        lines += columns(cells, width, indent=_INDENT * 2).splitlines()
    return "\n".join(lines)


def _code(versions: CodeVersions, names: Sequence[str], width: int) -> Iterator[str]:
    for number, runs, change in zip(count(1), versions.runs, versions.changes, strict=False):
        who = " ".join(names[place] for place in runs)
        yield from (
            f"{_INDENT}{line}"
            for line in fold(f"{versions.stage}, version {number}: {who}", width - 2)
        )
        if change is None or number > _MOST_VERSIONS:
            continue
        if change.note:
            yield from (f"{_INDENT * 2}{line}" for line in fold(change.note, width - 4))
        for cell in change.cells:
            yield f"{_INDENT * 2}cell {cell.right or cell.left}"
            for line in cell.diff.splitlines()[2:]:
                yield from (f"{_INDENT * 3}{part}" for part in broken(line, width - 6))


def _many(kind: str, number: int) -> str:
    return kind if number == 1 else f"{kind}s"
