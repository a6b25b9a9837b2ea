"""A learner chooses how a step writes and where it is killed, and watches the file."""

from __future__ import annotations

from mlkit.widgets import IdempotencyLab
from mlkit.widgets.labs.idempotency_experiment import METHODS, Experiment, Look, Plan
from mlkit.widgets.labs.idempotency_picture import draw_files, explain, summary
from tests.widgets.controls import control, press


def test_it_opens_with_all_four_ways_and_a_kill_in_the_middle() -> None:
    """Each way has its verdict."""
    lab = IdempotencyLab()
    assert [found.plan.method for found in lab.found] == list(METHODS)
    verdicts = {f.plan.method: [look.verdict for look in f.looks] for f in lab.found}
    assert verdicts == {
        "append": ["whole", "too much", "too much"],
        "overwrite": ["whole", "part", "whole"],
        "remove then write": ["whole", "part", "whole"],
        "atomic replace": ["whole", "whole", "whole"],
    }
    assert lab._said.markup.count("<li>") == 4


def test_nothing_runs_before_the_button_is_pressed() -> None:
    """A changed control changes the plan; the button carries it out."""
    lab = IdempotencyLab("append", runs=1, killed_run=0)
    control(lab, "the step writes by").value = "remove then write"
    control(lab, "runs").value = 2
    control(lab, "kill").value = 2
    control(lab, "at the point").value = "opened"
    assert [found.plan.method for found in lab.found] == ["append"]
    press(lab, "Run the step")
    (found,) = lab.found
    assert found.plan == Plan(method="remove then write", runs=2, killed_run=2, killed_at="opened")
    assert "the kill left damage" in lab._said.markup
    assert "(no file)" in lab._shown.markup


def _made(*verdicts: str, killed: int = 2) -> Experiment:
    looks = [
        Look(run=n, killed=n == killed, lines=("x",), left_behind=(), verdict=verdict)
        for n, verdict in enumerate(verdicts, 1)
    ]
    return Experiment(plan=Plan(killed_run=killed or None), looks=tuple(looks))


def test_the_summary_says_what_holds() -> None:
    """Idempotent or not, and whether the kill cost the file."""
    assert summary(_made("whole", "part", "whole")).endswith(
        "the kill left damage where a good file was."
    )
    assert summary(_made("whole", "whole", "whole")).endswith("the kill did no harm.")
    assert "not idempotent" in summary(_made("whole", "too much", killed=0))
    assert "kill" not in summary(_made("part", "whole", killed=1))


def test_colour_is_never_the_only_sign() -> None:
    """Every file's state stands below it in words, with a glyph."""
    svg = draw_files([_made("whole", "part", "empty", "missing", "too much")])
    for words in ("✓ whole", "✗ only a part", "✗ empty", "✗ missing: no file", "✗ too much"):
        assert words in svg


def test_what_is_left_beside_the_file_is_shown() -> None:
    """The part of a killed atomic run."""
    lab = IdempotencyLab("atomic replace", runs=2)
    assert "beside it: delays.csv.part" in lab._shown.markup
    assert "beside it delays.csv.part" in explain(lab.found[0])


def test_a_long_file_is_cut_in_the_picture() -> None:
    """With how much is not shown."""
    lab = IdempotencyLab("append", runs=4, killed_run=0)
    assert "… and 5 more" in lab._shown.markup


def test_without_a_kernel_picture_and_words_stay() -> None:
    """The static form holds both."""
    bundle, metadata = IdempotencyLab("overwrite", runs=2)._repr_mimebundle_()
    assert "image/png" in bundle
    assert "<strong>overwrite:</strong>" in bundle["text/html"]
    assert "run 2, killed: only a part, 2 lines instead of 4" in metadata["image/png"]["alt"]
