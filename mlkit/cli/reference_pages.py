"""The pages of reference, made of the code itself: keys, commands, Python, errors, documents.

Nothing of them stands in the repository: what a page says is what the loader, the command line and
the docstrings say on the day when the site is built.
"""

from __future__ import annotations

import importlib
import json
import pkgutil
from collections.abc import Iterator, Mapping
from typing import Any

import click

import mlkit
from mlkit.cli.main import COMMANDS, load_command
from mlkit.core.error_kinds import ERROR_KINDS, GROUPS
from mlkit.core.pipeline_keys import KEYS, TITLES
from mlkit.core.schemas import SCHEMAS, schema_of

__all__ = ["python_names", "reference_pages", "usage_of"]

Pages = dict[str, str]


def reference_pages() -> Pages:
    """Give every page of reference: its name, such as `docs/reference/errors`, and its Markdown."""
    place = "docs/reference"
    return {
        f"{place}/pipeline-yaml": _keys_page(),
        **{f"{place}/{name}": text for name, text in _command_pages().items()},
        **{f"{place}/{name}": text for name, text in _python_pages().items()},
        f"{place}/errors": _errors_page(),
        **{f"{place}/{name}": text for name, text in _schema_pages().items()},
    }


def _row(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"


def _keys_page() -> str:
    lines = [
        "# Keys of pipeline.yaml",
        "",
        "Every key of a pipeline.yaml, where it belongs, what it takes, and what",
        "holds where it is left out. A key without a value counts as left out. Keys that begin",
        "with `x-` are passed over, and YAML's `<<` takes in a mapping. `mlkit schema` prints the",
        "same as a JSON Schema: see [an editor that checks](../how-to/editor.md).",
        "",
    ]
    for place, title in TITLES.items():
        lines += [f"## {title}", ""]
        for key in (key for key in KEYS if key.place == place):
            lines += [f"### {key.name}", "", key.says, ""]
            facts = {"Type": key.takes, "Default": key.default, "Since": key.since}
            lines += [f"- {name}: {fact}" for name, fact in facts.items()]
            lines += ["", "```yaml", key.example, "```", ""]
    return "\n".join(lines)


def _errors_page() -> str:
    lines = [
        "# Errors",
        "",
        "Every error of mlkit ends with the code of its kind. `mlkit explain CODE` prints what",
        "stands here. A stage that has failed is no error of mlkit: its record has a type, the",
        "class that the notebook raised or one of those named here.",
        "",
    ]
    for group, title in GROUPS.items():
        lines += [f"## {title}", ""]
        for kind in ERROR_KINDS.values():
            if kind.code.startswith(group):
                name = f" {kind.name}" if kind.name else ""
                lines += [f"### {kind.code}{name}: {kind.title}", "", kind.cause, ""]
                lines += [f"*What to do:* {kind.remedy}", ""]
    return "\n".join(lines)


def usage_of() -> Iterator[tuple[str, click.Command]]:
    """Every command with its words, those below a group one by one."""
    for name in COMMANDS:
        command: Any = load_command(name)
        below = getattr(command, "commands", None)
        if below is None:
            yield name, command
        else:
            yield from ((f"{name} {word}", inner) for word, inner in below.items())


def _command_pages() -> Pages:
    links = ["# Commands", "", "Every command with its options and an example.", ""]
    pages: Pages = {}
    for words, command in usage_of():
        page = f"commands/{words.replace(' ', '-')}"
        pages[page] = _command_page(words, command)
        first = (command.help or "").strip().partition("\n")[0]
        links.append(f"- [`mlkit {words}`]({page}.md): {first}")
    tree = ["", "```{toctree}", ":hidden:", "", *pages, "```", ""]
    return {"commands": "\n".join([*links, *tree]), **pages}


def _command_page(words: str, command: click.Command) -> str:
    context = click.Context(command, info_name=f"mlkit {words}")
    usage = command.collect_usage_pieces(context)
    lines = [f"# mlkit {words}", "", "```text", " ".join([f"mlkit {words}", *usage]), "```", ""]
    for paragraph in (command.help or "").replace(r"\b", "\b").split("\n\n"):
        lines += [*_paragraph(paragraph.strip("\n")), ""]
    rows = [_parameter_row(parameter, context) for parameter in command.get_params(context)]
    for title, kind in (("Arguments", "argument"), ("Options", "option")):
        own = [row for parameter, row in rows if parameter.param_type_name == kind]
        if own:
            lines += [f"## {title}", "", _row("name", "what it is"), "|---|---|", *own, ""]
    return "\n".join(lines)


def _paragraph(text: str) -> list[str]:
    r"""A paragraph of a command's help; behind `\b` its lines stand as they are."""
    if not text.startswith("\b"):
        return [text.replace("<", "\\<").replace("*", "\\*")]
    title, _, rest = text.removeprefix("\b").lstrip("\n").partition("\n")
    if not rest.strip():
        return ["```text", title.strip(), "```"]
    return [f"## {title.strip().rstrip(':')}", "", "```text", rest, "```"]


def _parameter_row(parameter: click.Parameter, context: click.Context) -> tuple[Any, str]:
    record = parameter.get_help_record(context)
    if parameter.param_type_name == "argument":
        name, says = parameter.make_metavar(context), getattr(parameter, "help", None) or ""
    else:
        name, says = record or (", ".join(parameter.opts), "")
    return parameter, _row(f"`{name}`", says.replace("<", "\\<").replace("*", "\\*"))


PACKAGES = {
    "mlkit": "What a program or a notebook calls",
    "mlkit.widgets": "Live views for notebooks",
    "mlkit.testing": "Testing your own pipelines",
}


def python_names() -> Mapping[str, list[str]]:
    """Every public name, by the module that exports it."""
    found = {name: list(importlib.import_module(name).__all__) for name in PACKAGES}
    package = importlib.import_module("mlkit.ml")
    for inner in pkgutil.iter_modules(package.__path__):
        module = f"mlkit.ml.{inner.name}"
        found[module] = list(importlib.import_module(module).__all__)
    return found


def _python_pages() -> Pages:
    pages: Pages = {}
    links = ["# Python", "", "Every public name. Whatever else is in the package may change.", ""]
    for module, names in python_names().items():
        page = f"python/{module.replace('.', '-')}"
        says = PACKAGES.get(module) or _first_line(module)
        pages[page] = _module_page(module, names, says)
        links.append(f"- [`{module}`]({page}.md): {says}")
    tree = ["", "```{toctree}", ":hidden:", "", *pages, "```", ""]
    return {"python": "\n".join([*links, *tree]), **pages}


def _first_line(module: str) -> str:
    return (importlib.import_module(module).__doc__ or "").partition("\n")[0]


def _module_page(module: str, names: list[str], says: str) -> str:
    lines = [f"# {module}", "", f"{says.rstrip('.')}.", "", "```{eval-rst}"]
    holder = importlib.import_module(module)
    for name in names:
        value = getattr(holder, name)
        if isinstance(value, type):
            lines += [f".. autoclass:: {module}.{name}", "   :members:", ""]
        elif callable(value):
            lines += [f".. autofunction:: {module}.{name}", ""]
        else:
            lines += [f".. py:data:: {name}", f"   :module: {module}", ""]
    return "\n".join([*lines, "```", ""])


def _schema_pages() -> Pages:
    pages: Pages = {}
    links = [
        "# Documents",
        "",
        f"JSON Schemas of what mlkit {mlkit.__version__} reads and writes; `mlkit schema NAME`",
        "prints each.",
        "",
    ]
    for name in SCHEMAS:
        schema = schema_of(name)
        page = f"documents/{name}"
        text = json.dumps(schema, indent=2, ensure_ascii=False)
        title = str(schema["title"])
        says = str(schema.get("description", ""))
        pages[page] = f"# {title}\n\n{says}\n\n```json\n{text}\n```\n"
        links.append(f"- [{title}]({page}.md), `mlkit schema {name}`")
    tree = ["", "```{toctree}", ":hidden:", "", *pages, "```", ""]
    return {"documents": "\n".join([*links, *tree]), **pages}
