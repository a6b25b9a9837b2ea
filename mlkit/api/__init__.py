"""What can be done with pipelines and their runs; a name is imported when it is first used.

The command line and the views take everything from here. So their files import at the top, their
help is quick, and the helpers of kernels start while the rest of a run's modules is imported.
"""

from __future__ import annotations

from mlkit.lazily import exports

TYPE_CHECKING = False  # as typing has it, which takes longer to import than all the rest here

if TYPE_CHECKING:
    from mlkit.api.choices import configure_with as configure_with
    from mlkit.api.choices import default_workers as default_workers
    from mlkit.api.choices import run_options as run_options
    from mlkit.api.debug_copy import debug_notebook as debug_notebook
    from mlkit.api.early_start import early_kernels as early_kernels
    from mlkit.api.engine_runs import run_on as run_on
    from mlkit.api.exports import compile_export as compile_export
    from mlkit.api.exports import export as export
    from mlkit.api.exports import write_export as write_export
    from mlkit.api.filling import Filled as Filled
    from mlkit.api.filling import Filling as Filling
    from mlkit.api.filling import backfill as backfill
    from mlkit.api.filling import fill as fill
    from mlkit.api.filling import plan_backfill as plan_backfill
    from mlkit.api.forecasting import forecast as forecast
    from mlkit.api.forecasting import plan as plan
    from mlkit.api.kept import end_kernels as end_kernels
    from mlkit.api.kept import kept_clocks as kept_clocks
    from mlkit.api.kept import kept_of as kept_of
    from mlkit.api.kept import with_kept as with_kept
    from mlkit.api.labelling import Labelled as Labelled
    from mlkit.api.labelling import label as label
    from mlkit.api.labelling import latest_words as latest_words
    from mlkit.api.labelling import promote as promote
    from mlkit.api.labelling import unlabel as unlabel
    from mlkit.api.live_kernels import end_zygotes as end_zygotes
    from mlkit.api.live_kernels import list_kernels as list_kernels
    from mlkit.api.live_stage import LiveStage as LiveStage
    from mlkit.api.live_stage import live_stage as live_stage
    from mlkit.api.live_stage import take_over_stage as take_over_stage
    from mlkit.api.local_run import run as run
    from mlkit.api.old_runs import clean as clean
    from mlkit.api.records import find_run as find_run
    from mlkit.api.records import find_sweep as find_sweep
    from mlkit.api.records import find_trace as find_trace
    from mlkit.api.records import find_value as find_value
    from mlkit.api.records import list_runs as list_runs
    from mlkit.api.records import send_report as send_report
    from mlkit.api.resuming import resume as resume
    from mlkit.api.resuming import run_pipeline as run_pipeline
    from mlkit.api.run_tables import arranged as arranged
    from mlkit.api.run_tables import measured_by as measured_by
    from mlkit.api.run_tables import read_run_table as read_run_table
    from mlkit.api.run_tables import row_of as row_of
    from mlkit.api.runs_place import RUNS_DIR_VARIABLE as RUNS_DIR_VARIABLE
    from mlkit.api.runs_place import runs_folder as runs_folder
    from mlkit.api.schedule_server import ScheduleServer as ScheduleServer
    from mlkit.api.schedule_server import Settings as Settings
    from mlkit.api.scheduling import read_schedule as read_schedule
    from mlkit.api.scheduling import read_span as read_span
    from mlkit.api.stage_desk import Editing as Editing
    from mlkit.api.stage_desk import edit as edit
    from mlkit.api.sweeping import best_of as best_of
    from mlkit.api.sweeping import members as members
    from mlkit.api.sweeping import resume_sweep as resume_sweep
    from mlkit.api.sweeping import sweep as sweep
    from mlkit.api.sweeping import waits_told as waits_told
    from mlkit.api.two_runs import compare as compare
    from mlkit.api.two_runs import compare_several as compare_several
    from mlkit.api.two_runs import find_several as find_several
    from mlkit.api.two_runs import names_of_runs as names_of_runs
    from mlkit.api.watched_pipeline import WatchSettings as WatchSettings
    from mlkit.api.watching import Notice as Notice
    from mlkit.api.watching import Watch as Watch
    from mlkit.driver.joined import may_retry as may_retry
    from mlkit.driver.options import RunOptions as RunOptions
    from mlkit.driver.services import Services as Services
    from mlkit.lab.server import LiveKernel as LiveKernel
    from mlkit.lab.server import open_in_lab as open_in_lab
    from mlkit.load.env_file import OWN_VARIABLES as OWN_VARIABLES
    from mlkit.load.env_file import read_env_file as read_env_file
    from mlkit.load.env_file import with_env_file as with_env_file
    from mlkit.load.parameters import Layers as Layers
    from mlkit.load.parameters import configure as configure
    from mlkit.load.parameters import read_assignment as read_assignment
    from mlkit.load.pipeline_file import load_pipeline as load_pipeline
    from mlkit.reports.html import write_report as write_report

