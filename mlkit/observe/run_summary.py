"""What a run's end means, in one sentence, and what to do next."""

from __future__ import annotations

import datetime as dt
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePath
from typing import Protocol

from mlkit.core.durations import format_duration
from mlkit.core.record import RunRecord, StageRecord
from mlkit.core.record_views import last_moment
from mlkit.core.states import RunStatus, Status
from mlkit.core.values import safe_name
from mlkit.frozen import dataclass
from mlkit.observe.layout import cell_width, near, paragraph
from mlkit.observe.notes import note_lines
from mlkit.observe.signs import RUN_SIGNS, SIGNS

__all__ = [
    "NextStep",
    "Placed",
    "Verdict",
    "command",
    "failures",
    "judge_run",
    "step_lines",
    "summary",
    "verdict_text",
]

_DEFAULT_PIPELINE = PurePath("notebooks/flights")
_MOST_MESSAGE = 300


@dataclass(frozen=True, kw_only=True)
class NextStep:
    """A command that helps now, and what it does."""

    command: str
    purpose: str


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """The sentence that comes first, and the steps that come next.

    `brief` is the sentence for where the failures are told already.
    """

    sentence: str
    brief: str
    steps: tuple[NextStep, ...] = ()


class Placed(Protocol):
    """What has a pipeline and a runs folder."""

    @property
    def file(self) -> str:
        """The pipeline.yaml."""
        ...

    @property
    def runs_dir(self) -> str:
        """The runs folder."""
        ...


def command(record: Placed, *words: str, folder: Path) -> str:
    """Write a command line about a run that works when typed in a folder.

    Parameters
    ----------
    record : Placed
        The run; its pipeline and runs folder are named only where the defaults would miss them.
    *words : str
        The command and its arguments up to PIPELINE.
    folder : Path
        Where the command will be typed.
    """
    home = Path(record.file).parent
    parts = ["mlkit", *words]
    has_own = folder == home
    if not has_own and home != folder / _DEFAULT_PIPELINE:
        shown = home.relative_to(folder) if home.is_relative_to(folder) else home
        parts.append(str(shown))
    if record.runs_dir and Path(record.runs_dir) != home / "runs":
        parts += ["--runs-dir", record.runs_dir]
    return shlex.join(parts)


def failures(record: RunRecord) -> tuple[StageRecord, ...]:
    """Give the stages that failed, critical ones first."""
    failed = [item for item in record.stages.values() if item.status is Status.FAILED]
    return tuple(sorted(failed, key=lambda item: not item.critical))


def judge_run(record: RunRecord, folder: Path, kept: Mapping[str, str] | None = None) -> Verdict:
    """Say how a run ended and what to do about it.

    Parameters
    ----------
    record : RunRecord
        The run.
    folder : Path
        Where the suggested commands will be typed.
    kept : mapping of str to str, optional
        Until when the kernel of a stage is kept, by the stage.
    """
    name = f"Run {record.run_id} of pipeline {record.pipeline}"
    took = format_duration(record.seconds)
    if record.status is RunStatus.SUCCEEDED:
        brief = f"{name} succeeded in {took}: {_counts(record)}."
        return Verdict(
            sentence=brief + _tolerated(record),
            brief=brief,
            steps=_debug_steps(record, folder, kept or {}),
        )
    resume = NextStep(
        command=command(record, "resume", record.run_id, folder=folder),
        purpose="finish this run; what is done is not done again",
    )
    if record.status is RunStatus.FAILED:
        return Verdict(
            sentence=f"{name} failed after {took}: {_blame(record)}",
            brief=f"{name} failed after {took}: {_counts(record)}.",
            steps=(*_debug_steps(record, folder, kept or {}), resume),
        )
    if record.status is RunStatus.CANCELLED:
        sentence = f"{name} was cancelled after {took}: {_counts(record)}."
    elif record.status is RunStatus.KILLED:
        sentence = f"{name} was killed: its process is gone, and {_counts(record)}."
    elif record.status is RunStatus.WAITING:
        since = dt.datetime.fromtimestamp(last_moment(record), dt.UTC)
        sentence = (
            f"{name} waits for its engine since {since:%Y-%m-%d %H:%M} UTC: {_counts(record)}."
        )
        resume = replace(resume, purpose="finish this run here, if its engine has given it up")
    else:
        sentence = f"{name} is not finished: {_counts(record)}."
    live = [item for item in failures(record) if item.id in (kept or {})]
    steps = tuple(_live_step(item, record, folder, (kept or {})[item.id]) for item in live)
    return Verdict(sentence=sentence, brief=sentence, steps=(*steps, resume))


def _debug_steps(record: RunRecord, folder: Path, kept: Mapping[str, str]) -> tuple[NextStep, ...]:
    failed = sorted(failures(record), key=lambda item: item.id not in kept)
    return tuple(
        _live_step(item, record, folder, kept[item.id])
        if item.id in kept
        else NextStep(
            command=command(record, "debug", record.run_id, item.id, folder=folder),
            purpose=f"open {item.id} in JupyterLab as it was when it failed",
        )
        for item in failed[:3]
    )


