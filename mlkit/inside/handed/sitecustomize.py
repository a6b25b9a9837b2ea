"""Handed over to another environment's Python at its start: record there what is read.

The folder of this file stands in PYTHONPATH of such a kernel, and so of the Python processes that
it starts. mlkit is not installed there: the modules of `mlkit.inside` that record are made known
under the name `mlkit_handed`; they need the standard library only. Then this file makes way for the
`sitecustomize` that the environment has itself, if it has one.
"""

import importlib
import importlib.util
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
INSIDE = os.path.dirname(HERE)


def hand_over() -> None:
    """Make the recorder known, and begin at once in a process that an attempt has started."""
    spec = importlib.util.spec_from_file_location(
        "mlkit_handed", os.path.join(INSIDE, "__init__.py"), submodule_search_locations=[INSIDE]
    )
    assert spec is not None
    sys.modules["mlkit_handed"] = importlib.util.module_from_spec(spec)
    is_recording = "mlkit.inside.recorder" in sys.modules  # mlkit's own Python, by its .pth file
    if "MLKIT_TRACE" in os.environ and not is_recording:
        __import__("mlkit_handed.recorder", fromlist=["start_child"]).start_child()


def make_way() -> None:
    """Import the environment's own `sitecustomize`, as would have been done without this one."""
    sys.path[:] = [entry for entry in sys.path if os.path.abspath(entry or os.curdir) != HERE]
    ours = sys.modules.pop("sitecustomize")
    try:
        importlib.import_module("sitecustomize")
    except ImportError as missing:
        if missing.name != "sitecustomize":
            raise
    sys.modules.setdefault("sitecustomize", ours)


hand_over()
make_way()
