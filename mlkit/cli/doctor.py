"""`mlkit doctor`: check the installation and say what to do about what is missing."""

from __future__ import annotations

from typing import Any

import typer

from mlkit.cli.options import JsonOption, PipelineArgument, RunsDirOption

__all__ = ["doctor"]

SIGNS = {"ok": "✓", "missing": "·", "broken": "✗"}


def doctor(
    pipeline: PipelineArgument = None,
    *,
    runs_dir: RunsDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check Python, packages, kernels, the runs folder, the sandbox and the optional parts.

    A missing part says what it is for and how to get it. Exit code 1 only if something that every
    pipeline needs is broken.
    """
    from mlkit import api
    from mlkit.cli.options import pipeline_path
    from mlkit.cli.output import print_json, say
    from mlkit.doctor.checks import all_checks

    folder = api.runs_folder(pipeline_path(pipeline), runs_dir)
    findings = []
    for check in all_checks(folder):
        finding = check()
        findings.append(finding)
        if not as_json:
            remedy = f"\n    {finding.remedy}" if finding.remedy else ""
            typer.echo(f"{SIGNS[finding.state]} {finding.title}: {finding.detail}{remedy}")
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
