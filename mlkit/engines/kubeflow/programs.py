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
    """Run it; kfp raises an error if a task has failed."""
    with tempfile.TemporaryDirectory() as root:
        local.init(local.SubprocessRunner(use_venv=False), pipeline_root=root)
        @FUNCTION@(run_id=run_id)


if __name__ == "__main__":
    main(sys.argv[1])
'''

SUBMIT = '''\
"""Hand the pipeline to the cluster whose Kubeflow Pipelines answers at URL.

python submit.py URL --run-id ID    run it once, and wait for its end
python submit.py URL --recurring    have it run on its schedule
"""

import argparse
import json
import sys
from pathlib import Path

from @MODULE@ import @FUNCTION@
from kfp import Client, compiler

FOLDER = Path(__file__).parent
PACKAGE = FOLDER / "@MODULE@.yaml"
FOREVER_S = 10**9


def main() -> int:
    """Compile and submit it; the exit code says whether the run succeeded."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\\n")[0])
    parser.add_argument("url")
    parser.add_argument("--run-id", default="")
    parser.add_argument("--recurring", action="store_true")
    given = parser.parse_args()
    compiler.Compiler().compile(@FUNCTION@, str(PACKAGE))
    client = Client(host=given.url)
    experiment = client.create_experiment("@NAME@").experiment_id
    if given.recurring:
        settings = json.loads((FOLDER / "recurring-run.json").read_text("utf-8"))
        settings["pipeline_package_path"] = str(PACKAGE)
        print(client.create_recurring_run(experiment, **settings).recurring_run_id)
        return 0
    run = client.run_pipeline(
        experiment_id=experiment,
        job_name="@NAME@ " + (given.run_id or "by hand"),
        pipeline_package_path=str(PACKAGE),
        params={"run_id": given.run_id},
        enable_caching=False,
    )
    try:
        ended = client.wait_for_run_completion(run.run_id, FOREVER_S, sleep_duration=2)
    except KeyboardInterrupt:
        client.terminate_run(run.run_id)
        raise
    print(f"{run.run_id} {ended.state}")
    return 0 if ended.state == "SUCCEEDED" else 1


if __name__ == "__main__":
    sys.exit(main())
'''


def launcher(text: str, *, name: str, module: str, function: str) -> str:
    """One of the programs, for a certain pipeline.

    Parameters
    ----------
    text : str
        The program.
    name : str
        The pipeline's name on the cluster.
    module, function : str
        The compiled file without its ending, and the pipeline function in it.
    """
    values = {"@NAME@": name, "@MODULE@": module, "@FUNCTION@": function}
    for mark, value in values.items():
        text = text.replace(mark, value)
    return text