_HOMES = {
    "Editing": "mlkit.api.stage_desk",
    "Filled": "mlkit.api.filling",
    "Filling": "mlkit.api.filling",
    "Labelled": "mlkit.api.labelling",
    "Layers": "mlkit.load.parameters",
    "LiveKernel": "mlkit.lab.server",
    "LiveStage": "mlkit.api.live_stage",
    "Notice": "mlkit.api.watching",
    "OWN_VARIABLES": "mlkit.load.env_file",
    "RUNS_DIR_VARIABLE": "mlkit.api.runs_place",
    "RunOptions": "mlkit.driver.options",
    "ScheduleServer": "mlkit.api.schedule_server",
    "Services": "mlkit.driver.services",
    "Settings": "mlkit.api.schedule_server",
    "Watch": "mlkit.api.watching",
    "WatchSettings": "mlkit.api.watched_pipeline",
    "arranged": "mlkit.api.run_tables",
    "backfill": "mlkit.api.filling",
    "best_of": "mlkit.api.sweeping",
    "clean": "mlkit.api.old_runs",
    "compare": "mlkit.api.two_runs",
    "compare_several": "mlkit.api.two_runs",
    "compile_export": "mlkit.api.exports",
    "configure": "mlkit.load.parameters",
    "configure_with": "mlkit.api.choices",
    "debug_notebook": "mlkit.api.debug_copy",
    "default_workers": "mlkit.api.choices",
    "early_kernels": "mlkit.api.early_start",
    "edit": "mlkit.api.stage_desk",
    "end_kernels": "mlkit.api.kept",
    "end_zygotes": "mlkit.api.live_kernels",
    "export": "mlkit.api.exports",
    "fill": "mlkit.api.filling",
    "find_run": "mlkit.api.records",
    "find_several": "mlkit.api.two_runs",
    "find_sweep": "mlkit.api.records",
    "find_trace": "mlkit.api.records",
    "find_value": "mlkit.api.records",
    "forecast": "mlkit.api.forecasting",
    "kept_clocks": "mlkit.api.kept",
    "kept_of": "mlkit.api.kept",
    "label": "mlkit.api.labelling",
    "latest_words": "mlkit.api.labelling",
    "list_kernels": "mlkit.api.live_kernels",
    "list_runs": "mlkit.api.records",
    "live_stage": "mlkit.api.live_stage",
    "load_pipeline": "mlkit.load.pipeline_file",
    "members": "mlkit.api.sweeping",
    "may_retry": "mlkit.driver.joined",
    "names_of_runs": "mlkit.api.two_runs",
    "open_in_lab": "mlkit.lab.server",
    "plan": "mlkit.api.forecasting",
    "plan_backfill": "mlkit.api.filling",
    "promote": "mlkit.api.labelling",
    "read_assignment": "mlkit.load.parameters",
    "read_env_file": "mlkit.load.env_file",
    "measured_by": "mlkit.api.run_tables",
    "read_run_table": "mlkit.api.run_tables",
    "row_of": "mlkit.api.run_tables",
    "read_schedule": "mlkit.api.scheduling",
    "read_span": "mlkit.api.scheduling",
    "resume": "mlkit.api.resuming",
    "resume_sweep": "mlkit.api.sweeping",
    "run": "mlkit.api.local_run",
    "run_on": "mlkit.api.engine_runs",
    "run_options": "mlkit.api.choices",
    "run_pipeline": "mlkit.api.resuming",
    "runs_folder": "mlkit.api.runs_place",
    "send_report": "mlkit.api.records",
    "sweep": "mlkit.api.sweeping",
    "take_over_stage": "mlkit.api.live_stage",
    "unlabel": "mlkit.api.labelling",
    "with_env_file": "mlkit.load.env_file",
    "with_kept": "mlkit.api.kept",
    "write_export": "mlkit.api.exports",
    "waits_told": "mlkit.api.sweeping",
    "write_report": "mlkit.reports.html",
}
"""Where each name stands."""

__all__ = [*sorted(_HOMES)]
__getattr__, __dir__ = exports(__name__, _HOMES)
