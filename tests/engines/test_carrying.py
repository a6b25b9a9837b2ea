"""What an exported file copies out of a real module."""

from __future__ import annotations

from mlkit.engines.carrying import carried, identifiers, imports

MODULE = '''"""A module."""
import json
import os
from pathlib import Path
from typing import Any

from engine import Task, flow

PLACE = "here"


def first(x: Any) -> str:
    """Call another."""
    return second(x)


def second(x: Any) -> str:
    return json.dumps([x, PLACE])


def never(x: Path) -> None:
    first(x)
'''


def test_functions_come_with_what_they_call() -> None:
    """In the module's order, and nothing else of it."""
    copied = carried(MODULE, "print(first(1))")
    assert [line for line in copied.splitlines() if line.startswith("def")] == [
        *("def first(x: Any) -> str:", "def second(x: Any) -> str:")
    ]
    assert "PLACE =" not in copied
    assert carried(MODULE, "print(1)") == ""


def test_what_a_file_defines_itself_is_not_copied() -> None:
    """It is a fact of its pipeline."""
    copied = carried(MODULE, "def second(x):\n    return x\n\n\nfirst(1)")
    assert ("def first" in copied, "def second" in copied) == (True, False)


def test_only_imports_that_are_used_are_written() -> None:
    """The standard library first, constants before classes before functions."""
    text = "json.dumps(Path(), Task, flow, ONE, k8s)"
    offered = "from engine import ONE, TWO\nfrom zoo.client import models as k8s"
    assert imports(text, MODULE, offered).splitlines() == [
        "import json",
        "from pathlib import Path",
        "",
        "from engine import ONE, Task, flow",
        "from zoo.client import models as k8s",
    ]


def test_every_name_of_a_module_is_known() -> None:
    """So that a stage's function takes none of them."""
    assert {"first", "json", "Task", "PLACE", "Any"} <= identifiers([MODULE])
