"""`mlkit render`: notebooks executed, a site built, and looked at in a browser."""

from __future__ import annotations

import functools
import json
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.documents import check_document
from tests.rendering.conftest import cell, make_checkout, notebook, write

ROOT = Path(__file__).resolve().parents[2]
CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"
FLAGS = ["--no-sandbox", "--disable-background-networking", "--disable-component-update"]


def render(root: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Call the command."""
    command = [sys.executable, "-m", "mlkit", "render", str(root), *options]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=root)


def text_of(page: Path) -> str:
    """A page's text without marks."""
    return re.sub(r"<[^>]+>", "", page.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """A checkout whose site was built, and how that went."""
    root = make_checkout(tmp_path_factory.mktemp("built") / "my {kit}")
    return root, render(root, "--json")


Built = tuple[Path, subprocess.CompletedProcess[str]]


@pytest.mark.kernel
def test_a_site_is_built_once_and_again(built: Built) -> None:
    """Executed, linked, searchable; a second time nothing is executed."""
    checkout, first = built
    assert first.returncode == 0, first.stderr
    told = json.loads(first.stdout)
    check_document("render", told)
    site = Path(told["site"])
    assert site == checkout / "site"
    assert "[3/3]" in first.stderr
    lesson = site / "notebooks/lessons/01-picture.html"
    assert "lessons 42" in text_of(lesson)
    html = lesson.read_text(encoding="utf-8")
    assert 'href="../00-start-here.html"' in html
    assert 'alt="Picture of the section “The plot”"' in html
    assert "IntSlider" in text_of(lesson)
    assert "one two" in " ".join(text_of(lesson).split()), "a table of Markdown in an output"
    assert "['exercises', 'notebooks', 'solutions']" in text_of(lesson)
    assert "../flights/pipeline.yaml" in text_of(lesson)
    exercise = (site / "exercises/01-add.html").read_text(encoding="utf-8")
    assert "What a right answer prints:" in exercise
    assert "a secret hint" not in exercise
    assert "Lesson 1" in (site / "searchindex.js").read_text(encoding="utf-8")
    again = render(checkout)
    assert again.returncode == 0, again.stderr
    assert "✓" not in again.stderr


RUNS = """import os
from pathlib import Path
import mlkit
from mlkit.notebook.kernels.warm_zygotes import warm_zygotes
from mlkit.testing import Sketch, write_pipeline
pipeline = write_pipeline(Path("scratch/small"), Sketch(name="one"))
for _ in range(2):
    print(mlkit.run(pipeline, options=mlkit.RunOptions(force=True)).status)
print("CI" in os.environ, "pids", *(each.pid for each in warm_zygotes()))"""


@pytest.mark.kernel
def test_pages_run_as_a_learner_s_do_and_leave_nothing_behind(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also in CI: one run forks from what the one before has imported, until the last page."""
    lesson = notebook(cell("markdown", "title", "# Lesson 2"), cell("code", "runs", RUNS))
    write(checkout / "notebooks/lessons/02-runs.ipynb", lesson)
    monkeypatch.setenv("CI", "true")
    done = render(checkout, "--only", "02")
    assert done.returncode == 0, done.stderr
    said = text_of(checkout / "site/notebooks/lessons/02-runs.html")
    assert said.count("succeeded") == 2
    told = re.search(r"False pids (\d+)$", said, re.MULTILINE)
    assert told, said
    assert not Path("/proc", told[1]).exists()


@pytest.mark.kernel
def test_slides_are_made_of_what_was_executed(built: Built) -> None:
    """A deck a lesson, and a page that links them; the site's executed pages are used again."""
    checkout, _ = built
    done = render(checkout, "--slides", "--to", "slides", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    told = json.loads(done.stdout)
    check_document("render", told)
    assert told["pages"] == ["notebooks/lessons/01-picture"]
    deck = (checkout / "slides/01-picture.html").read_text(encoding="utf-8")
    assert "data:image/png;base64," in deck
    assert "01-picture.html" in Path(told["index"]).read_text(encoding="utf-8")
    assert render(checkout, "--slides", "--docs").returncode == 2


@pytest.mark.kernel
def test_the_site_needs_no_network(built: Built) -> None:
    """No page loads a script, style or picture from elsewhere."""
    checkout, _ = built
    loads = re.compile(r"<(?:script|img|iframe)[^>]+src=\"(?:https?:)?//|<link[^>]+href=\"https?:")
    pages = list((checkout / "site").rglob("*.html"))
    assert len(pages) >= 5
    assert [page.name for page in pages if loads.search(page.read_text(encoding="utf-8"))] == []


@pytest.mark.kernel
def test_a_notebook_that_fails_is_named_and_the_old_site_stays(checkout: Path) -> None:
    """Exit code 1, the cell and the error; nothing of the site was changed."""
    assert render(checkout, "--only", "00").returncode == 0
    before = (checkout / "site/index.html").stat().st_mtime_ns
    broken = notebook(cell("markdown", "title", "# Lesson 2: x"), cell("code", "bang", "1 / 0"))
    write(checkout / "notebooks/lessons/02-broken.ipynb", broken)
    done = render(checkout)
    assert done.returncode == 1
    assert "notebooks/lessons/02-broken.ipynb: cell 'bang' raised ZeroDivisionError" in done.stderr
    assert "Traceback" not in done.stderr
    assert (checkout / "site/index.html").stat().st_mtime_ns == before


@pytest.mark.long
def test_a_link_that_leads_nowhere_is_a_fault(checkout: Path) -> None:
    """Links to files that are no pages become their names; links between pages must hold."""
    start = notebook(cell("markdown", "title", "# Start\n\n[x](#no-such-place)"))
    write(checkout / "notebooks/00-start-here.ipynb", start)
    done = render(checkout, "--only", "00")
    assert done.returncode == 1
    assert "no-such-place" in done.stderr


def test_a_folder_with_other_things_is_not_replaced(checkout: Path) -> None:
    """Exit code 2 before anything ran."""
    (checkout / "site").mkdir()
    (checkout / "site/thesis.txt").write_text("mine")
    done = render(checkout)
    assert done.returncode == 2
    assert "holds something else than a site" in done.stderr
    assert (checkout / "site/thesis.txt").read_text() == "mine"


def serious_in(page: Any) -> list[str]:
    """What axe finds on a page that people would stumble over."""
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page).response["violations"]
    return [
        f"{v['id']}: {v['nodes'][0]['html'][:120]}"
        for v in found
        if v["impact"] in ("serious", "critical")
    ]


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """A web server on loopback."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *parts: object) -> None:
            """Print nothing."""

    handler = functools.partial(Quiet, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@pytest.mark.browser
@pytest.mark.kernel
def test_a_lesson_with_a_live_view_reads_well_without_a_kernel(tmp_path: Path) -> None:
    """Its view is a picture with a text, and axe finds no serious violation in light and dark."""
    from playwright.sync_api import sync_playwright

    done = render(ROOT, "--only", "02-dags", "--to", str(tmp_path / "site"))
    assert done.returncode == 0, done.stderr
    with served(tmp_path / "site") as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        for scheme in ("light", "dark"):
            page = browser.new_page(color_scheme=scheme)
            page.goto(f"{address}/notebooks/lessons/02-dags.html")
            assert page.locator("h1").inner_text() == "Lesson 2: DAGs"
            figure = page.get_by_role("figure").filter(has_text="Build a DAG").first
            picture = figure.get_by_role("img").first
            assert picture.is_visible()
            assert (picture.get_attribute("aria-label") or "").startswith("A DAG of 6 stages")
            assert serious_in(page) == []
        browser.close()


@pytest.mark.browser
@pytest.mark.kernel
def test_pages_are_accessible_in_light_and_dark(built: Built) -> None:
    """Axe finds no serious violation; the console stays empty; the search finds."""
    from playwright.sync_api import sync_playwright

    checkout, _ = built
    noise: list[str] = []
    serious: list[str] = []
    with served(checkout / "site") as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        for scheme in ("light", "dark"):
            page = browser.new_page(color_scheme=scheme)
            page.on("console", lambda message: noise.append(message.text))
            for name in ("index", "notebooks/lessons/01-picture", "exercises/01-add"):
                page.goto(f"{address}/{name}.html")
                assert page.locator("h1").first.is_visible()
                serious += [f"{scheme} {name} {fault}" for fault in serious_in(page)]
        page.goto(f"{address}/search.html?q=picture")
        page.locator("#search-results li a").first.wait_for()
        assert "Lesson 1" in page.locator("#search-results").inner_text()
        browser.close()
    assert serious == []
    assert noise == []
