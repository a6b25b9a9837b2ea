"""Runs and stages as tables of text, for the terminal."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from mlkit.core.durations import format_duration
from mlkit.core.record import RunRecord, StageRecord
from mlkit.core.states import Status
from mlkit.core.values import shown
from mlkit.observe.layout import columns, near, paragraph
from mlkit.observe.run_summary import judge_run, step_lines, verdict_text
from mlkit.observe.signs import RUN_SIGNS, SIGNS
from mlkit.reports.folder_look import folder_look
from mlkit.reports.metrics import stage_metrics
from mlkit.reports.report_parts import format_size
from mlkit.reports.run_table import number_text
from mlkit.store.tracking import Logged

__all__ = ["show_text", "tracked_text"]

_MOST_REASON = 160
_INPUT_CHANGED = re.compile(r"input (\w+) changed")
_MOST_INSTANCES = 12
"""The metrics of more instances are told as spans."""
_WORST = (Status.FAILED, Status.CANCELLED, Status.RUNNING)
"""An instance that is one of these has a line of its own."""


def show_text(
    record: RunRecord,
    *,
    folder: Path,
    width: int = 80,
    instances: bool = False,
    kept: Mapping[str, str] | None = None,
) -> str:
    """Show one run: the verdict, its parameters, its stages, their metrics and outputs.

    Parameters
    ----------
    record : RunRecord
        The run.
    folder : Path
        Where the suggested commands will be typed; paths are relative to it.
    width : int
        The terminal's columns.
    instances : bool
        Give each instance of a mapped stage a line of its own, also where all say the same.
    kept : mapping of str to str, optional
        Until when the kernel of a stage is kept, by the stage.
    """
    verdict = judge_run(record, folder, kept)
    parts = [verdict_text(f"{RUN_SIGNS[record.status].glyph} {verdict.sentence}", width)]
    parts += step_lines(verdict.steps, width)
    parts += [paragraph(f"warning: {text}", width, hanging="  ") for text in record.warnings]
    if record.engine:
        parts.append(f"engine: {record.engine['name']}, its run {record.engine['run_id'] or '?'}")
    if record.labels:
        parts.append(f"name: {', '.join(record.labels)}")
    if record.note:
        parts.append(paragraph(f"note: {record.note}", width, hanging="  "))
    if record.group:
        parts.append(f"sweep: {record.group}")
    if record.options.get("profile"):
        parts.append(f"profile: {record.options['profile']}")
    if record.chosen:
        values = [(name, shown(value)) for name, value in record.chosen.items()]
        parts.append(f"\nParameters\n{columns(values, width, indent='  ')}")
    rows = [_stage_row(name, items) for name, items in _alike(record, one_by_one=instances)]
    if rows:
        parts.append(f"\n{columns(rows, width, head=_HEAD)}")
    parts += _metrics(record, width, one_by_one=instances)
    parts += _outputs(record, folder, width, one_by_one=instances)
    return "\n".join(parts)


def tracked_text(runs: Sequence[Logged], width: int) -> str:
    """List what the stages have logged with MLflow: stage, MLflow's name, metrics, parameters."""
    rows = [
        (
            item.stage,
            item.name,
            ", ".join(f"{name} {value:.6g}" for name, value in item.metrics),
            ", ".join(f"{name}={value}" for name, value in item.params),
        )
        for item in runs
    ]
    return f"\nLogged with MLflow\n{columns(rows, width, indent='  ')}"


_HEAD = ("STAGE", "STATE", "ATTEMPTS", "TOOK", "CPU", "MEMORY", "TASK", "WHY")


def _alike(record: RunRecord, *, one_by_one: bool) -> Iterator[tuple[str, list[StageRecord]]]:
    """Gather instances of a mapped stage of which the same is to be said."""
    stages: dict[str, list[StageRecord]] = {}
    for item in record.stages.values():
        stages.setdefault(item.stage, []).append(item)
    for stage, items in stages.items():
        groups: dict[object, list[StageRecord]] = {}
        for item in items:
            alone = one_by_one or item.status in _WORST
            key = item.id if alone else (item.status, _why(item), item.attempts > 1)
            groups.setdefault(key, []).append(item)
        for group in groups.values():
            if len(group) == 1:
                yield group[0].id, group
            else:
                yield f"{stage} ({len(group)} of {len(items)})", group


def _stage_row(name: str, items: Sequence[StageRecord]) -> tuple[str, ...]:
    attempts = [attempt for item in items for attempt in item.history]
    cpu = [a.cpu_s for a in attempts if a.cpu_s is not None]
    memory = [a.peak_memory_bytes for a in attempts if a.peak_memory_bytes is not None]
    most = max(item.attempts for item in items)
    started = [item.started for item in items if item.started is not None]
    ended = [item.ended for item in items if item.ended is not None]
    took = items[0].seconds if len(items) == 1 else max(ended, default=0) - min(started, default=0)
    return (
        name,
        str(SIGNS[items[0].status]),
        _attempts_text(most, items),
        format_duration(took) if attempts else "",
        f"{sum(cpu):.1f} s" if cpu else "",
        format_size(max(memory)) if memory else "",
        (items[0].engine_task or "") if len(items) == 1 else "",
        _why(items[0]),
    )


