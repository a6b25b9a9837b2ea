"""JSON Schemas of what the commands about pipelines and runs print with `--json`."""

from __future__ import annotations

from collections.abc import Mapping

from mlkit.core.document_schemas import (
    RECORD,
    RESUMED,
    RUN,
    RUN_STATUS,
    SHORT_ERROR,
    STAGE,
    SUMMARY,
)
from mlkit.core.schema_shapes import (
    ANYTHING,
    BOOLEAN,
    COUNT,
    NUMBER,
    TEXT,
    TEXTS,
    Schema,
    by_name,
    list_of,
    object_of,
    one_of,
    or_null,
)

__all__ = ["PIPELINE_COMMANDS"]

MEASURED: Schema = {"anyOf": [NUMBER, one_of(["nan", "inf", "-inf"])]}
"""A metric: JSON has no word for what is no finite number."""
ANY: Schema = {}

_KEPT = list_of(
    object_of(
        {
            "id": TEXT,
            "run_id": TEXT,
            "runs_dir": TEXT,
            "pipeline": TEXT,
            "file": TEXT,
            "stage": TEXT,
            "attempt": {"type": "integer", "minimum": 1},
            "error": TEXT,
            "cell": or_null(COUNT),
            "began": NUMBER,
            "until": NUMBER,
            "memory_bytes": COUNT,
            "pid": COUNT,
        }
    )
)
_ZYGOTE = object_of(
    {
        "pid": COUNT,
        "driver": or_null(COUNT),
        "kernels": COUNT,
        "memory_bytes": COUNT,
        "is_warm": BOOLEAN,
        "until": or_null(NUMBER),
    }
)
_STAGE = object_of(SUMMARY, {"notebook": TEXT, "log": TEXT})
_RUN = object_of({**RUN, "stages": by_name(_STAGE)}, {"kept_kernels": _KEPT})
_ROUND = object_of(
    {"reasons": TEXTS, **RUN, "stages": by_name(object_of(SUMMARY))}, {"kept_kernels": _KEPT}
)
_WATCHED = object_of({"pipeline": or_null(TEXT), "rounds": list_of(_ROUND)})
_SWEEP = object_of(
    {
        "group": TEXT,
        "runs": list_of(
            object_of(
                {
                    "run_id": or_null(TEXT),
                    "labels": TEXTS,
                    "parameters": ANYTHING,
                    "status": one_of(["to_come", *RUN_STATUS["enum"]]),
                    "reason": TEXT,
                    "seconds": or_null(NUMBER),
                    "metrics": by_name(MEASURED),
                }
            )
        ),
    },
    {
        "search": object_of(
            {
                "metric": TEXT,
                "direction": one_of(["maximize", "minimize"]),
                "runs": COUNT,
                "seed": {"type": "integer"},
            }
        ),
        "best": or_null(object_of({"run_id": TEXT, "value": MEASURED})),
    },
)
_INTERVALS = object_of(
    {
        "pipeline": TEXT,
        "schedule": TEXT,
        "timezone": TEXT,
        "intervals": list_of(
            object_of(
                {
                    "start": TEXT,
                    "end": TEXT,
                    "action": one_of(["run", "keep"]),
                    "reason": TEXT,
                    "status": or_null(one_of([*RUN_STATUS["enum"], "kept", "left_out"])),
                    "run_id": or_null(TEXT),
                    "seconds": or_null(NUMBER),
                }
            )
        ),
    }
)
_LISTED = object_of(
    {
        **RUN,
        "labels": TEXTS,
        "note": TEXT,
        "group": TEXT,
        "started": NUMBER,
        "ended": or_null(NUMBER),
        "counts": by_name(COUNT),
        "metrics": by_name(MEASURED),
    }
)
_TRACKED = object_of(
    {
        "stage": TEXT,
        "name": TEXT,
        "run_uuid": TEXT,
        "metrics": by_name(MEASURED),
        "params": by_name(TEXT),
    }
)
_TRACE = object_of(
    {"version": COUNT, "unstable": TEXTS},
    {
        "ways_up": by_name(TEXT),
        "files": ANY,
        "absent": TEXTS,
        "present": TEXTS,
        "kinds": by_name(TEXT),
        "itself": by_name(or_null(TEXT)),
        "links": by_name(TEXT),
        "status": by_name(by_name(COUNT)),
        "may": by_name(by_name(BOOLEAN)),
        "lists": ANYTHING,
        "folders": ANYTHING,
        "globs": list_of(ANYTHING),
        "begin": TEXTS,
        "entries": TEXTS,
        "imports": list_of(ANYTHING),
        "environment": object_of(
            {"key": TEXT, "all": BOOLEAN, "read": by_name(or_null(TEXT)), "secret": TEXTS}
        ),
        "packages": ANYTHING,
        "installed": or_null(TEXT),
        "unowned": ANY,
        "startup": ANY,
        "programs": TEXTS,
        "made": TEXTS,
    },
)
_VALUE = object_of({"made": BOOLEAN, "value": ANY})
_ORIGINS = by_name(object_of({"value": ANY, "origin": TEXT}))
_ERROR_KIND = object_of(
    {"code": TEXT, "title": TEXT, "cause": TEXT, "remedy": TEXT, "name": or_null(TEXT)}
)


