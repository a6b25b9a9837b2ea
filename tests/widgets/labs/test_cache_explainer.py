"""Edits to a real pipeline, and what the real planner says of them."""

from __future__ import annotations

import pytest

from mlkit.core.states import Status
from mlkit.widgets.labs.cache_explainer import CacheExplainer
from mlkit.widgets.labs.cache_world import EDITS, changes, files_with

pytestmark = pytest.mark.kernel


@pytest.fixture(scope="module")
def explainer() -> CacheExplainer:
    """One that has run once."""
    return CacheExplainer()


@pytest.mark.parametrize(
    ("key", "running", "why"),
    [
        ("prose", set(), ""),
        ("code", {"smooth"}, "code changed"),
        ("parameter", {"smooth"}, "parameter window: 3 → 5"),
        ("data", {"clean"}, "input days changed"),
        ("helper", {"clean"}, "module cleaning changed"),
        ("shadow", {"clean"}, "module cleaning now comes from cleaning/__init__.py"),
    ],
)
def test_each_edit_runs_what_depends_on_it(
    explainer: CacheExplainer, key: str, running: set[str], why: str
) -> None:
    """Prose runs nothing; the reason names what changed; what comes after depends."""
    found = explainer.edit(key)
    assert {name for name, item in found.items() if item.action == "run"} == running
    assert all(why in found[name].reasons[0] for name in running)
    unknown = {name for name, item in found.items() if item.action == "unknown"}
    assert ("report" in unknown) is bool(running)
    assert explainer.reasons.markup.count("▶ would run") == len(running)


def test_equal_output_stops_the_wave(explainer: CacheExplainer) -> None:
    """The stricter helper keeps the same rows: what comes after is reused, and undoing is free."""
    explainer.edit("helper")
    states = {name: stage.status for name, stage in explainer.run().stages.items()}
    assert states.pop("clean") is Status.SUCCEEDED
    assert set(states.values()) == {Status.CACHED}
    assert {item.action for item in explainer.edit().values()} == {"reuse"}
    assert "1 succeeded, 3 cached" not in explainer.said.markup
    assert not explainer.run_button.disabled


def test_every_edit_changes_its_file() -> None:
    """None of the texts that are replaced has gone astray, and the diff shows both sides."""
    before = files_with()
    for edit in EDITS:
        after = files_with([edit.key])
        assert [name for name in after if before.get(name) != after[name]] == [edit.file]
        assert len(changes([edit.key]).splitlines()) == 3


def test_the_picture_says_what_would_run(explainer: CacheExplainer) -> None:
    """In its title, and in each box."""
    explainer.edit("parameter")
    (picture,) = explainer.pictures()
    assert "1 of 4 stages would run, 2 would be reused" in picture
    assert picture.count("≡ would be reused") == 2
