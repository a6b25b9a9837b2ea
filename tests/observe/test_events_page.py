"""docs/events.md documents the events that there are."""

from __future__ import annotations

import re
from pathlib import Path

from mlkit.core.events import Event, EventKind

PAGE = Path(__file__).parents[2] / "docs" / "events.md"


def sections() -> dict[str, str]:
    """The text about each kind."""
    found: dict[str, str] = {}
    for part in re.split(r"^#{2,3} ", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE):
        title, _, text = part.partition("\n")
        for kind in re.findall(r"`(\w+)`", title):
            found[kind] = text
    return found


def test_every_kind_is_documented_and_no_other() -> None:
    """A new kind needs its section."""
    assert set(sections()) == {kind.value for kind in EventKind}


def test_every_field_that_the_events_carry_is_documented(story: list[Event]) -> None:
    """Under its kind, or among the fields of every event."""
    text = PAGE.read_text(encoding="utf-8")
    about = sections()
    for event in story:
        for field in event.to_json():
            place = about[event.kind.value] if field in event.data else text
            assert f"| `{field}` |" in place, (event.kind, field)