def _attempts_text(most: int, items: Sequence[StageRecord]) -> str:
    """How many attempts there were, where that says something: `2`, `2 (1 lost)`."""
    lost = sum(a.status is Status.LOST for item in items for a in item.history)
    shown = str(most) if most > 1 or lost else ""
    return f"{shown} ({lost} lost)" if lost else shown


def _metrics(record: RunRecord, width: int, *, one_by_one: bool) -> Iterator[str]:
    """What each stage measured, also the one that failed later; of many instances the spans."""
    measured: dict[str, dict[str, Mapping[str, float]]] = {}
    for item in record.stages.values():
        found = stage_metrics(record, item) if item.metrics is None else item.metrics
        if found:
            measured.setdefault(item.stage, {})[item.id] = found
    rows: list[tuple[str, str]] = []
    for stage, items in measured.items():
        if len(items) > _MOST_INSTANCES and not one_by_one:
            rows.append((f"{stage} ({len(items)} instances)", _spans(items.values())))
            continue
        for name, found in items.items():
            rows.append((name, ", ".join(f"{key}={number_text(found[key])}" for key in found)))
    if rows:
        yield f"\nMetrics\n{columns(rows, width, indent='  ')}"


def _spans(found: Iterable[Mapping[str, float]]) -> str:
    values: dict[str, list[float]] = {}
    for numbers in found:
        for name, value in numbers.items():
            values.setdefault(name, []).append(value)
    ends = {name: (number_text(min(of)), number_text(max(of))) for name, of in values.items()}
    return ", ".join(
        f"{name}={low}" if low == high else f"{name}={low}…{high}"
        for name, (low, high) in ends.items()
    )


def _outputs(record: RunRecord, folder: Path, width: int, *, one_by_one: bool) -> Iterator[str]:
    """The files, below the folder that holds them all."""
    home = Path(record.runs_dir) / record.run_id
    rows: dict[tuple[str, str], list[tuple[str, int, str]]] = {}
    missing: dict[tuple[str, str], list[str]] = {}
    for item in record.stages.values():
        for name, artifact in item.artifacts.items():
            place = item.id if one_by_one else item.stage
            shown = near(Path(artifact.path), home) + ("/" if artifact.is_folder else "")
            said = artifact.digest[:10]
            if artifact.is_folder and (look := folder_look(Path(artifact.path))) is not None:
                said = f"{said}  {look.count}"
            rows.setdefault((place, name), []).append((shown, artifact.size_bytes, said))
        for name in item.absent:
            place = item.id if one_by_one else item.stage
            rows.setdefault((place, name), [])
            missing.setdefault((place, name), []).append(item.id)
    cells = [
        line
        for (place, name), files in rows.items()
        for line in _output_lines(place, name, files, missing.get((place, name), []))
    ]
    if cells:
        yield f"\nOutputs, in {near(home, folder)}"
        yield columns(cells, width, indent="  ")


def _output_lines(
    stage: str, name: str, files: Sequence[tuple[str, int, str]], missing: Sequence[str]
) -> Iterator[tuple[str, str, str]]:
    """What the instances wrote under one name, then those that left it out."""
    if len(files) == 1:
        path, size, said = files[0]
        yield path, format_size(size), said
    elif files:
        is_folder = files[0][0].endswith("/")
        yield (
            f"{stage}[…]/{Path(files[0][0]).name}{'/' if is_folder else ''}",
            format_size(sum(size for _, size, _ in files)),
            f"{len(files)} {'folders' if is_folder else 'files'}",
        )
    if len(missing) == 1:
        yield f"{missing[0]}: no '{name}'", "", "optional"
    elif missing:
        yield f"{stage}[…]: no '{name}'", "", f"optional, missing in {len(missing)}"


def _inputs_together(reason: str) -> str:
    """Name inputs that changed in one breath."""
    parts = reason.split("; ")
    found = [match[1] for part in parts if (match := _INPUT_CHANGED.fullmatch(part))]
    if len(found) < 2:
        return reason
    rest = [part for part in parts if not _INPUT_CHANGED.fullmatch(part)]
    return "; ".join([*rest, f"inputs changed: {', '.join(found)}"])


def _why(item: StageRecord) -> str:
    words = _inputs_together(item.reason)
    if item.status is Status.FAILED and item.error is not None:
        words = f"{item.error.type}: {item.error.message}"
    words = " ".join(words.split())
    return words if len(words) <= _MOST_REASON else words[: _MOST_REASON - 1] + "…"