def _of_two() -> Schema:
    """What `compare` prints of two runs."""
    sides = {"left": or_null(TEXT), "right": or_null(TEXT)}
    numbers = {"left": or_null(MEASURED), "right": or_null(MEASURED)}
    cell = object_of({"left": or_null(COUNT), "right": or_null(COUNT), "diff": TEXT})
    lists = {
        "pipelines": TEXT,
        "parameters": object_of(
            {"stage": or_null(TEXT), "name": TEXT}, {"left": ANY, "right": ANY}
        ),
        "settings": object_of({"kind": TEXT, **sides, "name": TEXT, "stages": TEXTS}),
        "stages": object_of(
            {
                "stage": TEXT,
                **sides,
                "left_seconds": or_null(NUMBER),
                "right_seconds": or_null(NUMBER),
            }
        ),
        "code": object_of({"stage": TEXT, "cells": list_of(cell), "note": TEXT}),
        "artifacts": object_of(
            {
                "stage": TEXT,
                "output": TEXT,
                **sides,
                "left_bytes": or_null(COUNT),
                "right_bytes": or_null(COUNT),
            }
        ),
        "metrics": object_of(
            {
                "stage": TEXT,
                "output": TEXT,
                "metric": TEXT,
                **numbers,
                "difference": or_null(MEASURED),
            }
        ),
    }
    listed = {name: list_of(shape) for name, shape in lists.items()}
    return object_of({"left": TEXT, "right": TEXT, **listed, "equal_artifacts": COUNT})


def _of_many() -> Schema:
    """What `compare` prints of more than two runs, or as a page."""
    return object_of(
        {
            "runs": list_of(object_of({"run_id": TEXT, "labels": TEXTS, "status": RUN_STATUS})),
            "differences": list_of(
                object_of({"kind": TEXT, "name": TEXT, "values": {"type": "array"}})
            ),
            "code": list_of(object_of({"stage": TEXT, "versions": list_of(list_of(COUNT))})),
            "equal": by_name(COUNT),
        }
    )


def _plan() -> Schema:
    action = one_of(["run", "reuse", "unknown"])
    return object_of(
        {
            "pipeline": TEXT,
            "profile": or_null(TEXT),
            "stages": by_name(object_of({"action": action, "reasons": TEXTS})),
            "warnings": TEXTS,
            "levels": list_of(TEXTS),
            "parameters": _ORIGINS,
            "stage_parameters": by_name(_ORIGINS),
            "env": by_name(_ORIGINS),
        }
    )


