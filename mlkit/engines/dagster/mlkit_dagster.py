"""How an op runs a stage, reads what is upstream, and shows what came of it.

This file stands beside the definitions and imports Dagster and the standard library only. Each
stage is run by `mlkit run --only STAGE --run-id RUN` in mlkit's own environment, so that results
are reused and recorded in one place, whichever engine asks for them.
"""

from __future__ import annotations

import argparse
import glob
import json
import os
import random
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dagster import (
    AssetCheckEvaluation,
    AssetCheckResult,
    AssetChecksDefinition,
    AssetCheckSeverity,
    AssetKey,
    AssetMaterialization,
    AssetSpec,
    ConfigurableResource,
    DagsterInstance,
    DynamicOutput,
    DynamicPartitionsDefinition,
    Failure,
    In,
    JobDefinition,
    MetadataValue,
    Nothing,
    OpExecutionContext,
    Out,
    Output,
    PartitionsDefinition,
    RetryRequested,
    StaticPartitionsDefinition,
    asset_check,
    op,
)

SKIPPED = 99  # mlkit's exit code for a stage that was skipped

NO_VALUE = "\n"
"""Stands for the value of a mapped stage whose list is none; `label` writes no value so."""

DONE = {"done": Out(Nothing, is_required=False, description="the stage has succeeded")}
"""What an op hands on; without it, what stands behind is skipped by Dagster itself."""

ENDED = {**DONE, "ended": Out(Nothing, description="the stage has ended, however")}
"""The same, of a stage behind which something may run although it was skipped or has failed."""

FAILED = {"failed": Out(Nothing, is_required=False, description="the stage has failed for good")}
"""Lets an op of its own fail the run, since a failed op would hold back all behind it."""


@dataclass(frozen=True, kw_only=True)
class Retries:
    """When a failed stage is tried again; the n-th delay (from 0) is `delay_s * backoff ** n`.

    Dagster's own `RetryPolicy` grows a delay otherwise and knows no longest one.
    """

    most: int
    delay_s: float = 1.0
    backoff: float = 2.0
    max_delay_s: float | None = None
    jitter: bool = True

    def delay(self, place: int) -> float:
        """The seconds before a retry; the first has place 0."""
        delay = self.delay_s * self.backoff**place
        delay = delay if self.max_delay_s is None else min(delay, self.max_delay_s)
        return random.uniform(delay / 2, delay) if self.jitter else delay


@dataclass(frozen=True, kw_only=True)
class Stage:
    """What an op knows of its stage.

    `outputs` are its artifacts; `checks` those that it reads and checks; `goes_on` says that
    something behind may run although it has failed; `tells` holds `success` or `failure` where
    people are told of it; `waited` says that Dagster has waited for its file.
    """

    name: str
    outputs: Sequence[str] = ()
    checks: Sequence[Sequence[str]] = ()
    notebook: str = "notebook.ipynb"
    retries: Retries | None = None
    critical: bool = True
    goes_on: bool = False
    tells: Sequence[str] = ()
    waited: bool = False


