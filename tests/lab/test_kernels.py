"""How the kernel of a stage that is worked on starts, in each language."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from mlkit.core.pipeline import Kernel
from mlkit.lab.desk import Desk
from mlkit.lab.kernels import OwnKernelSpecs, StageKernels
from mlkit.lab.kernels import surroundings as begun_in


@pytest.fixture
def specs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user's own kernels: another `python3`, another Python, one without ipykernel, and bash."""
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "data"))
    for name, language, program in (
        ("python3", "python", ["/elsewhere/python", "-m", "ipykernel_launcher"]),
        ("other", "python", ["/other/bin/python", "-m", "ipykernel_launcher"]),
        ("xeus", "python", ["/other/bin/xpython"]),
        ("bash", "bash", ["/usr/bin/python3", "-m", "bash_kernel"]),
    ):
        folder = tmp_path / "data" / "kernels" / name
        folder.mkdir(parents=True)
        spec = {"argv": [*program, "-f", "{connection_file}"], "language": language,
                "display_name": name}  # fmt: skip
        (folder / "kernel.json").write_text(json.dumps(spec))


def surroundings(folder: Path, kernel: Kernel | None, chosen: str) -> tuple[dict[str, str], str]:
    """Environment and last argument of a kernel that JupyterLab asks for by this name."""
    desk = Desk(
        stage_id="s",
        notebook=folder / "s.ipynb",
        cell="",
        cwd=folder / "cwd",
        outputs=folder / "out",
        env={"A": "b"},
        kernel=kernel,
        tidy=lambda: None,
    )
    make: Any = StageKernels
    kernels = make()
    kernels.work_on(desk, "s.ipynb")
    assert kernels.cwd_for_path("s.ipynb") == str(desk.cwd)
    given = begun_in(desk, chosen, kernels)
    return given["env"], ["", *given.get("extra_arguments", [])][-1]


def test_the_usual_kernel_is_mlkits_own_python(specs: None) -> None:
    """As in a run, whatever somebody has installed under its name."""
    assert OwnKernelSpecs().get_kernel_spec("python3").argv[0] == sys.executable
    assert OwnKernelSpecs().get_kernel_spec("other").argv[0] == "/other/bin/python"


def test_pythons_begin_as_in_a_run(specs: None, tmp_path: Path) -> None:
    """The notebook's folder first; where mlkit is not installed, its part is handed over."""
    env, line = surroundings(tmp_path, None, "python3")
    assert env == {"A": "b"}
    assert line.endswith(f".begin({str(tmp_path)!r})")
    assert "mlkit.inside.in_kernel" in line
    other = Kernel(name="other", program="/other/bin/python")
    env, line = surroundings(tmp_path, other, "other")
    assert "mlkit_handed.in_kernel" in line
    assert env["PYTHONPATH"].endswith("handed")


def test_what_is_no_ipykernel_finds_the_folder_otherwise(specs: None, tmp_path: Path) -> None:
    """It takes no line to begin with."""
    kernel = Kernel(name="xeus", program="/other/bin/xpython")
    assert surroundings(tmp_path, kernel, "xeus") == ({"A": "b", "PYTHONPATH": str(tmp_path)}, "")


@pytest.mark.parametrize(
    ("kernel", "chosen"), [(Kernel(name="bash", language="bash"), "bash"), (None, "bash")]
)
def test_other_languages_have_the_environment(
    specs: None, tmp_path: Path, kernel: Kernel | None, chosen: str
) -> None:
    """Also where somebody chooses one in JupyterLab."""
    assert surroundings(tmp_path, kernel, chosen) == ({"A": "b"}, "")
