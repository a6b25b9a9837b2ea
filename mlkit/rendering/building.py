"""Build the site with Sphinx, MyST-NB and the theme Furo, whole or not at all."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Collection, Mapping, Sequence
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from mlkit.errors import ExecutionError, MissingExtraError, UsageError, install_extra
from mlkit.rendering.glossary import GLOSSARY, as_glossary, terms_of, with_terms
from mlkit.rendering.shaping import shape
from mlkit.rendering.site_documents import Documents, with_links
from mlkit.rendering.site_pages import CHAPTERS, Page
from mlkit.rendering.translating import Translated, settings_of
from mlkit.store.typed_path import typed_path

__all__ = ["build_site", "check_builder", "check_target", "put_pages", "write_templates"]

_MARK = ".mlkit-site"
_ASSETS = ("conf.py", "site.css", "site.js", "favicon.svg")


def check_builder() -> None:
    """See that the site builder is installed.

    Raises
    ------
    MissingExtraError
        If it is not.
    """
    missing = [name for name in ("sphinx", "myst_nb", "furo") if find_spec(name) is None]
    if missing:
        raise MissingExtraError(
            f"the site builder is not installed ({', '.join(missing)})",
            remedy=f"Install the extra: {install_extra('site')}",
        )


def check_target(to: Path) -> Path:
    """See that a folder may be replaced by the site: it is new, empty, or an earlier site.

    Raises
    ------
    UsageError
        If it holds something else.
    """
    to = typed_path(to).absolute()
    if to.exists() and not to.is_dir():
        raise UsageError(f"{to} is a file", remedy="Name a folder with --to", code="E105")
    if to.is_dir() and any(to.iterdir()) and not (to / _MARK).exists():
        raise UsageError(
            f"{to} holds something else than a site of mlkit",
            remedy="Name another folder with --to, or empty that one",
            code="E105",
        )
    return to


def build_site(
    pages: Mapping[str, Page],
    notebooks: Mapping[str, Mapping[str, Any]],
    to: Path,
    documents: Documents | None = None,
    *,
    workers: int = 1,
    translated: Translated | None = None,
) -> Path:
    """Write the site's sources, have Sphinx build them, and put the result in place.

    Parameters
    ----------
    pages : mapping of str to Page
        The pages in their order.
    notebooks : mapping of str to mapping
        Page name → executed notebook.
    to : Path
        The folder of the site; an earlier site is replaced when the new one is whole.
    documents : Documents, optional
        Pages of documentation beside them.
    workers : int, optional
        How many processes read and write pages.
    translated : Translated, optional
        The language, if it is not English.

    Returns
    -------
    Path
        The site's first page.

    Raises
    ------
    ExecutionError
        If Sphinx finds a fault, for example a link that leads nowhere.
    """
    with tempfile.TemporaryDirectory(prefix="mlkit-site-") as folder:
        sources, built = Path(folder) / "sources", Path(folder) / "built"
        _write_sources(pages, notebooks, sources, documents)
        _run_sphinx(sources, built, workers, settings_of(translated))
        (built / _MARK).write_text("made by mlkit render\n", encoding="utf-8")
        _put_in_place(built, to)
    return to / "index.html"


def write_templates(
    pages: Mapping[str, Page], to: Path, documents: Documents | None = None
) -> list[Path]:
    """Write what is to be translated: a `.pot` file for each page.

    Parameters
    ----------
    pages : mapping of str to Page
        The notebooks, as they are written.
    to : Path
        The folder; earlier ones in it are replaced.
    documents : Documents, optional
        Pages of documentation beside them.

    Raises
    ------
    ExecutionError
        If Sphinx finds a fault.
    """
    notebooks = {name: json.loads(page.path.read_text("utf-8")) for name, page in pages.items()}
    with tempfile.TemporaryDirectory(prefix="mlkit-pot-") as folder:
        sources, built = Path(folder) / "sources", Path(folder) / "built"
        _write_sources(pages, notebooks, sources, documents)
        _run_sphinx(sources, built, 1, settings_of(None), builder="gettext")
        (built / _MARK).write_text("made by mlkit render\n", encoding="utf-8")
        shutil.rmtree(built / ".doctrees", ignore_errors=True)
        _put_in_place(built, to)
    return sorted(to.rglob("*.pot"))


def put_pages(pages: Mapping[str, str], to: Path) -> None:
    """Write pages that need no builder, and put them in place as a site is.

    Parameters
    ----------
    pages : mapping of str to str
        File name → content.
    to : Path
        The folder; an earlier site of mlkit is replaced.
    """
    with tempfile.TemporaryDirectory(prefix="mlkit-site-") as folder:
        built = Path(folder) / "built"
        built.mkdir()
        for name, text in {**pages, _MARK: "made by mlkit render\n"}.items():
            (built / name).write_text(text, encoding="utf-8")
        _put_in_place(built, to)


def _write_sources(
    pages: Mapping[str, Page],
    notebooks: Mapping[str, Mapping[str, Any]],
    sources: Path,
    documents: Documents | None,
) -> None:
    sources.mkdir()
    for name in _ASSETS:
        text = files("mlkit.rendering").joinpath(f"sphinx/{name}").read_text(encoding="utf-8")
        place = sources / name if name == "conf.py" else sources / "_static" / name
        place.parent.mkdir(exist_ok=True)
        place.write_text(text, encoding="utf-8")
    (sources / "index.md").write_text(_index(pages, documents), encoding="utf-8")
    texts = {} if documents is None else documents.texts
    names = {*pages, *texts}
    terms = terms_of(texts.get(GLOSSARY, ""))
    for name, text in texts.items():
        place = sources / f"{name}.md"
        place.parent.mkdir(parents=True, exist_ok=True)
        linked = as_glossary(text) if name == GLOSSARY else with_terms(text, terms)
        place.write_text(with_links(linked, name, names), encoding="utf-8")
    for name, picture in ({} if documents is None else documents.pictures).items():
        place = sources / name
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(picture, place)
    for name, page in pages.items():
        source = json.loads(page.path.read_text(encoding="utf-8"))
        place = sources / f"{name}.ipynb"
        place.parent.mkdir(parents=True, exist_ok=True)
        shaped = shape(notebooks[name], source)
        text = json.dumps(_with_links(shaped, page, names), ensure_ascii=False)
        place.write_text(text, encoding="utf-8")


def _with_links(notebook: dict[str, Any], page: Page, names: Collection[str]) -> dict[str, Any]:
    """The notebook with links to files that are no pages of the site turned into their names."""
    cells = []
    for cell in notebook["cells"]:
        if cell["cell_type"] == "markdown":
            text = with_links("".join(cell["source"]), page.name, names)
            cell = {**cell, "source": text}
        cells.append(cell)
    return {**notebook, "cells": cells}


def _index(pages: Mapping[str, Page], documents: Documents | None) -> str:
    """The first page: what this is, and a table of contents, chapter by chapter."""
    lines = [files("mlkit.rendering").joinpath("sphinx/index.md").read_text(encoding="utf-8")]
    chapters = {
        chapter.name: tuple(name for name, page in pages.items() if page.chapter == chapter)
        for chapter in CHAPTERS
    }
    for title, names in {**chapters, **(documents.chapters if documents else {})}.items():
        if names:
            lines += ["```{toctree}", f":caption: {title}", ":maxdepth: 1", "", *names, "```", ""]
    return "\n".join(lines)


def _run_sphinx(
    sources: Path, built: Path, workers: int, settings: Sequence[str], builder: str = "html"
) -> None:
    """Run Sphinx; its warnings are faults, since each is a broken link or a page lost."""
    options = ["-q", "-W", "--keep-going", "-b", builder, "-d", str(sources / ".doctrees")]
    options += ["-j", str(workers), *settings]
    environment = {**os.environ, "PYTHONWARNINGS": "ignore"}
    done = subprocess.run(
        [sys.executable, "-P", "-m", "sphinx", *options, str(sources), str(built)],
        cwd=sources,  # not the folder worked in, whose docutils.conf would count
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        env=environment,
        check=False,
    )
    if done.returncode != 0:
        told = done.stderr.replace(f"{sources}{os.sep}", "").strip()
        raise ExecutionError(
            f"the site was not built:\n{told}",
            remedy="Correct these places; the site that was there before is untouched",
        )


def _put_in_place(built: Path, to: Path) -> None:
    """Move the site beside its place, then swap."""
    to.parent.mkdir(parents=True, exist_ok=True)
    aside = to.with_name(f".{to.name}-{secrets.token_hex(4)}")
    old = to.with_name(f".{to.name}-old-{secrets.token_hex(4)}")
    shutil.copytree(built, aside)
    if to.exists():
        to.rename(old)
    aside.rename(to)
    shutil.rmtree(old, ignore_errors=True)