class Mlkit(ConfigurableResource):  # type: ignore[misc]  # Dagster is not there when this is checked
    """mlkit's command, the pipeline and its runs.

    A run may be given other values: `run_id` is the id of mlkit's run, made from Dagster's unless
    it is given; `parameters` are YAML texts, as behind `-p NAME:=`.
    """

    command: str
    pipeline: str
    runs_dir: str
    run_id: str = ""
    options: list[str] = []  # noqa: RUF012 - pydantic copies it
    parameters: dict[str, str] = {}  # noqa: RUF012 - pydantic copies it
    takes_logical_date: bool = False

    def run_stage(
        self, context: OpExecutionContext, stage: Stage, item: str | None = None
    ) -> Iterator[Output]:
        """Run a stage, or one instance of a mapped one, and hand on how it ended."""
        item = None if item == NO_VALUE else item
        name = stage.name if item is None else f"{stage.name}[{item}]"
        code, document = self._run(context, name, waited=stage.waited)
        error = _error(document)
        found = document.get("stages", {})
        record: dict[str, Any] = found.get(name) or next(iter(found.values()), {})
        failed = code not in (0, SKIPPED)
        if failed and record.get("status") not in ("failed", "upstream_failed"):
            raise Failure(_said(name, error, code), allow_retries=False)
        again = stage.retries if error.get("retryable") else None
        if failed and again is not None and context.retry_number < again.most:
            context.log.warning(_said(name, error, code))
            delay = again.delay(context.retry_number)
            raise RetryRequested(max_retries=again.most, seconds_to_wait=delay)
        has_failed = record["status"] == "failed"
        self._show(context, stage, item, record)
        if "success" in stage.tells and code == 0:
            self._tell(context, name)
        if "failure" in stage.tells and has_failed:
            self._tell(context, name)
        if code == 0:
            yield Output(None, "done")
        elif not has_failed:
            context.log.info(f"{name}: {record['status']}: {record['reason']}")
        elif stage.critical and not stage.goes_on:
            raise Failure(_said(name, error, code), allow_retries=False)
        else:
            context.log.error(_said(name, error, code))
        if stage.goes_on:
            yield Output(None, "ended", metadata={"status": record["status"]})
        if stage.goes_on and stage.critical and has_failed:
            yield Output(None, "failed")

    def value(self, context: OpExecutionContext, artifact: str) -> Any:
        """Read a JSON artifact of this run, wherever that is; None if it was not made."""
        code, document = self._call(context, "show", self.id(context), artifact, "--value")
        if code:
            raise Failure(_said(artifact, _error(document), code), allow_retries=False)
        return document["value"]

    def values(
        self, context: OpExecutionContext, stage: str, artifact: str, *, kind: str = ""
    ) -> Iterator[DynamicOutput]:
        """Read from an artifact the values that a stage is mapped over.

        What is no list of values, or was not made, gives one op without a value: once all that is
        upstream has ended, mlkit says and writes down what is wrong.
        """
        found = self.value(context, artifact)
        try:
            listed = [label(_as(kind, item)) for item in _list(found)]
        except (TypeError, ValueError):
            context.log.warning(f"{stage}: {artifact} is no list of values")
            yield from mapped([NO_VALUE])
            return
        context.instance.add_dynamic_partitions(artifact, [partition(item) for item in listed])
        yield from mapped(listed)

    def wait_for_file(
        self, context: OpExecutionContext, pattern: str, *, every_s: float, timeout_s: float
    ) -> Iterator[Output]:
        """Look for a file; between two looks Dagster does something else.

        If none comes in time, the stage itself says so.
        """
        step = str(context.op_handle)
        (seen,) = context.instance.get_run_step_stats(context.run_id, step_keys=[step])
        left = timeout_s - (time.time() - (seen.start_time or time.time()))
        # a link that leads nowhere matches a pattern, and is no file
        if left > 0 and not any(map(os.path.exists, glob.glob(pattern, recursive=True))):
            looks = 2 + int(timeout_s / every_s)
            raise RetryRequested(max_retries=looks, seconds_to_wait=min(every_s, left))
        yield Output(None, "done")

    def id(self, context: OpExecutionContext) -> str:
        """The id of mlkit's run, in which the run is continued that Dagster resumes."""
        if self.run_id:
            return self.run_id
        resumed = context.run.tags.get("dagster/is_resume_retry") == "true"
        own = context.run.root_run_id if resumed else context.run_id
        record = context.instance.get_run_record_by_id(own)
        return f"{record.create_timestamp:%Y%m%d-%H%M%S}-{own[:12]}"

    def _run(
        self, context: OpExecutionContext, name: str, *, waited: bool = False
    ) -> tuple[int, Any]:
        words = ["run", "--only", name, "--run-id", self.id(context), *self.options]
        for parameter, text in self.parameters.items():
            words += ["-p", f"{parameter}:={text}"]
        return self._call(context, *words, waited=waited)

    def _tell(self, context: OpExecutionContext, name: str) -> None:
        code, document = self._call(context, "notify", self.id(context), name)
        if code:
            context.log.warning(f"{name}: nobody was told: {_error(document).get('message')}")

    def _call(
        self, context: OpExecutionContext, *words: str, waited: bool = False
    ) -> tuple[int, Any]:
        """Call mlkit, and give its exit code and what it printed."""
        key = context.get_mapping_key()
        task = str(context.op_handle) if key is None else f"{context.op_handle}[{key}]"
        ids = {
            "MLKIT_ENGINE": "dagster",
            "MLKIT_ENGINE_RUN_ID": context.run_id,
            "MLKIT_ENGINE_TASK_ID": task,
            "MLKIT_ENGINE_NOTIFIES": "1",
            "MLKIT_ENGINE_WAITED": "1" if waited else "",
        }
        if self.takes_logical_date and context.has_partition_key:
            ids["MLKIT_ENGINE_INTERVAL"] = context.partition_time_window.start.isoformat()
        command = [self.command, words[0], *words[1:], self.pipeline]
        if words[0] == "run":
            command = [self.command, "run", self.pipeline, *words[1:]]
        command += ["--runs-dir", self.runs_dir, "--json"]
        environ = {**os.environ, **ids}
        with subprocess.Popen(command, env=environ, stdout=subprocess.PIPE) as process:
            try:
                printed, _ = process.communicate()
            except BaseException:
                process.terminate()  # mlkit then ends the notebook, and writes that down
                raise
        return process.returncode, json.loads(printed or b"{}")

    def _show(
        self, context: OpExecutionContext, stage: Stage, item: str | None, record: Mapping[str, Any]
    ) -> None:
        """Show Dagster the artifacts of a stage, and what its end says of those that it checks."""
        name = stage.name if item is None else f"{stage.name}[{item}]"
        for key in stage.checks:
            if record["status"] in ("succeeded", "cached", "failed"):
                context.log_event(
                    AssetCheckEvaluation(
                        asset_key=AssetKey(list(key)),
                        check_name=context.op_def.name,
                        passed=record["status"] != "failed",
                        severity=(
                            AssetCheckSeverity.ERROR if stage.critical else AssetCheckSeverity.WARN
                        ),
                        metadata={"run": self.id(context), "reason": record["reason"] or ""},
                    )
                )
        if record["status"] not in ("succeeded", "cached"):
            return
        folder, known = self._folder(context), self._known(context, name)
        for output, path in record["outputs"].items():
            if output not in stage.outputs or not path:
                continue
            artifact = known.get("artifacts", {}).get(output, {})
            metadata: dict[str, Any] = {
                "path": MetadataValue.path(path),
                "run": self.id(context),
                "status": record["status"],
                **known.get("metrics", {}),
            }
            if folder is not None:
                notebook = Path(path).parents[len(Path(path).parts) - len(folder.parts) - 2]
                metadata["notebook"] = MetadataValue.path(str(notebook / "notebook.ipynb"))
                metadata["report"] = self._report(context, folder)
            if "size_bytes" in artifact:
                metadata["size_bytes"] = artifact["size_bytes"]
            digest = artifact.get("digest")
            context.log_event(
                AssetMaterialization(
                    asset_key=[stage.name, output],
                    partition=None if item is None else partition(item),
                    metadata=metadata,
                    tags={"dagster/data_version": digest} if digest else None,
                )
            )

    def _report(self, context: OpExecutionContext, folder: Path) -> Any:
        """Where the report of the run is, or how it is made once the run is over."""
        page = folder / "report.html"
        if page.exists():
            return MetadataValue.path(str(page))
        words = [self.command, "report", self.id(context), self.pipeline]
        return MetadataValue.text(shlex.join([*words, "--runs-dir", self.runs_dir]))

    def _folder(self, context: OpExecutionContext) -> Path | None:
        """The folder of mlkit's run; None where the runs stand behind a URL."""
        return None if "://" in self.runs_dir else Path(self.runs_dir, self.id(context))

    def _known(self, context: OpExecutionContext, name: str) -> Mapping[str, Any]:
        """What mlkit's record says of an instance, beside what it has printed."""
        folder = self._folder(context)
        if folder is None or not (folder / "run.json").exists():
            return {}
        record = json.loads((folder / "run.json").read_text(encoding="utf-8"))
        found: Mapping[str, Any] = record["stages"].get(name, {})
        return found


