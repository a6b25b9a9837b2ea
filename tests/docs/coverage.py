"""What the lessons cover: each topic of a course on pipelines, and the cells that teach it.

A lesson's cell says so in its metadata: `{"mlkit": {"covers": ["airflow.xcom"], "how": "run"}}`.
`how` is `run` where the cell's output shows the thing itself, `told` where a text speaks of it.
`make docs-tables` writes the page; a test holds it to the notebooks.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = ["EXERCISES", "PAGE", "TOPICS", "Place", "Topic", "places", "problems", "with_table"]

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "instructor" / "coverage.md"
BEGIN, END = "<!-- lessons -->\n", "<!-- end -->"
HOW = ("run", "told")


@dataclass(frozen=True, kw_only=True)
class Topic:
    """Something that a course on pipelines has to teach; `told_because` if it cannot be run."""

    group: str
    key: str
    title: str
    told_because: str = ""


@dataclass(frozen=True, kw_only=True)
class Place:
    """A cell of a lesson that teaches something."""

    lesson: int
    cell: str
    how: str


_GROUPS: Mapping[str, Mapping[str, str | tuple[str, str]]] = {
    "Basics": {
        "pipeline.why": "Why a pipeline: hidden state in one grown notebook",
        "pipeline.components": "Components, from collect and validate to deploy and alert",
        "pipeline.dag": "A DAG: stages, edges, why no cycle",
        "dag.order": "Topological order",
        "dag.parallel": "What may run side by side, and the critical path",
        "orchestration.workflow": "Orchestration against workflow",
        "orchestration.coordination": "Central and distributed coordination",
        "principles.idempotency": "Principle: idempotency",
        "principles.rerunnability": "Principle: rerunnability",
        "principles.coupling": "Principle: loose coupling",
        "principles.parameters": "Principle: parameterization",
        "principles.observability": "Principle: observability",
    },
    "Airflow": {
        "airflow.parts": "Scheduler, DAG processor, triggerer, api-server: who talks to whom",
        "airflow.scheduler": "A scheduler that makes the runs that are due",
        "airflow.executors": (
            "Executors: Local, Celery, Kubernetes",
            "`make airflow-celery` starts Celery's services; Kubernetes needs a cluster",
        ),
        "airflow.database": "The metadata database",
        "airflow.dag": "A DAG file: default arguments, retries, timeout, cron, catch-up off, tags",
        "airflow.xcom": "Small values as XCom, pushed and pulled; the mistake of a large one",
        "airflow.paths": "Data handed on as paths",
        "airflow.python": "Python tasks",
        "airflow.bash": "Bash tasks",
        "airflow.branch": "Branching",
        "airflow.join": "A join by its trigger rule",
        "airflow.mapped": "Dynamic tasks",
        "airflow.sensor": "A file sensor",
        "airflow.callback": "Notification of a failure",
        "airflow.logical_date": "Logical date and interval of a cron schedule",
    },
    "Kubeflow Pipelines": {
        "kfp.architecture": (
            "API server, Argo, launcher, metadata and artifact store",
            "The parts run in a Kubernetes cluster only",
        ),
        "kfp.component": "Lightweight components with Input and Output artifacts",
        "kfp.compiled": "A compiled pipeline file",
        "kfp.container": "Container components, with a Dockerfile and train.py",
        "kfp.tuning": "Tuning, final model, evaluation",
        "kfp.placement": "GPU limit and node selector",
        "kfp.constructs": "Loops, branches, retries",
        "kfp.run": "A run by kfp's local runner",
    },
    "Prefect": {
        "prefect.flow": "Flows, tasks, states",
        "prefect.retries": "Retries",
        "prefect.timeout": "Timeouts, and when they do not hold",
        "prefect.cache": "The cache of a task",
        "prefect.concurrent": "Concurrent submission",
        "prefect.mapped": "Dynamic tasks",
        "prefect.logger": "The run logger",
        "prefect.cron": "Deployments with a cron schedule",
        "prefect.interval": "Deployments with an interval schedule",
        "prefect.pools": "Work pools and workers",
        "prefect.cloud": ("What Prefect Cloud adds", "It needs an account"),
    },
    "Choosing": {
        "engines.dagster": "Dagster",
        "engines.stepfunctions": "Step Functions",
        "engines.argo": "Argo Workflows, written and checked",
        "engines.compared": "The tools beside each other: strengths, costs, use cases",
        "engines.managed": ("What a managed service adds", "Each needs an account"),
        "engines.choose": "How to choose",
    },
    "Idempotency and safe writes": {
        "write.append": "Overwrite against append",
        "write.atomic": "Atomic replace",
        "write.directory": "A directory made anew without losing the last",
        "write.versions": "Versioned outputs as a pattern",
        "write.upsert": "Upsert into a database",
    },
    "Errors": {
        "errors.retry": "Retry with exponential backoff",
        "errors.chosen": "Chosen exceptions only",
        "errors.history": "The history of attempts, logged",
        "errors.capture": "Capture at the level of a task",
        "errors.recovery": "Recovery of a pipeline: critical stages, a summary of failures",
        "errors.deadline": "Deadlines",
    },
    "Configuration": {
        "config.typed": "A typed configuration object",
        "config.layers": "File, environment, command line, and which one wins",
    },
    "Testing": {
        "test.pure": "Pure functions and unit tests",
        "test.injected": "Injected dependencies",
        "test.unittest": "unittest",
        "test.mocks": "Mocks and patching, and when not",
        "test.end": "An end-to-end test",
        "test.output": "Validation of outputs",
    },
    "Listings that are wrong elsewhere": {
        "wrong.schedule_interval": "`schedule_interval=`",
        "wrong.dummy": "`DummyOperator`",
        "wrong.container_op": "`kfp.dsl.ContainerOp`",
        "wrong.undefined": "A pipeline that calls an undefined component",
        "wrong.build_from_flow": "`Deployment.build_from_flow`, `prefect agent start`",
        "wrong.loop": 'Prefect tasks called in a loop "in parallel"',
        "wrong.never_ran": "Unit tests that were never run",
        "wrong.remove_first": "`os.remove`, then write",
        "wrong.exists": "Skip if the output exists",
        "wrong.timestamp": "Registering a model under a timestamp",
        "wrong.shared_path": "Fixed paths in a shared folder",
        "wrong.attempts": "Retries and attempts confused",
        "wrong.every": "Retrying every exception",
        "wrong.defaults": "Defaults of the command line that override the file",
        "wrong.reread": "The configuration read again after an override",
        "wrong.fallback": "A model under another's name",
        "wrong.test_score": "Choosing by the test score",
        "wrong.random_labels": "Random labels with a gate that can never open",
        "wrong.empty_error": "An error with an empty text counts as success",
        "wrong.rmtree": "`shutil.rmtree`, then `makedirs`",
    },
}
"""Group → key → title; with the reason, where the topic is only told."""

TOPICS = tuple(
    Topic(
        group=group,
        key=key,
        title=said if isinstance(said, str) else said[0],
        told_because="" if isinstance(said, str) else said[1],
    )
    for group, topics in _GROUPS.items()
    for key, said in topics.items()
)

EXERCISES = {
    "01-dags": "a DAG, its order, cycles and critical path",
    "02-broken-dag": "a broken Airflow DAG",
    "03-idempotency": "appending made idempotent, then atomic",
    "04-parallel-models": "several models in parallel, the best chosen",
    "05-retries": "retries with 1, 2, 4 seconds, for chosen exceptions",
}
"""Exercises that such a course is asked for, by file."""


def places(lessons: Path = ROOT / "notebooks" / "lessons") -> dict[str, list[Place]]:
    """Find the cells that teach each topic, in the order of the lessons.

    Parameters
    ----------
    lessons : Path
        The folder of the lessons.
    """
    found: dict[str, list[Place]] = {}
    for file in sorted(lessons.glob("[0-9]*.ipynb")):
        for cell in json.loads(file.read_text(encoding="utf-8"))["cells"]:
            about = cell["metadata"].get("mlkit", {})
            for key in about.get("covers", ()):
                place = Place(lesson=int(file.name[:2]), cell=cell["id"], how=about.get("how", ""))
                found.setdefault(key, []).append(place)
    return found


def problems(topics: Sequence[Topic], taught: Mapping[str, Sequence[Place]]) -> Iterator[str]:
    """Say what is amiss: topics without a cell, told without a reason, or nobody's. Pure."""
    for topic in topics:
        where = taught.get(topic.key, ())
        ways = {place.how for place in where}
        if not where:
            yield f"{topic.key}: no cell of a lesson covers it"
        if ways - set(HOW):
            yield f"{topic.key}: a cell says neither run nor told"
        if where and "run" not in ways and not topic.told_because:
            yield f"{topic.key}: told, without a reason why it is not run"
        if "run" in ways and topic.told_because:
            yield f"{topic.key}: it is run, and yet has a reason why it is not"
    for key in taught.keys() - {topic.key for topic in topics}:
        yield f"{key}: a cell covers it, and it is no topic"


def with_table(page: str) -> str:
    """Give the page with its tables as the lessons are now."""
    taught, lines = places(), list[str]()
    for group in _GROUPS:
        lines += ["", f"## {group}", "", "| topic | where | how |", "|---|---|---|"]
        for topic in (topic for topic in TOPICS if topic.group == group):
            where = [f"{place.lesson} `{place.cell}`" for place in taught.get(topic.key, ())]
            how = f"told: {topic.told_because}" if topic.told_because else "run"
            lines.append(f"| {topic.title} | {', '.join(where)} | {how} |")
    lines += ["", "## Exercises", "", "| exercise | file |", "|---|---|"]
    lines += [f"| {title} | `exercises/{name}.ipynb` |" for name, title in EXERCISES.items()]
    run = sum(not topic.told_because for topic in TOPICS)
    total = f"{len(TOPICS)} topics: {run} are run, {len(TOPICS) - run} told."
    before, _, rest = page.partition(BEGIN)
    return f"{before}{BEGIN}\n{total}\n" + "\n".join(lines) + f"\n\n{END}{rest.partition(END)[2]}"


if __name__ == "__main__":
    PAGE.write_text(with_table(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
