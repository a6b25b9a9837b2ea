"""One executed notebook as a page of its own: it needs nothing else and runs no script."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from mlkit.reports.notebook_view import read_notebook, view_notebook
from mlkit.reports.output_view import Budget
from mlkit.reports.svg import picture_style

if TYPE_CHECKING:
    from jinja2 import Environment

__all__ = ["page_environment", "page_style", "render_notebook_page", "write_notebook_page"]

_PICTURE_CHARACTERS = 200_000_000


def page_environment() -> Environment:
    """What renders mlkit's pages; everything is escaped that is not marked as safe."""
    # A run that shows no page shall not wait for it.
    from jinja2 import Environment, PackageLoader, StrictUndefined

    return Environment(
        loader=PackageLoader("mlkit.reports"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def page_style() -> str:
    """The style sheet of mlkit's pages."""
    own = files("mlkit.reports").joinpath("templates/report.css").read_text(encoding="utf-8")
    return f"{picture_style()}\n{own}"


def render_notebook_page(notebook: Path, title: str) -> str:
    """Render an executed notebook as one HTML document.

    Parameters
    ----------
    notebook : Path
        The notebook; nothing in it is trusted.
    title : str
        The page's title.
    """
    content = read_notebook(notebook) or {"cells": []}
    view = view_notebook(content, title, Budget(_PICTURE_CHARACTERS))
    template = page_environment().get_template("notebook.html")
    return template.render(title=title, notebook=view, style=page_style())


def write_notebook_page(notebook: Path, to: Path, title: str) -> None:
    """Write an executed notebook as a page.

    Parameters
    ----------
    notebook : Path
        The notebook.
    to : Path
        The new file.
    title : str
        The page's title.
    """
    text = render_notebook_page(notebook, title)
    to.write_text(text, encoding="utf-8", errors="replace", newline="\n")