def artifacts(
    stage: str,
    files: Mapping[str, str],
    *,
    notebook: str,
    group: str,
    reads: Sequence[Sequence[str]] = (),
    over: Sequence[str] | str = (),
) -> Iterator[AssetSpec]:
    """An asset for each artifact of a stage; one partition for each value that it maps over.

    The values are a list, or the name of the artifact that holds them.
    """
    parts: PartitionsDefinition | None = None
    if isinstance(over, str):
        parts = DynamicPartitionsDefinition(name=over)
    elif over:
        parts = StaticPartitionsDefinition([partition(text) for text in over])
    for output, file in files.items():
        yield AssetSpec(
            key=[stage, output],
            description=f"`{file}`, written by `{notebook}`",
            deps=[list(key) for key in reads],
            group_name=group,
            kinds={"notebook"},
            partitions_def=parts,
        )


def checks(op: str, stage: str, keys: Sequence[Sequence[str]]) -> list[AssetChecksDefinition]:
    """The checks that a stage is; its op says how they ended, and asked by hand they do, too."""
    return [_check(op, stage, AssetKey(list(key))) for key in keys]


def _check(op: str, stage: str, key: AssetKey) -> AssetChecksDefinition:
    doc = f"{stage} has accepted it"

    @asset_check(  # type: ignore[untyped-decorator]
        asset=key, name=op, description=doc, required_resource_keys={"mlkit"}
    )
    # Dagster takes no annotation of `context` that is a text, as all are in this file.
    def check(context) -> Any:  # type: ignore[no-untyped-def]
        mlkit: Mlkit = context.resources.mlkit
        made = context.instance.get_latest_materialization_event(key)
        run = str(made.asset_materialization.metadata["run"].value)
        words = [mlkit.command, "show", run, mlkit.pipeline, "--runs-dir", mlkit.runs_dir]
        shown = subprocess.run([*words, "--json"], capture_output=True, encoding="utf-8")
        stages = json.loads(shown.stdout or "{}").get("stages", {})
        status = stages.get(stage, {}).get("status", "unknown")
        passed = status in ("succeeded", "cached")
        return AssetCheckResult(passed=passed, metadata={"run": run, "status": status})

    found: AssetChecksDefinition = check
    return found


