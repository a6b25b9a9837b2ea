"""`mlkit doctor`: check the installation and say what to do about what is missing."""

from __future__ import annotations

from typing import Any

import typer

from mlkit import api
from mlkit.cli.output import print_json, say
from mlkit.cli.shared_options import JsonOption, PipelineArgument, RunsDirOption
from mlkit.cli.which_pipeline import pipeline_path
from mlkit.doctor.checks import Finding, all_checks
from mlkit.observe.layout import paragraph, terminal_width

__all__ = ["doctor"]

SIGNS = {"ok": "✓", "missing": "·", "broken": "✗"}


def doctor(
    pipeline: PipelineArgument = None,
    *,
    runs_dir: RunsDirOption = None,
    as_json: JsonOption = False,
) -> None:
    r"""Check the installation, and say what to do about what is missing.

    Python, packages, kernels, the runs folder, the sandbox and the optional parts are looked at. A
    missing part says what it is for and how to get it. Nothing is installed and nothing is
    written. Exit code 1 only if something that every pipeline needs is broken.

    \b
    Examples
      mlkit doctor                      this installation, this pipeline
      mlkit doctor notebooks/flights    another pipeline's runs folder
    """
    path = pipeline_path(pipeline)
    named = pipeline is not None or runs_dir is not None or path.exists()
    findings = []
    for check in all_checks(api.runs_folder(path, runs_dir) if named else None):
        finding = check()
        findings.append(finding)
        if not as_json:
            typer.echo(_text(finding))
    broken = [finding for finding in findings if finding.state == "broken"]
    document: dict[str, Any] = {
        "ok": not broken,
        "checks": [finding.to_json() for finding in findings],
    }
    if as_json:
        print_json(document)
    elif broken:
        say(f"{len(broken)} of {len(findings)} checks found something broken.")
    else:
        say("Everything that pipelines need is there.")
    raise typer.Exit(1 if broken else 0)


def _text(finding: Finding) -> str:
    width = terminal_width()
    said = f"{SIGNS[finding.state]} {finding.title}: {finding.detail}"
    lines = [paragraph(said, width, hanging="    ")]
    if finding.remedy:
        lines.append(paragraph(finding.remedy, width, indent="    ", hanging="    "))
    return "\n".join(lines)
