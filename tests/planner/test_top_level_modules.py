"""Which package a module belongs to is read quickly, and right."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import sys
from importlib.machinery import ExtensionFileLoader, ModuleSpec

from mlkit.planner.packages import Packages, _normal

NO_MODULES = frozenset({"__pycache__", "LICENSE"})
"""Since Python 3.12 the standard library names these, too."""


def test_the_quick_way_agrees_with_the_standard_library() -> None:
    """For everything that is installed here; only compiled top-level modules it knows better."""
    named = importlib.metadata.packages_distributions()
    slow = {
        module: frozenset(_normal(package) for package in packages)
        for module, packages in named.items()
        if module.isidentifier() and module not in NO_MODULES
    }
    quick = Packages.of(sys.path)._contents.by_module
    assert {module: quick.get(module) for module in slow} == slow
    further = [importlib.util.find_spec(module) for module in quick.keys() - named.keys()]
    assert [spec for spec in further if spec is None or not is_compiled(spec)] == []


def is_compiled(spec: ModuleSpec) -> bool:
    """Whether a module is a file of machine code, whose long ending some Pythons misread."""
    return isinstance(spec.loader, ExtensionFileLoader)
