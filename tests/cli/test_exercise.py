"""`mlkit exercise`, `learn` and `check`: exit codes, one document, and words that lead on."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.cli.conftest import Call

LINK = r"\]\((?!https?:|mailto:|#)([^)\s#]+)"
MAKE = r"make (?:airflow|kubeflow|prefect|dagster|stepfunctions|engines|\{name\})(?![\w-])"
"""A target that sets an engine up; `make airflow-ui` is named as one of mlkit's repository."""


@pytest.fixture(autouse=True)
def _course(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "my course"
    folder.mkdir()
    monkeypatch.chdir(folder)


def test_new_says_what_it_wrote_and_what_to_do_next(call: Call) -> None:
    """And refuses to do it again."""
    spoken = call("exercise", "new", "mean", "--json")
    assert spoken.code == 0
    written = [str(Path("solutions", name)) for name in ("mean.ipynb", "mean.yaml")]
    assert spoken.json() == {"name": "mean", "written": written}
    assert "mlkit exercise check mean" in spoken.err
    again = call("exercise", "new", "mean", "--json")
    assert again.code == 2
    assert again.json()["error"]["remedy"]


@pytest.mark.kernel
@pytest.mark.long
def test_check_ends_with_0_1_or_2(call: Call) -> None:
    """All is well; something is wrong; nothing could be tried."""
    call("exercise", "new", "mean")
    spoken = call("exercise", "check", "--json")
    assert (spoken.code, spoken.json()["ok"]) == (0, True)
    words = Path("solutions", "mean.yaml")
    text = words.read_text(encoding="utf-8")
    words.write_text(text.replace("says: This is the sum", "says: Something else"), "utf-8")
    spoken = call("exercise", "check")
    assert spoken.code == 1
    assert "solutions/mean.yaml:" in spoken.out
    words.write_text(text.replace("points: 1", "ponts: 1"), "utf-8")
    spoken = call("exercise", "check", "--json")
    assert spoken.code == 2
    (problem,) = spoken.json()["exercises"][0]["problems"]
    assert problem["message"] == "'check-mean' has an unknown key 'ponts'"
    assert problem["remedy"] == "Did you mean 'points'?"
    assert call("exercise", "check", "maen").code == 2


def test_release_writes_once_and_says_so(call: Call) -> None:
    """What excludes each other is refused before anything is written."""
    call("exercise", "new", "mean")
    assert call("exercise", "release", "--to", "out", "--zip", "--git").code == 2
    assert not Path("out").exists()
    spoken = call("exercise", "release", "--to", "out", "--json")
    assert spoken.json()["exercises"] == ["mean"]
    assert "exercises/mean.ipynb" in spoken.json()["new"]
    assert "nothing has changed" in call("exercise", "release", "--to", "out").out
    assert call("exercise", "release").code == 2


def test_learn_keeps_what_a_learner_has_written(
    call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And exercises without an answer are told by their visible checks."""
    spoken = call("learn", "my kit")
    assert spoken.code == 0
    assert "cd 'my kit' && jupyter lab" in spoken.out
    monkeypatch.chdir("my kit")
    Path("README.md").write_text("mine", encoding="utf-8")
    assert call("learn", ".", "--json").json()["kept"] == ["README.md"]
    spoken = call("exercises", "--json")
    assert spoken.json()["hidden_checks"] is False
    assert {row["status"] for row in spoken.json()["exercises"]} == {"not_attempted"}
    assert "your grader may have more" in call("exercises").err


def test_check_of_a_folder_ends_with_1_until_all_is_solved(
    call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that there is not is refused with the nearest."""
    call("exercise", "new", "mean")
    call("exercise", "release", "--to", "out")
    monkeypatch.chdir("out")
    spoken = call("check")
    assert spoken.code == 1
    assert "· not attempted: the mean of three numbers" in spoken.out
    assert "mean.ipynb: not attempted" in spoken.err
    assert call("check", "--json").json()["passed"] is False
    spoken = call("check", "maen", "--json")
    assert spoken.code == 2
    assert spoken.json()["error"]["remedy"] == "Did you mean 'mean'?"


def test_a_learners_folder_holds_all_that_its_pages_lead_to(call: Call) -> None:
    """And advises no `make`: the folder has no Makefile."""
    call("learn", "kit")
    pages = {path: [path.read_text(encoding="utf-8")] for path in Path("kit").rglob("*.md")}
    advice = []
    for path in (*Path("kit/notebooks").rglob("*.ipynb"), *Path("kit/exercises").glob("*.ipynb")):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        texts = [(cell["cell_type"], "".join(cell["source"])) for cell in cells]
        pages[path] = [text for kind, text in texts if kind == "markdown"]
        advice += [(path.name, said) for _, text in texts for said in re.findall(MAKE, text)]
    lost = [
        f"{path}: {link}"
        for path, texts in pages.items()
        for link in re.findall(LINK, "\n".join(texts))
        if not (path.parent / link).exists()
    ]
    assert lost == []
    assert advice == []
