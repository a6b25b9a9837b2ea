"""The policies of a stage: retry, sensor, notification, resources, volumes."""

from __future__ import annotations

import glob
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from mlkit.core.pipeline_keys import keys_of
from mlkit.core.policies import Notify, Resources, Retry, Volume, VolumeKind, WaitFor
from mlkit.load.section import Section

__all__ = ["read_notify", "read_resources", "read_retry", "read_volumes", "read_wait_for"]

_CLASS_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*")
_QUANTITY = re.compile(r"\d+(\.\d+)?([numkKMGTPE]i?)?")


def read_retry(section: Section | None, inherited: Retry) -> Retry:
    """Read `retry`; what it leaves out is inherited."""
    if section is None:
        return inherited
    section.allow(keys_of("retry"))
    given = {
        "max_retries": section.integer("max_retries"),
        "delay_s": section.duration("delay"),
        "backoff": section.number("backoff"),
        "max_delay_s": section.duration("max_delay"),
        "jitter": section.boolean("jitter"),
        "on": _class_names(section),
    }
    retry = replace(inherited, **{k: v for k, v in given.items() if v is not None})  # type: ignore[arg-type] # each getter returns its field's type
    if retry.backoff < 1:
        section.fail("'backoff' must be 1 or more", section.line_of("backoff"), code="E202")
    return retry


def _class_names(section: Section) -> tuple[str, ...] | None:
    names = section.texts("on")
    if names is None:
        return None
    for entry in names:
        if not _CLASS_NAME.fullmatch(entry.value):
            section.fail(
                f"'{entry.value}' is not the name of an exception class",
                entry.line,
                "Write bare class names: on: [ConnectionError, TimeoutError]",
                code="E202",
            )
    return tuple(entry.value.rsplit(".", 1)[-1] for entry in names)


def read_wait_for(section: Section | None, folder: Path) -> WaitFor | None:
    """Read `wait_for`; its pattern begins in the pipeline's folder, whose name is no pattern."""
    if section is None:
        return None
    section.allow(keys_of("wait_for"))
    path = section.text("path")
    if not path:
        section.fail(
            "'path' is missing",
            remedy="Name the file to wait for: wait_for: {path: GLOB}",
            code="E203",
        )
    given = {"every_s": section.duration("every"), "timeout_s": section.duration("timeout")}
    chosen = {key: value for key, value in given.items() if value is not None}
    if chosen.get("every_s") == 0:
        section.fail("'every' must be longer than 0", section.line_of("every"), code="E202")
    if "\0" in path:
        section.fail(
            "'path' holds a NUL character", section.line_of("path"), "Take it away", code="E202"
        )
    return WaitFor(path=Path(glob.escape(str(folder))) / path, **chosen)


def read_notify(section: Section | None, inherited: Notify) -> Notify:
    """Read `notify`."""
    if section is None:
        return inherited
    section.allow(keys_of("notify"))
    given = {key: section.texts(key) for key in ("on_failure", "on_success")}
    for key, entries in given.items():
        for entry in entries or ():
            if "://" not in entry.value and "${" not in entry.value:
                section.fail(
                    f"'{key}': '{entry.value}' is not an address",
                    entry.line,
                    "Write an Apprise URL such as json://localhost:8080/hook",
                    code="E202",
                )
    return replace(
        inherited,
        **{
            k: tuple(e.value for e in entries)
            for k, entries in given.items()
            if entries is not None
        },
    )


def read_resources(section: Section | None, inherited: Resources) -> Resources:
    """Read `resources`: CPU and memory in Kubernetes' quantities (`500m`, `2`, `4Gi`)."""
    if section is None:
        return inherited
    section.allow(keys_of("resources"))
    quantities = {key: _quantity(section, key) for key in ("cpu", "memory")}
    labels = section.section("node_selector")
    selector: Mapping[str, str] | None = None
    if labels is not None:
        selector = {key: str(entry.plain()) for key, entry in labels.entries.items()}
    given = {**quantities, "gpu": section.integer("gpu"), "node_selector": selector}
    return replace(inherited, **{k: v for k, v in given.items() if v is not None})  # type: ignore[arg-type] # each getter returns its field's type


def _quantity(section: Section, key: str) -> str | None:
    entry = section.get(key)
    if entry is None:
        return None
    text = str(entry.value)
    if isinstance(entry.value, bool) or not _QUANTITY.fullmatch(text):
        section.fail(
            f"'{key}': {entry.plain()!r} is not a quantity",
            entry.line,
            "Write 500m, 2 or 4Gi",
            code="E202",
        )
    return text


_KINDS: tuple[VolumeKind, ...] = ("claim", "config_map", "secret")
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
"""What Kubernetes takes as the name of a volume (an RFC 1123 label)."""


def read_volumes(section: Section | None) -> dict[str, Volume]:
    """Read `volumes`."""
    found: dict[str, Volume] = {}
    for name in () if section is None else section.entries:
        assert section is not None
        if not _NAME.fullmatch(name):
            section.fail(
                f"'{name}' is no name of a volume",
                section.line_of(name),
                "Write small letters, digits and dashes, 63 at most: work",
                code="E202",
            )
        inner = section.section(name, f"the volume '{name}'")
        if inner is None:
            section.fail(
                f"the volume '{name}' is empty",
                section.line_of(name),
                "Say what is mounted, and where: {claim: data, path: /data}",
                code="E203",
            )
        found[name] = _volume(inner)
    return found


def _volume(section: Section) -> Volume:
    section.allow(keys_of("volume"))
    given = {kind: text for kind in _KINDS if (text := section.text(kind))}
    if len(given) != 1:
        section.fail(
            f"it names {' and '.join(given) or 'nothing to mount'}",
            remedy="Name one of claim, config_map and secret: {claim: data, path: /data}",
            code="E203",
        )
    path = section.text("path")
    if not path or not path.startswith("/") or path == "/" or ":" in path:
        section.fail(
            f"'path' is {path!r}, no folder in a container" if path else "'path' is missing",
            section.line_of("path") if path else None,
            "Write where the stage finds it, from the root on: path: /data",
            code="E202" if path else "E203",
        )
    ((kind, source),) = given.items()
    return Volume(kind=kind, source=source, path=path.rstrip("/"))
