"""Which package a module belongs to is read quickly, and right."""

from __future__ import annotations

import importlib.metadata

from mlkit.planner.packages import _by_module, _normal


def test_the_quick_way_agrees_with_the_standard_library() -> None:
    """For everything that is installed here."""
    slow = importlib.metadata.packages_distributions()
    assert _by_module() == {
        module: frozenset(_normal(package) for package in packages)
        for module, packages in slow.items()
    }
