"""Every error has a code, every code a page, and every page an error."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlkit import errors
from mlkit.core.error_kinds import (
    ERROR_KINDS,
    GROUPS,
    ErrorKind,
    UnknownCodeError,
    find_kind,
    page_of,
)

PACKAGE = Path(__file__).parents[2] / "mlkit"
TREES = {path: ast.parse(path.read_text("utf-8")) for path in sorted(PACKAGE.rglob("*.py"))}
CODE = re.compile(r"E\d{3}")
REMEDY = (
    'Give the class a line usual_code = "E…" with a code of mlkit/core/error_kinds.py; where no '
    "kind fits, add one there, under the next free number of its group"
)


def _classes() -> dict[str, ast.ClassDef]:
    """Every class of mlkit that is, through whatever others, a MlkitError."""
    found: dict[str, ast.ClassDef] = {}
    everything = [node for tree in TREES.values() for node in ast.walk(tree)]
    defined = [node for node in everything if isinstance(node, ast.ClassDef)]
    known = {"MlkitError"}
    for _ in defined:
        more = {
            node.name: node
            for node in defined
            if node.name not in known
            and known & {base.id for base in node.bases if isinstance(base, ast.Name)}
        }
        found.update(more)
        known |= set(more)
        if not more:
            break
    return found


def _written_codes() -> Iterator[tuple[str, str]]:
    """Every code that stands in the code, with its place; the registry itself left out."""
    for path, tree in TREES.items():
        if path.name == "error_kinds.py":
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and CODE.fullmatch(str(node.value)):
                yield f"{path.relative_to(PACKAGE.parent)}:{node.lineno}", str(node.value)


def test_every_class_of_errors_names_its_usual_code() -> None:
    """So that whatever is raised has one, without a word where it is raised."""
    classes = _classes()
    assert len(classes) >= 12
    without = [
        name
        for name, node in classes.items()
        if not any(
            isinstance(line, ast.Assign)
            and isinstance(line.targets[0], ast.Name)
            and line.targets[0].id == "usual_code"
            for line in node.body
        )
    ]
    assert without == [], REMEDY


def test_every_code_that_is_raised_has_a_page() -> None:
    """A code that nobody can look up says nothing."""
    unknown = [f"{place}: {code}" for place, code in _written_codes() if code not in ERROR_KINDS]
    assert unknown == [], REMEDY


def test_every_page_is_of_an_error_that_is_raised() -> None:
    """Or of one that a stage's record names; a kind that is gone goes from the registry, too."""
    raised = {code for _, code in _written_codes()}
    text = "".join(path.read_text("utf-8") for path in TREES if path.name != "error_kinds.py")
    named = {kind.code for kind in ERROR_KINDS.values() if kind.name and kind.name in text}
    assert set(ERROR_KINDS) - raised - named == set()


def test_an_error_is_of_its_class_s_kind_or_of_its_own() -> None:
    """And keeps it across a process."""
    assert errors.UsageError("x").code == "E100"
    assert errors.UsageError("x", code="E101").code == "E101"
    assert errors.ConfigurationError("pipeline.yaml:3, x", code="E401").code == "E401"
    assert errors.StoreError("x").code == "E501"


@pytest.mark.parametrize("kind", ERROR_KINDS.values(), ids=lambda kind: kind.code)
def test_every_page_names_cause_and_remedy(kind: ErrorKind) -> None:
    """In whole sentences, and it is found by code and by name."""
    assert CODE.fullmatch(kind.code)
    assert kind.code[:2] in GROUPS
    assert kind.cause.endswith(".")
    assert kind.remedy.endswith(".")
    assert not kind.title.endswith(".")
    assert find_kind(kind.code) is kind
    assert find_kind(f"[{kind.code.lower()}]") is kind
    assert kind.name is None or find_kind(kind.name) is kind
    assert kind.cause in page_of(kind)
    assert kind.remedy in page_of(kind)


def test_codes_are_in_order_and_none_stands_twice() -> None:
    """A second entry of a code would hide the first."""
    source = (PACKAGE / "core/error_kinds.py").read_text("utf-8")
    assert re.findall(r'code="(E\d{3})"', source) == sorted(ERROR_KINDS)


def test_an_unknown_code_is_answered_with_the_nearest() -> None:
    """Or with the range of those that there are."""
    for word, answer in (("E2055", "Did you mean 'E205'"), ("MissingOutpt", "'MissingOutput'")):
        with pytest.raises(UnknownCodeError) as caught:
            find_kind(word)
        assert answer in caught.value.remedy
    with pytest.raises(UnknownCodeError) as caught:
        find_kind("???")
    assert "E100 to E901" in caught.value.remedy
