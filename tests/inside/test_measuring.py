"""What a notebook may log, and how it is told that it may not."""

from __future__ import annotations

import json
import multiprocessing
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mlkit
from mlkit.inside.measuring import logged_to


def lines(file: Path) -> list[tuple[str, float, float | None]]:
    """What stands in the file."""
    found = [json.loads(line) for line in file.read_text().splitlines()]
    return [(entry["name"], entry["value"], entry["step"]) for entry in found]


@pytest.mark.parametrize(
    "value",
    [1, 0.5, np.float32(0.5), np.int64(3), np.array(2.5), Fraction(1, 4), -0.0],
)
def test_numbers_of_any_library_are_taken(tmp_path: Path, value: Any) -> None:
    """As floats."""
    with logged_to(str(tmp_path / "m")):
        mlkit.log_metric("m", value, step=np.int32(2))
    assert lines(tmp_path / "m") == [("m", float(np.asarray(value, dtype=float).ravel()[0]), 2.0)]


@pytest.mark.parametrize("value", [True, np.bool_(1), "0.5", b"1", None, [1, 2], np.array([1, 2])])
def test_what_is_no_number_is_refused(tmp_path: Path, value: Any) -> None:
    """A truth value and a text that reads as a number are slips."""
    with logged_to(str(tmp_path / "m")), pytest.raises(TypeError, match="metric 'm' is no number"):
        mlkit.log_metric("m", value)
    assert not (tmp_path / "m").exists()


@pytest.mark.parametrize("name", ["", " a", "a\nb", "a[b]", "a`b", "-x", "a" * 101, "a,b", "a'"])
def test_a_name_can_be_a_columns_title(name: str) -> None:
    """And typed in a filter."""
    with pytest.raises(ValueError, match="cannot be the name of a metric"):
        mlkit.log_metric(name, 1)


def test_a_name_is_a_text_and_a_step_a_finite_number() -> None:
    """Each has its sentence."""
    with pytest.raises(TypeError, match="name of a metric is a text, not 3"):
        mlkit.log_metric(3, 1)  # type: ignore[arg-type] # the slip
    with pytest.raises(TypeError, match="the step of metric 'm' is no number: 'x'"):
        mlkit.log_metric("m", 1, step="x")  # type: ignore[arg-type] # the slip
    with pytest.raises(ValueError, match="the step of metric 'm' is nan"):
        mlkit.log_metric("m", 1, step=float("nan"))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), np.float64("-inf"), 10**400])
def test_what_is_not_finite_is_told_and_not_kept(tmp_path: Path, value: Any) -> None:
    """A training that diverges goes on."""
    with (
        logged_to(str(tmp_path / "m")),
        pytest.warns(UserWarning, match=r"metric 'loss' is (nan|inf|-inf) at step 3: not written"),
    ):
        mlkit.log_metric("loss", value, step=3)
    assert not (tmp_path / "m").exists()


def test_by_hand_it_is_printed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is no run whose record it could stand in."""
    monkeypatch.delenv("MLKIT_METRICS", raising=False)
    mlkit.log_metric("roc_auc", 0.69731)
    mlkit.log_metric("loss", np.float64(0.5), step=4)
    assert capsys.readouterr().out == "roc_auc: 0.69731\nloss: 0.5 (step 4)\n"


def _log_many(file: str, name: str) -> None:
    with logged_to(file):
        for step in range(200):
            mlkit.log_metric(name, step / 2, step=step)


def test_processes_log_side_by_side(tmp_path: Path) -> None:
    """No line is torn or lost."""
    file = tmp_path / "m"
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_log_many, args=(str(file), name)) for name in "ab"]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    found = lines(file)
    for name in "ab":
        assert [step for n, _, step in found if n == name] == [float(s) for s in range(200)]
