"""OpenTelemetry spans of a run: run → stage → attempt. Needs the extra `telemetry`."""

from __future__ import annotations

import sys
import threading
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, TextIO

from mlkit.core.events import Event, EventKind
from mlkit.core.states import Status
from mlkit.errors import ConfigurationError, MissingExtraError, install_extra
from mlkit.observe.board import error_text

__all__ = ["Telemetry", "telemetry_from_environment"]

_FAILED = frozenset({Status.FAILED.value, Status.UPSTREAM_FAILED.value, Status.CANCELLED.value})
_INSTALL = install_extra("telemetry")
_SWITCHES = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")


class Telemetry:
    """An observer that turns events into spans.

    Span names are `run PIPELINE`, `stage STAGE` and `attempt N`; times are the events' own.

    Parameters
    ----------
    tracer_provider : opentelemetry.trace.TracerProvider, optional
        Default: the one that the process has set up.

    Raises
    ------
    MissingExtraError
        If OpenTelemetry is not installed.
    """

    def __init__(self, tracer_provider: Any = None) -> None:
        self._api = _import_api()
        self._tracer = self._api.get_tracer("mlkit", tracer_provider=tracer_provider)
        self._spans: dict[tuple[str | None, int | None], Any] = {}
        self._lock = threading.Lock()

    def __call__(self, event: Event) -> None:
        """Take an event: open, note in, or close the span that it is about."""
        with self._lock:
            self._take(event)

    def _take(self, event: Event) -> None:
        match event.kind:
            case EventKind.RUN_STARTED | EventKind.RUN_RESUMED:
                self._open(event, (None, None), f"run {event.data.get('pipeline', '')}")
            case EventKind.ATTEMPT_STARTED:
                self._open_stage(event)
                name = f"attempt {event.attempt}"
                self._open(event, (event.stage, event.attempt), name, (event.stage, None))
            case EventKind.ATTEMPT_FINISHED:
                self._close(event, (event.stage, event.attempt))
            case EventKind.STAGE_FINISHED:
                self._open_stage(event)
                self._close(event, (event.stage, None))
            case EventKind.RUN_FINISHED:
                for key in [key for key in self._spans if key != (None, None)]:
                    self._spans.pop(key).end(end_time=_nanoseconds(event))
                self._close(event, (None, None))
            case EventKind.WARNING | EventKind.RETRY_SCHEDULED | EventKind.STAGE_WAITING:
                self._note(event)

    def _open_stage(self, event: Event) -> None:
        if (event.stage, None) not in self._spans:
            self._open(event, (event.stage, None), f"stage {event.stage}", (None, None))

    def _open(
        self,
        event: Event,
        key: tuple[str | None, int | None],
        name: str,
        parent: tuple[str | None, int | None] | None = None,
    ) -> None:
        above = self._spans.get(parent) if parent is not None else None
        context = self._api.set_span_in_context(above) if above is not None else None
        attributes = {"mlkit.run_id": event.run_id, "mlkit.stage": event.stage}
        self._spans[key] = self._tracer.start_span(
            name,
            context=context,
            start_time=_nanoseconds(event),
            attributes={k: v for k, v in attributes.items() if v is not None},
        )

    def _close(self, event: Event, key: tuple[str | None, int | None]) -> None:
        span = self._spans.pop(key, None)
        if span is None:
            return
        span.set_attributes(_attributes(event.data))
        status = str(event.data.get("status", ""))
        if status in _FAILED:
            words = error_text(event.data.get("error")) or status
            span.set_status(self._api.Status(self._api.StatusCode.ERROR, words))
        span.end(end_time=_nanoseconds(event))

    def _note(self, event: Event) -> None:
        span = self._spans.get((event.stage, None)) or self._spans.get((None, None))
        if span is not None:
            span.add_event(event.kind.value, _attributes(event.data), _nanoseconds(event))


def _attributes(data: Mapping[str, Any]) -> dict[str, str | bool | int | float]:
    """The plain fields of an event, under mlkit's own prefix."""
    plain = {f"mlkit.{k}": v for k, v in data.items() if isinstance(v, str | bool | int | float)}
    if words := error_text(data.get("error")):
        plain["mlkit.error"] = words
    return plain


def _nanoseconds(event: Event) -> int:
    return int(event.time * 1e9)


def _import_api() -> Any:
    try:  # an optional library: the extra `telemetry` has it
        from opentelemetry import trace
    except ImportError as error:
        raise MissingExtraError(
            "OpenTelemetry is not installed",
            remedy=f"Install it with: {_INSTALL}",
        ) from error
    return trace


def telemetry_from_environment(environment: Mapping[str, str]) -> Telemetry | None:
    """Make the observer if the environment asks for traces.

    Parameters
    ----------
    environment : mapping of str to str
        `OTEL_TRACES_EXPORTER` (`console`, `otlp`, `none`) or an OTLP endpoint switches it on.

    Returns
    -------
    Telemetry or None
        None if nothing asks for it.

    Raises
    ------
    MissingExtraError
        If it is asked for and a package is missing.
    ConfigurationError
        If an exporter is asked for that mlkit does not know.
    """
    wanted = environment.get("OTEL_TRACES_EXPORTER", "")
    wanted = wanted or ("otlp" if any(environment.get(name) for name in _SWITCHES) else "none")
    if wanted == "none" or environment.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return None
    if wanted not in ("console", "otlp"):
        raise ConfigurationError(
            f"OTEL_TRACES_EXPORTER is {wanted!r}, which mlkit does not know",
            remedy="Use console, otlp or none.",
        )
    _import_api()
    return Telemetry(_provider(wanted, sys.stderr))


@lru_cache(maxsize=1)
def _provider(wanted: str, shown: TextIO) -> Any:
    """Set up a provider that exports on its own; it flushes when the process ends.

    It has a thread, so all runs of a process share one.
    """
    try:  # optional, as above, and each exporter a package of its own
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        exporter = _exporter(wanted, shown)
    except ImportError as error:
        raise MissingExtraError(
            f"traces are asked for ({wanted}), but {error.name or 'a package'} is not installed",
            remedy=f"Install it with: {_INSTALL} opentelemetry-exporter-otlp-proto-http",
        ) from error
    resource = Resource.create()
    if str(resource.attributes["service.name"]).startswith("unknown_service"):  # nobody names one
        resource = resource.merge(Resource({"service.name": "mlkit"}))
    provider = TracerProvider(resource=resource)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    return provider


def _exporter(wanted: str, shown: TextIO) -> Any:
    if wanted == "console":
        from opentelemetry.sdk.trace.export import ConsoleSpanExporter  # optional, as above

        return ConsoleSpanExporter(out=shown)
    # optional, too, and no part of the extra: it may be absent where the rest is there
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    return OTLPSpanExporter()
