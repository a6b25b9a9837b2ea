"""Two small programs beside a compiled pipeline: run it here, or hand it to a cluster."""

from __future__ import annotations

__all__ = ["RUN_LOCALLY", "SUBMIT", "launcher"]

RUN_LOCALLY = '''\
"""Run the pipeline on this machine, in this Python, with kfp's own local runner.

python run_locally.py RUN_ID
"""

import sys
import tempfile

from @MODULE@ import @FUNCTION@
from kfp import local


def main(run_id: str) -> None:
    """Run it; a failed task is an error."""
    with tempfile.TemporaryDirectory() as root:
        local.init(local.SubprocessRunner(use_venv=False), pipeline_root=root)
        @FUNCTION@(run_id=run_id)


if __name__ == "__main__":
    main(sys.argv[1])
'''

SUBMIT = '''\
"""Hand the pipeline to a cluster."""
'''


def launcher(text: str, module: str, function: str) -> str:
    """One of the programs, for a certain pipeline."""
    return text.replace("@MODULE@", module).replace("@FUNCTION@", function)
