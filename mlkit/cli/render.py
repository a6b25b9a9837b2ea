"""`mlkit render`: lessons and exercises as a site."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from mlkit import api
from mlkit.cli.output import print_json, say, show_page
from mlkit.cli.reference_pages import reference_pages
from mlkit.cli.shared_options import JsonOption, OpenOption
from mlkit.errors import UsageError
from mlkit.rendering.building import (
    build_site,
    check_builder,
    check_target,
    put_pages,
    write_templates,
)
from mlkit.rendering.page_execution import Execution, execute_pages
from mlkit.rendering.site_documents import find_documents
from mlkit.rendering.site_pages import find_pages, find_root, select
from mlkit.rendering.slides import contents_page, deck_page, slides_of
from mlkit.rendering.translating import find_translation

__all__ = ["render"]


def render(
    folder: Annotated[
        Path | None,
        typer.Argument(
            metavar="FOLDER",
            help="The folder that holds notebooks/ and exercises/ (default: this checkout).",
            show_default=False,
        ),
    ] = None,
    *,
    to: Annotated[Path, typer.Option("--to", metavar="DIR", help="The site's folder.")] = Path(
        "site"
    ),
    only: Annotated[
        list[str] | None,
        typer.Option(
            "--only",
            metavar="NAME",
            help="Only pages whose file name begins so (05, 05-idempotency). May be repeated.",
            show_default=False,
        ),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            "--workers", min=1, metavar="N", help="How many run at once (default: the cores)."
        ),
    ] = None,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Execute again what was executed before.")
    ] = False,
    docs: Annotated[
        bool, typer.Option("--docs", help="Only the documentation: no notebook is executed.")
    ] = False,
    slides: Annotated[
        bool, typer.Option("--slides", help="Slides made of the lessons, in place of the site.")
    ] = False,
    pot: Annotated[
        bool,
        typer.Option("--pot", help="Texts to translate, as .pot files, in place of the site."),
    ] = False,
    language: Annotated[
        str | None,
        typer.Option(
            "--language",
            metavar="LANG",
            help="The site in a language that docs/locale has: de, pt_BR.",
            show_default=False,
        ),
    ] = None,
    open_it: OpenOption = False,
    as_json: JsonOption = False,
) -> None:
    r"""Render lessons and exercises as a static site, executed.

    Every notebook is executed in a copy of its folder; what was executed before is used again
    while neither the notebook nor mlkit has changed. The site is replaced when the new one is
    whole. It needs no server: open index.html, or put the folder on any web server.

    \b
    Examples
      mlkit render --open
      mlkit render --only 05 --to /tmp/lesson
      mlkit render --docs --open            the documentation alone
      mlkit render --slides --to slides     a deck of slides for each lesson
      mlkit render --pot --to pot           texts to translate
      mlkit render --docs --language de     the documentation, translated

    Exit codes: 0 done, 1 a notebook or the builder failed, 2 bad usage.
    """
    if not slides:
        check_builder()
    target = check_target(to)
    root = find_root(folder)
    if docs and (only or slides):
        raise UsageError(
            f"--docs and {'--only' if only else '--slides'} exclude each other", code="E102"
        )
    cores = workers or api.default_workers()
    how = Execution(root=root, cache=root / ".rendered", workers=cores, fresh=fresh)
    if slides:
        _finish(*_write_slides(how, only or (), target), as_json=as_json, open_it=open_it)
        return
    documents = None if only else find_documents(root, reference_pages())
    if docs and documents is None:
        raise UsageError(f"there is no docs/index.md in {root}", remedy="Name a checkout of mlkit")
    translated = find_translation(root, language) if language else None
    pages = {} if docs else select(find_pages(root), only or ())
    if pot:
        made = write_templates(pages, target, documents)
        names = [path.relative_to(target).with_suffix("").as_posix() for path in made]
        _finish(target, names, as_json=as_json, open_it=False)
        return
    notebooks = execute_pages(pages.values(), how, say)
    names = [*pages, *(documents.texts if documents else ())]
    say(f"Sphinx builds {len(names)} pages …")
    first = build_site(
        pages, notebooks, target, documents, workers=how.workers, translated=translated
    )
    _finish(first, names, as_json=as_json, open_it=open_it)


def _write_slides(how: Execution, only: Sequence[str], to: Path) -> tuple[Path, list[str]]:
    """Write the decks of the lessons; give the page that links them, and their pages."""
    lessons = {n: p for n, p in find_pages(how.root).items() if p.chapter.name == "Lessons"}
    pages = select(lessons, only)
    notebooks = execute_pages(pages.values(), how, say)
    made = {f"{pages[name].path.stem}.html": slides_of(nb) for name, nb in notebooks.items()}
    decks = {file: deck_page(made[file]) for file in sorted(made)}
    decks["index.html"] = contents_page({file: made[file][0].title for file in sorted(made)})
    put_pages(decks, to)
    return to / "index.html", [*pages]


def _finish(first: Path, names: list[str], *, as_json: bool, open_it: bool) -> None:
    if as_json:
        site = first if first.is_dir() else first.parent
        print_json({"site": str(site), "index": str(first), "pages": names})
    else:
        typer.echo(str(first))
    if open_it:
        show_page(first)
