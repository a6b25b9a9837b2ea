"""What the reader of kfp pipelines knows of kfp 2: names, what has gone, methods of a task.

Written down from kfp 2.17; a test holds it against a real kfp.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from mlkit.grading.listings.listing import Problem

__all__ = ["DSL", "METHODS", "NEEDS_NO_IMPORT", "OLD_METHODS", "kfp_name_problems"]

DSL = frozenset(
    {
        *("Artifact", "ClassificationMetrics", "Collected", "ConcatPlaceholder", "Condition"),
        *("ContainerSpec", "Dataset", "Elif", "Else", "ExitHandler", "HTML", "If"),
        *("IfPresentPlaceholder", "Input", "InputPath", "Markdown", "Metrics", "Model", "OneOf"),
        *("Output", "OutputPath", "ParallelFor", "PipelineTask", "PipelineTaskFinalStatus"),
        *("SlicedClassificationMetrics", "component", "container_component", "importer"),
        *("pipeline", "PIPELINE_JOB_ID_PLACEHOLDER", "PIPELINE_JOB_NAME_PLACEHOLDER"),
        *("PIPELINE_TASK_ID_PLACEHOLDER", "PIPELINE_TASK_NAME_PLACEHOLDER"),
    }
)
"""The names of `kfp.dsl` that pipelines use."""

_MODULES = {
    "kfp": {"Client", "client", "compiler", "components", "dsl", "kubernetes", "local"},
    "kfp.compiler": {"Compiler"},
    "kfp.components": {
        *("load_component_from_file", "load_component_from_text", "load_component_from_url"),
    },
    "kfp.dsl": DSL,
}
_GONE = {
    "ContainerOp": "a container is a function with @dsl.container_component",
    "func_to_container_op": "a function becomes a component by @dsl.component",
    "create_component_from_func": "a function becomes a component by @dsl.component",
    "graph_component": "a pipeline within a pipeline is a function with @dsl.pipeline",
    "PipelineParam": "a task hands on task.output, or task.outputs[...]",
    "VolumeOp": "volumes are kubernetes.mount_pvc of kfp-kubernetes",
    "v2": "what was kfp.v2 is kfp itself now",
    "onprem": "use kfp-kubernetes",
}
_RENAMED = {"Condition": "dsl.If"}
METHODS = {
    "after": None,
    "ignore_upstream_failure": (),
    "set_accelerator_limit": ("limit",),
    "set_accelerator_type": ("accelerator",),
    "set_caching_options": ("enable_caching", "cache_key"),
    "set_container_image": ("name",),
    "set_cpu_limit": ("cpu",),
    "set_cpu_request": ("cpu",),
    "set_display_name": ("name",),
    "set_env_variable": ("name", "value"),
    "set_memory_limit": ("memory",),
    "set_memory_request": ("memory",),
    "set_retry": ("num_retries", "backoff_duration", "backoff_factor", "backoff_max_duration"),
}
"""The methods of a task with the names of their arguments, in order."""
OLD_METHODS = {
    "set_gpu_limit": "set_accelerator_type and set_accelerator_limit",
    "add_node_selector_constraint": "set_accelerator_type, or kubernetes.add_node_selector",
}
NEEDS_NO_IMPORT = frozenset({"kfp", "dsl", "List", "Dict", "NamedTuple", "Optional", "Any", *DSL})
"""What a component's function finds where it runs, though it stands outside the function."""


def kfp_name_problems(tree: ast.Module) -> Iterator[Problem]:
    """Names that kfp 2 does not have, and names that it has renamed."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "kfp":
            for alias in node.names:
                yield from _used(node.lineno, node.module or "", alias.name)
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.startswith("kfp.v2"):
                    yield from _used(node.lineno, "kfp", "v2")
        elif isinstance(node, ast.Attribute):
            yield from _attribute(node)


def _attribute(node: ast.Attribute) -> Iterator[Problem]:
    owner = ast.unparse(node.value)
    module = {"dsl": "kfp.dsl", "components": "kfp.components", "compiler": "kfp.compiler"}
    home = module.get(owner, owner)
    if home in _MODULES:
        yield from _used(node.lineno, home, node.attr)


def _used(line: int, module: str, name: str) -> Iterator[Problem]:
    gone = next((part for part in (*module.split(".")[1:], name) if part in _GONE), None)
    if gone is not None or (module in _MODULES and name not in _MODULES[module]):
        advice = f": {_GONE[gone]}" if gone else ""
        text = f"kfp 2 has no {name} in {module}{advice}"
        yield Problem(rule="import", line=line, text=text)
    elif name in _RENAMED:
        text = f"{name} is the old name of {_RENAMED[name]}"
        yield Problem(rule="moved", line=line, text=text)