def _live_step(item: StageRecord, record: RunRecord, folder: Path, until: str) -> NextStep:
    return NextStep(
        command=command(record, "debug", record.run_id, item.id, "--live", folder=folder),
        purpose=f"kernel kept until {until}: go on where {item.id} failed, with its variables",
    )


def _counts(record: RunRecord) -> str:
    """`12 stages succeeded, 2 cached, 1 skipped`."""
    statuses = [item.status for item in record.stages.values()]
    found = [(status, statuses.count(status)) for status in Status if status in statuses]
    words = [f"{count} {SIGNS[status].word}" for status, count in found]
    if not words:
        return "no stage was selected"
    first, *rest = words
    count, _, word = first.partition(" ")
    return ", ".join([f"{count} stage{'' if count == '1' else 's'} {word}", *rest])


def _tolerated(record: RunRecord) -> str:
    names = ", ".join(item.id for item in failures(record))
    return f" Not critical, but failed: {names}." if names else ""


def _blame(record: RunRecord) -> str:
    failed = failures(record)
    if not failed:
        return f"{_counts(record)}."
    first = failed[0]
    parts = [f"{first.id} {_raised(first)}."]
    if len(failed) > 1:
        parts.append(f"Also failed: {', '.join(item.id for item in failed[1:])}.")
    statuses = [item.status for item in record.stages.values()]
    if blocked := statuses.count(Status.UPSTREAM_FAILED):
        many = "1 stage" if blocked == 1 else f"{blocked} stages"
        parts.append(f"Because of that {many} could not run.")
    return " ".join(parts)


def _raised(item: StageRecord) -> str:
    if item.error is None:
        return "failed"
    lines = item.error.message.strip().splitlines()
    message = lines[0] if lines else ""
    if len(message) > _MOST_MESSAGE:
        message = message[: _MOST_MESSAGE - 1] + "…"
    return f"raised {item.error.type}" + (f": {message.rstrip('.')}" if message else "")


def verdict_text(sentence: str, width: int) -> str:
    """Write a verdict on one line, or else what it consists of on lines of its own."""
    if cell_width(sentence) <= width:
        return sentence
    verdict, colon, facts = sentence.partition(": ")
    lines = [paragraph(verdict + colon.rstrip(), width, hanging="  ")]
    lines += [paragraph(facts, width, indent="  ", hanging="  ")] if facts else []
    return "\n".join(lines)


def step_lines(steps: Sequence[NextStep], width: int) -> list[str]:
    """Write commands with what they do; a command stands on one line, so that it can be copied."""
    wide = max((cell_width(step.command) for step in steps), default=0)
    gap = "  "
    lines = []
    for step in steps:
        padded = step.command + " " * (wide - cell_width(step.command))
        line = f"{gap}{padded}{gap}{step.purpose}"
        if all(2 + wide + 2 + cell_width(item.purpose) <= width for item in steps):
            lines.append(line)
        else:
            lines += [f"{gap}{step.command}", paragraph(step.purpose, width, indent="      ")]
    return lines


def summary(
    record: RunRecord,
    *,
    folder: Path,
    report: Path | None = None,
    latest: str | None = None,
    kept: Mapping[str, str] | None = None,
    width: int = 80,
) -> str:
    """Write a run's end for a terminal: failures, verdict, what to do, where things are.

    What a stage wrote into an artifact called `summary.md` is told, too.

    Parameters
    ----------
    record : RunRecord
        The run.
    folder : Path
        The working directory, for commands that can be typed as they stand.
    report : Path, optional
        The report, if one was written.
    latest : str, optional
        What `latest` shows now, where people could be mistaken.
    kept : mapping of str to str, optional
        As for `judge_run`.
    width : int
        The terminal's columns.
    """
    verdict = judge_run(record, folder, kept)
    lines: list[str] = []
    for item in failures(record):
        lines += _failure_lines(item, record, folder, width)
    lines += [paragraph(f"warning: {text}", width, hanging="  ") for text in record.warnings]
    lines += note_lines(record)
    lines.append(verdict_text(f"{RUN_SIGNS[record.status].glyph} {verdict.brief}", width))
    lines += step_lines(verdict.steps, width)
    place = Path(record.runs_dir) / record.run_id
    lines.append(f"  outputs: {near(place, folder)}")
    if report is not None:
        lines.append(f"  report:  {near(report, folder)}")
    if latest is not None:
        lines.append(paragraph(latest, width, indent="  latest:  ", hanging=" " * 11))
    return "\n".join(lines)


def _failure_lines(item: StageRecord, record: RunRecord, folder: Path, width: int) -> list[str]:
    facts = [] if item.critical else ["not critical"]
    if item.error is not None and item.error.cell is not None:
        facts.append(item.error.place or f"cell {item.error.cell + 1} of its notebook")
    if item.attempts > 1:
        facts.append(f"{item.attempts} attempts")
    place = f" ({', '.join(facts)})" if facts else ""
    lines = [
        paragraph(
            f"{SIGNS[item.status].glyph} {item.id} {_raised(item)}{place}", width, hanging="  "
        )
    ]
    if item.attempts:  # a list that is none, or a condition, fails a stage before its notebook runs
        attempts = Path(record.runs_dir) / record.run_id / safe_name(item.id) / "attempts"
        log = attempts / str(item.attempts) / "log.txt"
        lines.append(f"  log: {near(log, folder)}")
    return lines
