"""Pipelines in JupyterLab: a panel in the page (`labextension/`), and what answers it.

It stands above all other floors: it shows what the views show, and does what commands do. Jupyter's
server imports this module as it starts, and the rest with the first question of a panel.
"""

from __future__ import annotations

from typing import Any

__all__ = ["LABEXTENSION", "SERVER_EXTENSION"]

LABEXTENSION = "mlkit"
"""The name below `share/jupyter/labextensions/`, which `labextension/package.json` bears, too."""

SERVER_EXTENSION = "mlkit.panel"


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    """Tell Jupyter's server where the extension is."""
    return [{"module": SERVER_EXTENSION}]


def _jupyter_labextension_paths() -> list[dict[str, str]]:
    """Tell `jupyter labextension develop` where the page's part is."""
    return [{"src": "labextension", "dest": LABEXTENSION}]


def _load_jupyter_server_extension(server: Any) -> None:
    """Let a server answer panels."""
    from mlkit.panel.handlers import handlers  # Jupyter's server has imported tornado by now

    server.web_app.add_handlers(".*$", handlers(server.base_url, server.kernel_manager))
