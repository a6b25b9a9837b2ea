"""What mlkit exports: load, plan, run, resume, and look at pipelines of notebooks."""

from mlkit.api.reading import (
    RUNS_DIR_VARIABLE,
    find_run,
    find_trace,
    list_runs,
    runs_folder,
    send_report,
)
from mlkit.api.resuming import resume
from mlkit.api.running import configure_with, default_workers, forecast, plan, run, run_options
from mlkit.api.upkeep import clean, debug_notebook
from mlkit.load.parameters import Layers, configure
from mlkit.load.pipeline import load_pipeline

__all__ = [
    "RUNS_DIR_VARIABLE",
    "Layers",
    "clean",
    "configure",
    "configure_with",
    "debug_notebook",
    "default_workers",
    "find_run",
    "find_trace",
    "forecast",
    "list_runs",
    "load_pipeline",
    "plan",
    "resume",
    "run",
    "run_options",
    "runs_folder",
    "send_report",
]
