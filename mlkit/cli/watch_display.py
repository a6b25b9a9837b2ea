"""`mlkit run --watch`: what people are told of a watch, and how it ends."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any, NoReturn

import typer

from mlkit import api
from mlkit.cli.output import print_json, say
from mlkit.cli.run_display import end_text, observed
from mlkit.cli.run_options import Given, layers_of
from mlkit.driver.options import NOT_OFFERED, flag
from mlkit.errors import UsageError
from mlkit.observe.layout import paragraph, terminal_width

__all__ = ["watch_pipeline"]

_MOST_REASONS = 8


def watch_pipeline(
    path: Path,
    *,
    assignments: list[str] | None,
    files: list[Path] | None,
    env_file: Path | None,
    given: Given,
    runs_dir: str | None,
    report: bool,
    verbose: bool,
    as_json: bool,
) -> NoReturn:
    """Watch a pipeline until Ctrl-C or SIGTERM; the arguments are those of `mlkit run`."""
    for name, reason in NOT_OFFERED["run --watch"].items():
        if name in given:
            raise UsageError(
                f"{flag(name)} does not go with --watch: {reason}",
                remedy="Leave it out, or run once, without --watch",
                code="E102",
            )
    settings = api.WatchSettings(
        path=path,
        layers=lambda: layers_of(assignments, files, env_file),
        options=api.run_options(given),
        runs_dir=runs_dir,
        described=(*(files or ()), *([env_file] if env_file is not None else ())),
    )

    def tell(notice: api.Notice) -> None:
        if notice.record is None or notice.pipeline is None or notice.is_withdrawn:
            say(_text(notice))
            return
        text = end_text(notice.record, notice.pipeline, report=report, verbose=verbose)
        typer.echo(text, err=as_json)

    watched = api.Watch(settings, tell, observed)
    watched.run()
    count = len(watched.rounds)
    say(_stamped(f"stopped watching after {count} round{'' if count == 1 else 's'}"))
    if as_json:
        print_json(_document(watched))
    raise typer.Exit(130 if watched.interrupted else 0)


def _text(notice: api.Notice) -> str:
    """A notice as it stands in a terminal: the moment, the sentence, and a line for each reason."""
    width = terminal_width()
    shown, left = notice.reasons[:_MOST_REASONS], notice.reasons[_MOST_REASONS:]
    more = [f"and {len(left)} more"] if left else []
    lines = [paragraph(line, width, indent="  ", hanging="    ") for line in (*shown, *more)]
    blank = [""] if notice.kind == "round" else []
    return "\n".join([*blank, _stamped(notice.text), *lines])


def _stamped(words: str) -> str:
    return paragraph(f"[{dt.datetime.now():%H:%M:%S}] {words}", terminal_width(), hanging="  ")


def _document(watched: api.Watch) -> dict[str, Any]:
    """Every round with its reasons, in the order in which they ran."""
    rounds = [{"reasons": list(reasons), **record.to_json()} for reasons, record in watched.rounds]
    return {"pipeline": rounds[0]["pipeline"] if rounds else None, "rounds": rounds}
