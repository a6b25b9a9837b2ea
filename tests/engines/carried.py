"""Load what exported files carry, with stand-ins for the engine's own packages."""

from __future__ import annotations

import stat
import sys
import textwrap
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest.mock import MagicMock, patch

from mlkit.engines.carrying import module_text

__all__ = ["loaded", "speaking_mlkit"]

_PACKAGES = {
    "airflow": ("airflow", "airflow.sdk", "airflow.sdk.exceptions", "kubernetes.client"),
    "argo": (),
    "dagster": ("dagster",),
    "kubeflow": ("kfp",),
    "prefect": (
        *(
            "prefect",
            "prefect.futures",
            "prefect.runtime",
            "prefect.schedules",
            "prefect.server.schemas.schedules",
        ),
        *("prefect.states", "mlkit_upstream"),
    ),
    "stepfunctions": ("boto3", "botocore.config", "botocore.exceptions"),
}


class _OwnError(Exception):
    """An engine's own exception; what it is told by name it keeps."""

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args)
        self.named = named


class _Package(ModuleType):
    """Any name is there: a class to raise or to inherit if it is called so, else one to call."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        raised = name.endswith(("Exception", "Error")) or name in ("Failure", "RetryRequested")
        kind: Any = MagicMock(name=name)
        if raised or name.endswith("Resource"):
            kind = type(name, (_OwnError if raised else object,), {})
        setattr(self, name, kind)
        return kind


def loaded(engine: str, module: str, **constants: Any) -> Any:
    """Give a module of an engine's exports, without the engine.

    Parameters
    ----------
    engine, module : str
        The engine's folder and the module in it.
    **constants
        What an exported file says of its own pipeline.
    """
    made: Any = ModuleType(module)
    there = {name: _Package(name) for name in _PACKAGES[engine]}
    with patch.dict(sys.modules, {**there, module: made}):
        exec(compile(module_text(engine, module), f"{module}.py", "exec"), made.__dict__)
    made.__dict__.update(constants)
    return made


def speaking_mlkit(folder: Path, code: int, document: str) -> Path:
    """Write a program that notes its words and answers as `mlkit` would."""
    program = folder / "mlkit"
    program.write_text(
        textwrap.dedent(f"""\
            #!{sys.executable}
            import json, os, pathlib, sys
            known = {{k: v for k, v in os.environ.items() if k.startswith("MLKIT_ENGINE")}}
            pathlib.Path(__file__).with_name("called.json").write_text(
                json.dumps({{"words": sys.argv[1:], "environ": known}})
            )
            print({document!r})
            sys.exit({code})
        """)
    )
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return program
