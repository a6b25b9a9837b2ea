"""What a view tells of one stage of a run: why it ran, its notebook, log, artifacts and error."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from mlkit.core.durations import format_duration
from mlkit.core.record import ArtifactRecord, AttemptRecord, RunRecord, StageRecord
from mlkit.core.states import FINISHED, Status
from mlkit.core.values import shown
from mlkit.observe.signs import SIGNS
from mlkit.reports.ansi import ansi_to_html
from mlkit.reports.bars import number
from mlkit.reports.curves import curve_groups, draw_curves
from mlkit.reports.report_parts import format_size, stage_folder, tail_of, view_failure
from mlkit.reports.svg import text
from mlkit.widgets.kit.server_links import Server, link
from mlkit.widgets.views.artifact_preview import preview

__all__ = ["instances_html", "pick_button", "stage_html"]

_MOST_METRICS = 40
_MOST_CURVES = 6


def instances_html(stage: str, items: Sequence[StageRecord]) -> str:
    """List the instances of a mapped stage, each to be picked."""
    rows = "".join(
        f'<tr class="state-{item.status.value}"><td>{pick_button(item.id, item.id)}</td>'
        f'<td class="mlkit-state">{_state(item)}</td></tr>'
        for item in items
    )
    title = f"<h4>{text(stage)}: {len(items)} instances</h4><p>Choose one to see more of it.</p>"
    head = "<thead><tr><th>instance</th><th>state</th></tr></thead>"
    return f'{title}<table class="mlkit-table">{head}<tbody>{rows}</tbody></table>'


def pick_button(name: str, words: str) -> str:
    """Write a button, in the looks of a link, with which something in markup is picked."""
    return (
        f'<button type="button" class="mlkit-link" data-pick="{text(name)}">{text(words)}</button>'
    )


def _state(item: StageRecord) -> str:
    took = f" in {format_duration(item.seconds)}" if item.history and item.ended else ""
    return f"{SIGNS[item.status]}{took}"


def stage_html(
    record: RunRecord, item: StageRecord, server: Server | None, source: Path | None
) -> str:
    """Tell everything about one stage, or one instance of a mapped stage.

    Parameters
    ----------
    record : RunRecord
        The run.
    item : StageRecord
        The stage in it.
    server : Server or None
        Where links lead.
    source : Path or None
        The stage's notebook as it stands in the pipeline, if that is known.
    """
    return "".join(_parts(record, item, server, source))


def _parts(
    record: RunRecord, item: StageRecord, server: Server | None, source: Path | None
) -> Iterator[str]:
    state = f'<span class="mlkit-state">{_state(item)}</span>'
    yield f'<h4 class="state-{item.status.value}">{text(item.id)} · {state}</h4>'
    if item.reason and not item.error:
        yield f"<p><b>{_why(item)}</b> {text(_sentence(item.reason))}</p>"
    if item.attempts > 1:
        yield _attempts(item)
    if item.error is not None and item.status is Status.FAILED:
        yield _error(record, item)
    yield _files(record, item, server, source)
    if item.metrics:
        yield _metrics(item)
    if item.parameters:
        yield _parameters(item)
    if item.artifacts:
        yield _artifacts(item, server)


def _why(item: StageRecord) -> str:
    if item.status in (Status.RUNNING, Status.SUCCEEDED):
        return "Why it ran:"
    return "Why it did not run:" if item.status in FINISHED and not item.history else "Why:"


def _sentence(reason: str) -> str:
    return reason if reason.endswith((".", "!", "?")) else f"{reason}."


def _attempts(item: StageRecord) -> str:
    return f"<ul>{''.join(map(_attempt, item.history))}</ul>"


def _attempt(attempt: AttemptRecord) -> str:
    error = attempt.error
    why = text(f", {error.type}: {error.message}") if error is not None else ""
    took = format_duration(attempt.seconds)
    return f"<li>attempt {attempt.number}: {SIGNS[attempt.status]} in {took}{why}</li>"


def _error(record: RunRecord, item: StageRecord) -> str:
    failure = view_failure(record, item)
    cell = f", in {failure.place}" if failure.place else ""
    said = f"{failure.error}: {failure.message}"
    parts = [f'<div class="mlkit-problem">✗ It failed{cell}. <b>{text(said)}</b></div>']
    if failure.traceback:
        shown = f"<pre>{failure.traceback}</pre>"
        parts.append(f"<details><summary>Traceback</summary>{shown}</details>")
    return "".join(parts)


def _files(record: RunRecord, item: StageRecord, server: Server | None, source: Path | None) -> str:
    """Links to the executed notebook, the stage's own one and the log, and the log's end."""
    folder = stage_folder(record, item.id)
    last = folder / "attempts" / str(max(1, item.attempts))
    places = (folder / "notebook.ipynb", last / "notebook.ipynb")
    if item.status is Status.FAILED:
        places = (last / "notebook.ipynb", folder / "notebook.ipynb")
    executed = next((path for path in places if path.exists()), None)
    links = [link(executed, "executed notebook", server)] if executed else []
    if source is not None:
        links.append(link(source, "the stage's notebook", server))
    log = last / "log.txt"
    tail = tail_of(log)
    fold = ""
    if log.exists():
        links.append(link(log, "log", server))
        shown = ansi_to_html(tail) if tail.strip() else "It printed nothing."
        fold = f"<details><summary>The end of its log</summary><pre>{shown}</pre></details>"
    if not links:  # a stage that never began
        return ""
    return f"<p><b>Open:</b> {' · '.join(links)}</p>{fold}"


def _metrics(item: StageRecord) -> str:
    """What the stage measured, and how what it logged step by step went."""
    numbers = item.metrics or {}
    rows = "".join(
        f'<tr><td><code>{text(name)}</code></td><td class="number">{text(number(value))}</td></tr>'
        for name, value in list(numbers.items())[:_MOST_METRICS]
    )
    more = len(numbers) - _MOST_METRICS
    rest = f"<p>and {more} more in its record</p>" if more > 0 else ""
    groups = curve_groups([item])[:_MOST_CURVES]
    curves = "".join(f'<div class="mlkit-scroll">{draw_curves(group)}</div>' for group in groups)
    table = f'<table class="mlkit-table"><tbody>{rows}</tbody></table>'
    return f"<p><b>Measured</b></p>{table}{rest}{curves}"


def _parameters(item: StageRecord) -> str:
    rows = "".join(
        f"<tr><td><code>{text(name)}</code></td><td><code>{text(shown(value))}</code></td></tr>"
        for name, value in item.parameters.items()
    )
    table = f'<table class="mlkit-table"><tbody>{rows}</tbody></table>'
    return f"<details><summary>Parameters ({len(item.parameters)})</summary>{table}</details>"


def _artifacts(item: StageRecord, server: Server | None) -> str:
    rows = "".join(_artifact(name, made, server) for name, made in item.artifacts.items())
    head = "<tr><th>artifact</th><th>file</th><th>size</th><th>sha256</th></tr>"
    table = (
        f'<table class="mlkit-table artifacts"><thead>{head}</thead><tbody>{rows}</tbody></table>'
    )
    looks = "".join(_look(name, made) for name, made in item.artifacts.items())
    return f"{table}{looks}"


def _artifact(name: str, made: ArtifactRecord, server: Server | None) -> str:
    path = Path(made.path)
    name_there = f"{path.name}/" if made.is_folder else path.name
    shown = link(path, name_there, server) if server is not None else text(name_there)
    return (
        f"<tr><td>{text(name)}</td><td>{shown}</td>"
        f'<td class="number">{format_size(made.size_bytes)}</td>'
        f"<td><code>{made.digest[:10]}…</code></td></tr>"
    )


def _look(name: str, made: ArtifactRecord) -> str:
    shown = preview(Path(made.path), name)
    return f"<details><summary>Look at {text(name)}</summary>{shown}</details>" if shown else ""