def after(*names: str) -> dict[str, In]:
    """The inputs of an op that waits, and receives nothing: artifacts are handed on by mlkit."""
    return {name: In(Nothing) for name in names}


def ways(*names: str) -> dict[str, Out]:
    """The outputs of an op that chooses what follows."""
    return {name: Out(Nothing, is_required=False) for name in names}


def chosen(found: Any, choices: Mapping[str, Sequence[Any]]) -> Iterator[Output]:
    """Let follow what wants the value that was found; unlike with `==`, 1 is not true."""
    text = json.dumps(found, sort_keys=True)
    for name, wanted in choices.items():
        if text in [json.dumps(item, sort_keys=True) for item in wanted]:
            yield Output(None, name)


def mapped(labels: Sequence[str]) -> Iterator[DynamicOutput]:
    """Hand out values, each under a key that Dagster takes: letters, digits, `_`."""
    taken: set[str] = set()
    for place, text in enumerate(labels):
        plain = re.sub(r"[^A-Za-z0-9]+", "_", text)[:60].strip("_")
        key = plain if plain and plain not in taken else f"{plain}_{place}".lstrip("_")
        while key in taken:
            key += "_"
        taken.add(key)
        yield DynamicOutput(text, mapping_key=key)


@op(ins=after("upstream"), out=DONE)  # type: ignore[untyped-decorator]
def gathered() -> Iterator[Output]:
    """Hand on that a map has ended, to the ops of another map."""
    yield Output(None, "done")


def label(item: Any) -> str:
    """Write a value as it stands in STAGE[VALUE]."""
    if item is not None and not isinstance(item, str | bool | int | float):
        raise TypeError(f"{item!r} is no scalar")
    text = item if isinstance(item, str) else json.dumps(item)
    # what means something between the brackets is quoted, and what cannot be seen is escaped
    if re.search(r'[,\[\]*]|^["\s]|\s$', text) or not text.isprintable():
        text = json.dumps(text, ensure_ascii=not text.isprintable())
    return text


def partition(text: str) -> str:
    """Write a value as the key of a partition, in which Dagster takes no `...` and no controls."""
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    return shown.replace("...", "…")


def failed_for_good(stage: str) -> None:
    """Fail, in place of the op of a stage that others go on behind."""
    raise Failure(f"{stage} has failed; its own op says why", allow_retries=False)


def pass_over_to_the_end() -> None:
    """Have Dagster pass over all that is not to run.

    It looks once for what to skip, then for what to hold back, and again after the next op only. An
    op behind one that was skipped and one that was held back is found by the second look: if it is
    the last, Dagster 1.13 waits for it in this process for ever.
    """
    # here, since it is Dagster's own business, and no page or daemon of Dagster's comes by
    from dagster._core.execution.plan.active import ActiveExecution

    look = ActiveExecution.plan_events_iterator

    def look_again(self: Any, context: Any) -> Iterator[Any]:
        yield from look(self, context)
        while self._pending_skip or self._pending_abandon:
            yield from look(self, context)

    ActiveExecution.plan_events_iterator = look_again


def main(job: JobDefinition) -> None:
    """Run a job in this process, one op after the other."""
    pass_over_to_the_end()
    parser = argparse.ArgumentParser(description=f"The job '{job.name}'.")
    parser.add_argument("--run-id", help="the id of mlkit's run (default: made from the time)")
    given = parser.parse_args()
    config = {"run_id": given.run_id} if given.run_id else {}
    with DagsterInstance.get() as instance:
        result = job.execute_in_process(
            instance=instance,
            run_config={"resources": {"mlkit": {"config": config}}},
            raise_on_error=False,
        )
    sys.exit(0 if result.success else 1)


def _as(kind: str, item: Any) -> Any:
    return float(item) if kind == "float" else item


def _list(found: Any) -> list[Any]:
    if not isinstance(found, list):
        raise TypeError(f"{found!r} is no list")
    return found


def _error(document: Mapping[str, Any]) -> dict[str, Any]:
    """What mlkit says went wrong: of the call, or of a stage."""
    ended = [document, *document.get("stages", {}).values()]
    return next((item["error"] for item in ended if item.get("error")), {})


def _said(name: str, error: Mapping[str, Any], code: int) -> str:
    return f"{name}: {error.get('type', 'mlkit')}: {error.get('message', f'ended with {code}')}"