def _converted() -> Schema:
    stage = object_of(
        {
            "notebook": TEXT,
            "cells": list_of(COUNT),
            "parameters": TEXTS,
            "takes": by_name(or_null(TEXT)),
            "gives": by_name(or_null(TEXT)),
            "inputs": by_name(TEXT),
            "outputs": by_name(TEXT),
        }
    )
    failed = object_of({"stage": TEXT, "notebook": TEXT, "error": SHORT_ERROR})
    compared = object_of({"stage": TEXT, "what": TEXT, "verdict": TEXT, "why": TEXT})
    return object_of(
        {
            "folder": TEXT,
            "written": TEXTS,
            "stages": by_name(stage),
            "remarks": TEXTS,
            "status": or_null(RUN_STATUS),
            "run_id": or_null(TEXT),
            "failed": list_of(failed),
            "compared": list_of(compared),
        }
    )


PIPELINE_COMMANDS: Mapping[str, tuple[str, tuple[Schema, ...]]] = {
    "init": (
        "The folder, the files that were written, and those that were there and stay.",
        (object_of({"folder": TEXT, "written": TEXTS, "kept": TEXTS}),),
    ),
    "add": (
        "The new stage, its notebook, and the lines that pipeline.yaml has more.",
        (
            object_of(
                {
                    "stage": TEXT,
                    "pipeline": TEXT,
                    "notebook": TEXT,
                    "notebook_is_new": BOOLEAN,
                    "lines": TEXTS,
                }
            ),
        ),
    ),
    "convert": (
        "The stages that a notebook was cut into, which of them failed when they ran, and what a "
        "comparison with the notebook found; the cells are counted from 1.",
        (_converted(),),
    ),
    "edit": (
        "Printed when JupyterLab is there, which ends with Ctrl-C.",
        (
            object_of(
                {
                    "url": TEXT,
                    "stage": TEXT,
                    "notebook": TEXT,
                    "working_folder": TEXT,
                    "run_id": or_null(TEXT),
                }
            ),
        ),
    ),
    "run": (
        "Stages that were not selected are absent; of a mapped stage each instance has an entry. A "
        "task of an engine (--run-id) also says where the stage's notebook and log are. "
        "With --watch the rounds, in their order.",
        (_RUN, _WATCHED),
    ),
    "plan": (
        "What a run would do with each stage or instance, and why; where each parameter and "
        "variable comes from.",
        (_plan(),),
    ),
    "resume": ("A run, or the runs of a sweep.", (_RUN, _SWEEP)),
    "runs": (
        "Runs, the newest first.",
        (object_of({"runs_dir": TEXT, "runs": list_of(_LISTED), "kept_kernels": _KEPT}),),
    ),
    "show": (
        "A run's whole record, with plain values and what its stages logged to MLflow; or the runs "
        "of a sweep; with a stage its part of the record, and that of each instance; with --trace "
        "what a result depends on; with --value the value of an output.",
        (
            object_of(
                {"labels": TEXTS, **RECORD, "mlflow": list_of(_TRACKED)},
                {**RESUMED, "kept_kernels": _KEPT},
            ),
            _SWEEP,
            object_of({"run_id": TEXT, "stages": by_name(STAGE)}),
            _TRACE,
            _VALUE,
        ),
    ),
    "label": (
        "The run's name, and the run that had it before.",
        (object_of({"label": TEXT, "run_id": TEXT, "moved_from": or_null(TEXT)}),),
    ),
    "unlabel": (
        "The names that were taken away, each with its run.",
        (object_of({"taken": list_of(object_of({"label": TEXT, "run_id": TEXT}))}),),
    ),
    "promote": (
        "The run that is latest now.",
        (object_of({"latest": TEXT, "labels": TEXTS}),),
    ),
    "compare": (
        "Two runs: a parameter that a run does not have has no key there, and anything else is "
        "null. More, or with --to html: what differs, a value for each run, null where one has "
        "none.",
        (_of_two(), _of_many()),
    ),
    "graph": (
        "The graph as a text, in the form that was asked for.",
        (
            object_of(
                {
                    "pipeline": TEXT,
                    "format": one_of(["text", "mermaid", "svg"]),
                    "content": TEXT,
                    "file": or_null(TEXT),
                }
            ),
        ),
    ),
    "report": (
        "Where the report is.",
        (object_of({"run_id": TEXT, "format": one_of(["html", "pdf"]), "file": TEXT}),),
    ),
    "debug": (
        "The copy of the notebook, which can be opened; with --live also the file by which a "
        "client connects to its kernel, and where JupyterLab is; with --take-over the source, and "
        "whether it has changed.",
        (
            object_of({"notebook": TEXT}),
            object_of(
                {"notebook": TEXT, "connection_file": TEXT, "kept_until": NUMBER}, {"url": TEXT}
            ),
            object_of({"notebook": TEXT, "changed": BOOLEAN}),
        ),
    ),
    "kernels": (
        "The kernels of this user that are kept where a stage failed, the oldest first, until when "
        "(seconds since 1970), and the processes that fork kernels now: those that are warm "
        "outlive their runs, and wait until `until`; `kernels stop` prints those that it ended.",
        (
            object_of({"kept": _KEPT, "zygotes": list_of(_ZYGOTE)}),
            object_of({"stopped": _KEPT, "zygotes": list_of(_ZYGOTE)}),
        ),
    ),
    "sweep": (
        "A run for each combination; `to_come` where it has none yet. Of a search also what it is "
        "about, and the best run so far.",
        (_SWEEP,),
    ),
    "backfill": (
        "The intervals, the earliest first; with --dry-run they have no status.",
        (_INTERVALS,),
    ),
    "serve": ("The intervals that were run, at the end of the serving.", (_INTERVALS,)),
    "export": (
        "The files that were written, and the one that the engine is given.",
        (object_of({"engine": TEXT, "entry": TEXT, "files": TEXTS}),),
    ),
    "notify": (
        "Whom the stage's `notify` names, and whether it got there.",
        (
            object_of(
                {
                    "run_id": TEXT,
                    "stage": TEXT,
                    "told": list_of(object_of({"scheme": TEXT, "ok": BOOLEAN, "message": TEXT})),
                }
            ),
        ),
    ),
    "clean": (
        "What was removed, or would be; `named` are runs that are kept by their names, `copies` "
        "the folders in `debug/` that go with their runs.",
        (
            object_of(
                {
                    "removed": BOOLEAN,
                    "runs": TEXTS,
                    "named": TEXTS,
                    "copies": TEXTS,
                    "artifacts": TEXTS,
                    "size_bytes": COUNT,
                }
            ),
        ),
    ),
    "explain": (
        "A kind of error, or all kinds.",
        (_ERROR_KIND, object_of({"errors": list_of(_ERROR_KIND)})),
    ),
    "completion": (
        "What lets a shell complete the words of mlkit.",
        (object_of({"shell": TEXT, "script": TEXT}),),
    ),
    "schema": (
        "A JSON Schema; with --to where it is.",
        (
            object_of({"$schema": TEXT, "title": TEXT, "description": TEXT}),
            object_of({"schema": TEXT, "file": TEXT}),
        ),
    ),
    "render": (
        "The site and its pages.",
        (object_of({"site": TEXT, "index": TEXT, "pages": TEXTS}),),
    ),
    "doctor": (
        "What was looked at; `missing` is optional, `broken` keeps pipelines from running.",
        (
            object_of(
                {
                    "ok": BOOLEAN,
                    "checks": list_of(
                        object_of(
                            {
                                "title": TEXT,
                                "state": one_of(["ok", "missing", "broken"]),
                                "detail": TEXT,
                                "remedy": TEXT,
                            }
                        )
                    ),
                }
            ),
        ),
    ),
}
"""Each command with what is to be known of its document, and the shapes that it may have."""
