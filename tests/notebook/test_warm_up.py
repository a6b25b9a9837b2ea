"""What importing Papermill costs, and that nobody else notices what was left out."""

from __future__ import annotations

import json
import subprocess
import sys

PROGRAM = """
import json, sys
from mlkit.notebook.execute import warm_up
warm_up()
left_out = {name: name in sys.modules for name in ("requests", "boto3", "rfc3987_syntax")}
import papermill.iorw
import requests
print(json.dumps([left_out, papermill.iorw.requests.get is requests.get, requests.__version__]))
"""


def test_what_papermill_can_do_without_is_not_imported_and_can_be_imported_later() -> None:
    """A second is saved, and both Papermill and others find the real module when they use it."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True, timeout=120
    )
    left_out, is_same, version = json.loads(done.stdout)
    assert left_out == {"requests": False, "boto3": False, "rfc3987_syntax": False}
    assert is_same
    assert version


ONCE = """
import sys
from mlkit.notebook import execute
execute.warm_up()
load = sys.modules["papermill.execute"].load_notebook_node
execute.missing = execute.postponed = execute.plugins_of = None
execute.warm_up()
assert sys.modules["papermill.execute"].load_notebook_node is load
"""


def test_nothing_stands_in_for_a_module_once_papermill_is_there() -> None:
    """Each stage calls it, while another thread may import what was held back, as boto3 for S3."""
    subprocess.run([sys.executable, "-c", ONCE], check=True, timeout=120)
