"""Files and pipes are UTF-8, whatever the locale says."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "mlkit"
TEXT_PIPES = ("text", "universal_newlines")
TEXT_METHODS = {"read_text": 0, "write_text": 1}


def _without_encoding(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Calls that read or write text in the locale's encoding."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        given = {item.arg for item in node.keywords}
        if "encoding" in given or None in given:
            continue
        name = getattr(node.func, "attr", getattr(node.func, "id", ""))
        if name in TEXT_METHODS and len(node.args) <= TEXT_METHODS[name]:
            yield node.lineno, name
        if name in ("open", "fdopen", "NamedTemporaryFile") and _is_text(node, name):
            yield node.lineno, name
        if any(_is_true(item) for item in node.keywords if item.arg in TEXT_PIPES):
            yield node.lineno, f"{name}(text=True)"


def _is_true(given: ast.keyword) -> bool:
    return isinstance(given.value, ast.Constant) and given.value.value is True


def _is_text(call: ast.Call, name: str) -> bool:
    """Whether an `open` opens text: its mode is a literal without a `b`."""
    owner = call.func.value if isinstance(call.func, ast.Attribute) else None
    first = 0 if owner is not None and name == "open" else 1
    mode = next((item.value for item in call.keywords if item.arg == "mode"), None)
    if mode is None and len(call.args) > first:
        mode = call.args[first]
    if isinstance(mode, ast.Constant) and isinstance(mode.value, str):
        return "b" not in mode.value
    return owner is None and name == "open" and mode is None


@pytest.mark.parametrize(
    "code",
    [
        "path.read_text()",
        "path.write_text(words)",
        "open(path)",
        "path.open('a')",
        "os.fdopen(number, 'w')",
        "subprocess.run(command, text=True)",
    ],
)
def test_what_follows_the_locale_is_found(code: str) -> None:
    """The test below sees each way."""
    assert list(_without_encoding(ast.parse(code)))


def test_no_file_and_no_pipe_follows_the_locale() -> None:
    """Every text that is read or written names its encoding."""
    found = [
        f"{file.relative_to(PACKAGE.parent)}:{line}: {what}"
        for file in sorted(PACKAGE.rglob("*.py"))
        for line, what in _without_encoding(ast.parse(file.read_text(encoding="utf-8")))
    ]
    assert found == []
