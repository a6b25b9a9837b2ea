"""The instances of a run: lists that are known at last, and lists that changed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import mlkit
from mlkit.core.record import RunRecord
from mlkit.core.states import RunStatus
from mlkit.testing import (
    FakeRunner,
    Raises,
    dynamic_map,
    mapped,
    run_fake,
)
from mlkit.testing.running import fake_services


@pytest.mark.parametrize(
    ("values", "fact"),
    [
        ([1, 1.0, 2], "holds 1 and 1.0, which are one value for 'value: float'"),
        ([0.5, 2.0, 2], "holds 2.0 and 2, which are one value"),
        ([0.0, -0.0], "holds 0.0 and -0.0, which are one value"),
    ],
)
def test_equal_values_of_a_map_are_refused(tmp_path: Path, values: list[float], fact: str) -> None:
    """Equal for what the notebook declares, however they are written."""
    file = dynamic_map(tmp_path, values)
    path = tmp_path / "each.ipynb"
    path.write_text(path.read_text().replace("value: int = 1", "value: float = 1.0"))
    record = run_fake(file)
    assert record.status is RunStatus.FAILED
    error = next(s.error for s in record.stages.values() if s.stage == "each")
    assert error is not None
    assert fact in error.message


def test_a_list_that_got_shorter_leaves_no_folder(tmp_path: Path) -> None:
    """A resumed run holds what its record says."""
    file = dynamic_map(tmp_path, ["a", "b", "c"])
    failed = run_fake(file, runner=FakeRunner({"all": [Raises()]}))
    folder = tmp_path / "runs" / failed.run_id
    assert (folder / "each[b]").is_dir()
    path = tmp_path / "choose.ipynb"
    path.write_text(path.read_text().replace("['a', 'b', 'c']", "['a', 'c']"))
    again = mlkit.resume(failed.run_id, file, services=fake_services())
    assert list(again.stages) == ["choose", "each[a]", "each[c]", "all"]
    assert sorted(p.name for p in folder.iterdir() if p.name.startswith("each")) == [
        *("each[a]", "each[c]")
    ]


def _statuses(record: RunRecord) -> dict[str, str]:
    return {key: item.status.value for key, item in record.stages.items()}


@pytest.mark.parametrize("make", [mapped, dynamic_map])
@pytest.mark.parametrize("values", [["only"], ["b", "a", "c"], ["ä b", "{x}", "a/b", "%"], [3, 1]])
def test_a_map_runs_once_for_each_value_and_keeps_their_order(
    tmp_path: Path, make: Any, values: list[Any]
) -> None:
    """A stage that reads them receives the paths in the order of the list."""
    record = run_fake(make(tmp_path, values))
    each = [key for key in record.stages if key.startswith("each[")]
    assert each == [f"each[{value}]" for value in values]
    text = Path(record.stages["all"].outputs["out"]).read_text()
    assert text == ",".join(map(str, values))


def test_a_map_of_length_0_is_one_skipped_entry(tmp_path: Path) -> None:
    """A dependent by `none_failed` receives an empty list."""
    record = run_fake(dynamic_map(tmp_path, []))
    assert _statuses(record) == {"choose": "succeeded", "each": "skipped", "all": "succeeded"}
    assert Path(record.stages["all"].outputs["out"]).read_text() == ""


@pytest.mark.parametrize(
    ("text", "fact"),
    [
        ("{}", "must hold a JSON list of scalars, not {}"),
        ("[[1]]", "must hold a JSON list of scalars, and [1] is none"),
        ('["a", "a"]', 'holds the value "a" twice'),
        ('[1, "a", 1]', "holds the value 1 twice"),
        ('["1", 1]', 'holds the value 1 twice, also as "1"'),
        ("[", "holds no JSON"),
        ("[1]", "choose.out:"),
    ],
)
def test_a_list_that_cannot_be_mapped_over_fails_the_stage(
    tmp_path: Path, text: str, fact: str
) -> None:
    """With what is wrong about it."""
    file = dynamic_map(tmp_path)
    body = f"open(out, 'w').write({text!r})"
    notebook = json.loads((tmp_path / "choose.ipynb").read_text())
    notebook["cells"][1]["source"] = body
    (tmp_path / "choose.ipynb").write_text(json.dumps(notebook))
    error = run_fake(file).stages["each"].error
    assert error is not None
    assert fact in error.message


def test_one_instance_can_fail_alone(tmp_path: Path) -> None:
    """The others succeed; what reads them all is upstream_failed."""
    record = run_fake(mapped(tmp_path), runner=FakeRunner({"each[b]": [Raises()]}))
    assert _statuses(record) == {
        "each[a]": "succeeded",
        "each[b]": "failed",
        "each[c]": "succeeded",
        "all": "upstream_failed",
    }


def test_a_map_over_many_values(tmp_path: Path) -> None:
    """100 instances, in order."""
    values = [f"v{n}" for n in range(100)]
    record = run_fake(mapped(tmp_path, values))
    assert Path(record.stages["all"].outputs["out"]).read_text() == ",".join(values)
