"""The view that runs a pipeline, without a browser and without kernels."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from mlkit.core.events import Event, EventKind
from mlkit.core.states import RunStatus
from mlkit.errors import ConfigurationError, MlkitError
from mlkit.testing import Raises
from tests.widgets.conftest import MakeView


def test_run_gives_the_record_and_the_view_shows_it(make_view: MakeView) -> None:
    """The states stand in the picture, glyph and word."""
    view = make_view()
    assert "has not run yet" in view.status.markup
    record = view.run()
    assert record.status is RunStatus.SUCCEEDED
    assert view.pane.dag.markup.count("✓ succeeded") == 2
    assert "✓ succeeded after" in view.status.markup
    assert "Timeline of run" in view.pane.timeline.markup
    assert not view.run_button.disabled


def test_values_of_the_form_reach_the_run(make_view: MakeView) -> None:
    """Only what was changed is given, so that the origin of the rest stays true."""
    view = make_view(parameters={"rows": 9})
    view.form.controls["months"].value = "[3]"
    view.form.controls["second.limit"].value = 4.5
    record = view.run()
    assert {"rows": 9, "months": [3]}.items() <= record.parameters.items()
    assert record.stages["second"].parameters["limit"] == 4.5
    sources = record.options["parameter_sources"]
    assert sources["rows"] == "run(parameters=…)"
    assert sources["share"].startswith("pipeline.yaml")


def test_an_unknown_parameter_is_refused_at_once(make_view: MakeView) -> None:
    """The sentence names those that there are."""
    with pytest.raises(ConfigurationError, match=r"'rowz'.*There are rows"):
        make_view(parameters={"rowz": 1})


def test_a_wrong_value_stands_at_its_field_and_nothing_runs(make_view: MakeView) -> None:
    """Corrected, it goes away."""
    view = make_view()
    view.form.controls["months"].value = "[a]"
    assert "is not an int" in view.form.problems["months"].markup
    view.start()
    assert not view.is_running
    assert "nothing has run" in view.status.markup
    view.form.controls["months"].value = "[4]"
    assert view.form.problems["months"].markup == ""
    assert view.run().ok


def test_a_failed_run_says_which_stage_and_why(make_view: MakeView) -> None:
    """In the sentence, and in the stage's own part."""
    view = make_view({"second": [Raises(type="ValueError", message="no <rows>")]})
    assert view.run().status is RunStatus.FAILED
    assert "Stage second failed. ValueError: no &lt;rows&gt;" in view.status.markup
    view.pane.dag.pick("second")
    assert "ValueError: no &lt;rows&gt;" in view.pane.detail.markup


def test_a_stage_tells_why_it_ran_and_what_it_made(make_view: MakeView) -> None:
    """Picked in the picture; the secret is not among its parameters."""
    view = make_view()
    view.run()
    view.pane.dag.pick("first")
    for words in ("Why it ran:", "never run", "executed notebook", "first.txt", "Look at out"):
        assert words in view.pane.detail.markup
    assert "a-long-secret" not in view.pane.detail.markup


def test_the_last_run_is_shown_by_the_next_view(make_view: MakeView) -> None:
    """A notebook that is opened again tells where one left off."""
    run_id = make_view().run().run_id
    again = make_view()
    assert "Last run: ✓ succeeded after" in again.status.markup
    assert run_id in again.status.markup
    again.run()
    assert "≡ cached" in again.pane.dag.markup


def test_cancel_ends_a_run_that_goes_on(make_view: MakeView) -> None:
    """What had finished is kept; meanwhile the caller was free."""
    begun, go_on = threading.Event(), threading.Event()

    def hold(event: Event) -> None:
        if event.kind is EventKind.STAGE_FINISHED and event.stage == "first":
            begun.set()
            assert go_on.wait(20)

    view = make_view(observer=hold)
    view.start()
    assert begun.wait(20)
    assert view.is_running
    assert view.run_button.disabled
    view.cancel()
    assert "Stopping" in view.status.markup
    go_on.set()
    record = view.run()
    assert record.status is RunStatus.CANCELLED
    assert record.stages["first"].status == "succeeded"
    assert "■ cancelled after" in view.status.markup


def test_two_views_at_once_do_not_disturb_each_other(make_view: MakeView) -> None:
    """Each shows its own run."""
    one, two = make_view(parameters={"rows": 1}), make_view(parameters={"rows": 2})
    one.start()
    two.start()
    first, second = one.run(), two.run()
    assert first.run_id != second.run_id
    assert (first.parameters["rows"], second.parameters["rows"]) == (1, 2)
    assert first.run_id in one.status.markup
    assert second.run_id in two.status.markup


def test_the_static_form_shows_the_states_of_the_run(make_view: MakeView) -> None:
    """For a page without a kernel: a picture, and its text."""
    view = make_view()
    view.run()
    bundle, _ = view._repr_mimebundle_()
    assert "first succeeded, starts the pipeline" in bundle["text/plain"]


def test_a_view_of_a_folder_that_is_no_pipeline_says_so(tmp_path: Path) -> None:
    """As every command does."""
    from mlkit.widgets import PipelineView

    with pytest.raises(MlkitError):
        PipelineView(tmp_path)


def test_a_run_that_cannot_begin_says_so_and_the_next_one_may(
    make_view: MakeView, tmp_path: Path
) -> None:
    """The runs folder is a file, and then it is not."""
    place = tmp_path / "elsewhere"
    view = make_view(runs_dir=place)
    place.write_text("in the way")
    with pytest.raises((MlkitError, OSError)):
        view.run()
    assert "✗ The run could not begin" in view.status.markup
    assert not view.run_button.disabled
    place.unlink()
    assert view.run().ok
