"""Which notebooks become pages of the site, and in which chapter they stand."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from mlkit.errors import UsageError
from mlkit.frozen import dataclass
from mlkit.store.typed_path import typed_path

__all__ = ["CHAPTERS", "Chapter", "Page", "find_pages", "find_root", "select"]


@dataclass(frozen=True, kw_only=True)
class Chapter:
    """A group of pages in the site's navigation.

    Parameters
    ----------
    name : str
        Its heading.
    folder : str
        Where its notebooks stand, relative to the checkout.
    executed : bool
        Whether its notebooks are executed; stage notebooks are shown as they are written, since
        they need the artifacts of a run.
    """

    name: str
    folder: str
    executed: bool = True


CHAPTERS = (
    Chapter(name="Start", folder="notebooks"),
    Chapter(name="Lessons", folder="notebooks/lessons"),
    Chapter(name="Exercises", folder="exercises"),
    Chapter(name="The flights pipeline", folder="notebooks/flights", executed=False),
)


@dataclass(frozen=True, kw_only=True)
class Page:
    """One notebook of the site.

    Parameters
    ----------
    name : str
        Its path in the checkout, without `.ipynb`.
    path : Path
        The notebook.
    chapter : Chapter
        Where it stands.
    """

    name: str
    path: Path
    chapter: Chapter


def find_root(given: Path | None = None) -> Path:
    """Find the checkout: the folder that holds `notebooks/`, here or further up.

    Parameters
    ----------
    given : Path, optional
        The folder that was asked for.

    Raises
    ------
    UsageError
        If there are no notebooks.
    """
    here = Path.cwd()
    package = Path(__file__).resolve().parents[2]
    places = [typed_path(given).absolute()] if given else [here, *here.parents, package]
    for place in places:
        if any((place / "notebooks").glob("[0-9]*.ipynb")):
            return place
    raise UsageError(
        f"there is no folder notebooks/ with numbered notebooks in {given or here}",
        remedy="Name the folder that holds notebooks/ and exercises/: mlkit render FOLDER",
    )


def find_pages(root: Path) -> Mapping[str, Page]:
    """Give every page of a checkout by name, chapter after chapter, in the order of the files.

    Parameters
    ----------
    root : Path
        The checkout.
    """
    return {
        page.name: page
        for chapter in CHAPTERS
        for path in sorted((root / chapter.folder).glob("[0-9]*.ipynb"))
        for page in [
            Page(name=path.relative_to(root).with_suffix("").as_posix(), path=path, chapter=chapter)
        ]
    }


def select(pages: Mapping[str, Page], wanted: Sequence[str]) -> Mapping[str, Page]:
    """Keep the pages whose name or number was asked for; all, if none was.

    Parameters
    ----------
    pages : mapping of str to Page
        All pages.
    wanted : sequence of str
        Beginnings of file names: `05-idempotency`, or `05` for every page of that number.

    Raises
    ------
    UsageError
        If nothing fits one of them.
    """
    if not wanted:
        return pages
    kept: dict[str, Page] = {}
    for word in wanted:
        fitting = {n: p for n, p in pages.items() if re.match(re.escape(word), p.path.name)}
        if not fitting:
            names = ", ".join(page.path.stem for page in pages.values())
            raise UsageError(
                f"no page begins with '{word}'", remedy=f"There are: {names}", code="E101"
            )
        kept.update(fitting)
    return {name: page for name, page in pages.items() if name in kept}
