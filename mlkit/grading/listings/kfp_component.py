"""Read a kfp component: its inputs, outputs and packages, and what keeps it from running. Pure."""

from __future__ import annotations

import ast
import builtins
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from mlkit.frozen import dataclass
from mlkit.grading.listings.dag_values import plain_value
from mlkit.grading.listings.kfp_names import NEEDS_NO_IMPORT
from mlkit.grading.listings.listing import Problem

__all__ = ["Component", "component_problems", "decorator_of", "read_component"]


@dataclass(frozen=True, kw_only=True)
class Component:
    """A component.

    Parameters
    ----------
    name : str
        Its function.
    kind : {"component", "container_component"}
        How it was made.
    inputs : mapping of str to str
        Input to its annotation, artifacts too.
    required : frozenset of str
        Inputs without a default.
    outputs : mapping of str to str
        Output to its annotation.
    settings : mapping
        The decorator's arguments.
    """

    name: str
    kind: str
    inputs: Mapping[str, str]
    required: frozenset[str]
    outputs: Mapping[str, str]
    settings: Mapping[str, Any]


def decorator_of(function: ast.FunctionDef) -> tuple[str, ast.Call | None] | None:
    """The kfp decorator of a function: `component`, `container_component` or `pipeline`."""
    for decorator in function.decorator_list:
        call = decorator if isinstance(decorator, ast.Call) else None
        name = ast.unparse(call.func if call else decorator).rpartition(".")[2]
        if name in ("component", "container_component", "pipeline"):
            return name, call
    return None


def read_component(function: ast.FunctionDef, kind: str, call: ast.Call | None) -> Component:
    """Read a component's signature and decorator."""
    arguments = [*function.args.posonlyargs, *function.args.args]
    positional = len(arguments) - len(function.args.defaults)
    required = {a.arg for a in arguments[:positional]}
    pairs = zip(function.args.kwonlyargs, function.args.kw_defaults, strict=True)
    required |= {a.arg for a, default in pairs if default is None}
    inputs, outputs = {}, dict(_returned(function.returns))
    for item in (*arguments, *function.args.kwonlyargs):
        text = "" if item.annotation is None else ast.unparse(item.annotation)
        bare = text.removeprefix("dsl.")
        if bare.startswith(("Output[", "OutputPath")):
            outputs[item.arg] = bare
        else:
            inputs[item.arg] = bare
    given = (
        {} if call is None else {k.arg: plain_value(k.value, {}) for k in call.keywords if k.arg}
    )
    return Component(
        name=function.name,
        kind=kind,
        inputs=inputs,
        required=frozenset(required & inputs.keys()),
        outputs=outputs,
        settings=given,
    )


def _returned(returns: ast.expr | None) -> Iterator[tuple[str, str]]:
    if returns is None or ast.unparse(returns) in ("None", "ContainerSpec", "dsl.ContainerSpec"):
        return
    if isinstance(returns, ast.Call) and ast.unparse(returns.func).endswith("NamedTuple"):
        fields = plain_value(returns.args[1], {}) if len(returns.args) > 1 else []
        for field in fields if isinstance(fields, list) else []:
            if isinstance(field, list) and len(field) == 2:
                yield str(field[0]), str(field[1])
        return
    yield "Output", ast.unparse(returns)


def component_problems(function: ast.FunctionDef, component: Component) -> Iterator[Problem]:
    """What keeps a component from compiling, or from running where it is sent to."""
    for item in [*function.args.args, *function.args.kwonlyargs]:
        if item.annotation is None:
            text = f"{function.name}: the argument {item.arg!r} has no type"
            yield Problem(rule="annotation", line=item.lineno, text=text)
    if component.kind != "component":
        return
    yield from _foreign_names(function, component)
    yield from _packages(function, component)


def _foreign_names(function: ast.FunctionDef, component: Component) -> Iterator[Problem]:
    """A component is sent as the source of its function: nothing around it goes along."""
    inside = [node for statement in function.body for node in ast.walk(statement)]
    known = {*dir(builtins), *NEEDS_NO_IMPORT, function.name, *component.inputs, *component.outputs}
    known |= {a.arg for node in inside if isinstance(node, ast.arguments) for a in node.args}
    for node in inside:
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            known.add(node.id)
        elif isinstance(node, ast.alias):
            known.add((node.asname or node.name).partition(".")[0])
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            known.add(node.name)
    extra = component.settings.get("additional_funcs", [])
    known |= {item["code"] for item in extra if isinstance(item, dict)}
    for node in inside:
        if isinstance(node, ast.Name) and node.id not in known:
            known.add(node.id)
            text = f"{function.name} uses {node.id!r}, which stands outside of the function"
            yield Problem(rule="self_contained", line=node.lineno, text=text)


def _packages(function: ast.FunctionDef, component: Component) -> Iterator[Problem]:
    """Whatever is imported beside the standard library has to be installed, or in the image."""
    given = component.settings
    if given.get("base_image") or given.get("target_image") or given.get("packages_to_install"):
        return
    for node in ast.walk(function):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        for name in (name.partition(".")[0] for name in names):
            if name not in sys.stdlib_module_names and name != "kfp":
                text = f"{function.name} imports {name}, which is neither installed nor in an image"
                yield Problem(rule="packages", line=getattr(node, "lineno", 1), text=text)
