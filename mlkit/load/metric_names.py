"""Read `metrics`: which numbers of a stage's JSON outputs are metrics, and under which names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mlkit.load.section import Section, did_you_mean

__all__ = ["read_metrics"]


def read_metrics(section: Section | None, outputs: Mapping[str, Any]) -> dict[str, str]:
    """Read `metrics: {NAME: OUTPUT.KEY}` of a stage.

    Parameters
    ----------
    section : Section, optional
        What stands under `metrics`.
    outputs : mapping of str to object
        The stage's outputs and their file names.
    """
    found: dict[str, str] = {}
    for name, entry in ({} if section is None else section.entries).items():
        assert section is not None
        output, dot, key = str(entry.value).partition(".")
        if not isinstance(entry.value, str) or not dot or not key.strip("."):
            section.fail(
                f"'{name}' does not say where the number stands",
                entry.line,
                f"Write {name}: OUTPUT.KEY, such as {name}: metrics.{name}",
                code="E205",
            )
        if output not in outputs:
            section.fail(
                f"'{name}' names the output '{output}', which the stage does not have",
                entry.line,
                did_you_mean(output, outputs) or "Metrics stand in the stage's own outputs",
                code="E205",
            )
        if not str(outputs[output]).removesuffix("?").endswith(".json"):
            section.fail(
                f"'{name}' names the output '{output}' ({outputs[output]}), which is no JSON file",
                entry.line,
                "Metrics are numbers of a JSON object, in a file whose name ends in .json",
                code="E205",
            )
        found[name] = entry.value
    return found
