"""The table in docs/engines.md is what the suite has seen, and lacks nothing."""

from __future__ import annotations

import pytest

from tests.features.catalogue import FEATURES
from tests.features.outcomes import PLACES, REFUSED, SAME, Results, read_results
from tests.features.table import PAGE, placed, rendered


def test_every_feature_was_tried_in_every_place() -> None:
    """Each was the same there as here, or was refused where the catalogue says so."""
    seen = read_results().seen
    names = [feature.name for feature in FEATURES]
    assert len(set(names)) == len(names) > 35
    assert {place: sorted(seen[place]) for place in PLACES} == dict.fromkeys(PLACES, sorted(names))
    for place in PLACES:
        refused = {name for name, text in seen[place].items() if text.startswith(REFUSED)}
        assert {feature.name for feature in FEATURES if place in feature.refused} == refused
        assert {seen[place][name] for name in set(names) - refused} == {SAME}


def test_the_page_shows_what_was_seen() -> None:
    """`make docs-tables` would change nothing."""
    page = PAGE.read_text(encoding="utf-8")
    assert page == placed(page, rendered(read_results()))
    assert page.count("\n| order: `inputs`, `after` | ✓ |") == 1


def test_what_is_broken_somewhere_cannot_be_shown() -> None:
    """A result that is neither good nor refused is mended, not written down."""
    kept = read_results()
    seen = {**kept.seen, "run": {**kept.seen["run"], FEATURES[0].name: "order-1 is failed"}}
    with pytest.raises(ValueError, match="neither good nor refused"):
        rendered(Results(versions=kept.versions, seen=seen))
