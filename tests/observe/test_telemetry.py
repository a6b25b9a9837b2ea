"""OpenTelemetry spans of a run."""

from __future__ import annotations

import importlib
import io
import sys
import threading
from typing import Any

import pytest

from mlkit.core.events import Event
from mlkit.errors import ConfigurationError, MissingExtraError
from mlkit.observe.telemetry import Telemetry, _provider, telemetry_from_environment


@pytest.fixture
def exporter() -> Any:
    """Keeps the spans in memory."""
    memory = importlib.import_module("opentelemetry.sdk.trace.export.in_memory_span_exporter")
    return memory.InMemorySpanExporter()


@pytest.fixture
def provider(exporter: Any) -> Any:
    """Hands each span to the exporter as it ends."""
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor

    made = TracerProvider()
    made.add_span_processor(SimpleSpanProcessor(exporter))
    return made


def test_a_run_becomes_a_tree_of_spans(story: list[Event], exporter: Any, provider: Any) -> None:
    """Run, below it its stages, below them their attempts."""
    observer = Telemetry(provider)
    for event in story:
        observer(event)
    spans = exporter.get_finished_spans()
    names = {span.context.span_id: span.name for span in spans}
    tree = sorted((names.get(s.parent.span_id if s.parent else 0, ""), s.name) for s in spans)
    assert tree == [
        ("", "run demo"),
        ("run demo", "stage load"),
        ("run demo", "stage train[a]"),
        ("run demo", "stage train[b]"),
        ("run demo", "stage use"),
        ("stage load", "attempt 1"),
        ("stage load", "attempt 2"),
        ("stage train[b]", "attempt 1"),
    ]


def test_spans_bear_times_states_and_events(
    story: list[Event], exporter: Any, provider: Any
) -> None:
    """Times are those of the events; a failure is an error; retries and warnings are noted."""
    observer = Telemetry(provider)
    for event in story:
        observer(event)
    spans = {span.name: span for span in exporter.get_finished_spans()}
    run, load, train = spans["run demo"], spans["stage load"], spans["stage train[b]"]
    assert (run.start_time, run.end_time) == (101 * 10**9, 117 * 10**9)
    assert run.attributes["mlkit.run_id"] == "R1"
    assert [run.status.is_ok, load.status.is_ok, train.status.is_ok] == [False, True, False]
    assert train.status.description == "ConnectionError: went away"
    assert [event.name for event in load.events] == ["retry_scheduled"]
    assert [event.name for event in train.events] == ["warning"]


def test_a_run_that_is_cut_off_leaves_no_span_open(
    story: list[Event], exporter: Any, provider: Any
) -> None:
    """The run's end closes what is left."""
    observer = Telemetry(provider)
    for event in (*story[:3], story[-1]):
        observer(event)
    assert {span.name for span in exporter.get_finished_spans()} == {
        "run demo",
        "stage load",
        "attempt 1",
    }


def test_without_the_library_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Instead of a traceback."""
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'mlkit-notebooks\[telemetry\]'"):
        Telemetry()
    with pytest.raises(MissingExtraError, match="OpenTelemetry is not installed"):
        telemetry_from_environment({"OTEL_TRACES_EXPORTER": "console"})


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"OTEL_TRACES_EXPORTER": "none"},
        {"OTEL_TRACES_EXPORTER": "console", "OTEL_SDK_DISABLED": "true"},
    ],
)
def test_traces_are_off_unless_asked_for(environment: dict[str, str]) -> None:
    """And can be switched off as OpenTelemetry says."""
    assert telemetry_from_environment(environment) is None


def test_the_environment_switches_traces_on(exporter: Any) -> None:
    """To the terminal; a collector needs a further package, which is named."""
    assert isinstance(telemetry_from_environment({"OTEL_TRACES_EXPORTER": "console"}), Telemetry)
    with pytest.raises(MissingExtraError, match="opentelemetry-exporter-otlp-proto-http"):
        telemetry_from_environment({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://localhost:4318"})


@pytest.mark.parametrize(
    ("environment", "name"),
    [
        ({}, "mlkit"),
        ({"OTEL_SERVICE_NAME": "flights"}, "flights"),
        ({"OTEL_RESOURCE_ATTRIBUTES": "service.name=flights,team=x"}, "flights"),
    ],
)
def test_spans_are_of_the_service_that_the_user_names(
    environment: dict[str, str], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As OpenTelemetry's own variables say; else of mlkit."""
    for variable in ("OTEL_SERVICE_NAME", "OTEL_RESOURCE_ATTRIBUTES"):
        monkeypatch.delenv(variable, raising=False)
    for variable, value in environment.items():
        monkeypatch.setenv(variable, value)
    provider = _provider("console", io.StringIO())
    assert provider.resource.attributes["service.name"] == name
    provider.shutdown()


def test_all_runs_of_a_process_send_through_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server of a schedule would otherwise gather one with each run."""
    monkeypatch.setattr("sys.stderr", io.StringIO())
    before = threading.active_count()
    for _ in range(3):
        telemetry_from_environment({"OTEL_TRACES_EXPORTER": "console"})
    assert threading.active_count() == before + 1


def test_an_unknown_exporter_is_refused() -> None:
    """With the choices."""
    with pytest.raises(ConfigurationError, match="Use console, otlp or none"):
        telemetry_from_environment({"OTEL_TRACES_EXPORTER": "zipkin"})
