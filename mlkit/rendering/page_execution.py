"""Execute the notebooks of the site, and keep what was executed while nothing has changed."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mlkit.core.durations import format_duration
from mlkit.errors import ExecutionError
from mlkit.frozen import dataclass
from mlkit.rendering.site_pages import Page

__all__ = ["Execution", "execute_pages", "kit_digest"]

_FOLDERS = ("notebooks", "exercises", "solutions")
"""What a learner's checkout has; by the solutions the map of lessons knows the exercises."""
_LEFT_OUT = ("runs", "scratch", ".ipynb_checkpoints", "__pycache__")


@dataclass(frozen=True, kw_only=True)
class Execution:
    """How the notebooks of a site are executed.

    Parameters
    ----------
    root : Path
        The checkout.
    cache : Path
        Where executed notebooks are kept.
    workers : int
        How many run at once.
    fresh : bool
        Execute all of them again.
    timeout_s : float
        The longest that one cell may take.
    """

    root: Path
    cache: Path
    workers: int = 2
    fresh: bool = False
    timeout_s: float = 600.0


def kit_digest(root: Path) -> str:
    """Digest of everything that lessons run: mlkit, the stage notebooks, Python.

    Parameters
    ----------
    root : Path
        The checkout.
    """
    package = Path(__file__).resolve().parents[1]
    notebooks = root / "notebooks"
    beside = [*(notebooks / "flights").iterdir(), *(notebooks / "lessons").glob("*.py")]
    files = [*sorted(package.rglob("*.py")), *sorted(beside)]
    whole = hashlib.sha256(sys.version.encode())
    for file in files:
        if file.is_file():
            whole.update(file.name.encode())
            whole.update(file.read_bytes())
    return whole.hexdigest()


def execute_pages(
    pages: Iterable[Page], how: Execution, say: Callable[[str], None]
) -> dict[str, dict[str, Any]]:
    """Execute pages, some at once, in a copy of the checkout's notebooks.

    Parameters
    ----------
    pages : iterable of Page
        The pages; those of a chapter that is not executed are read as they stand.
    how : Execution
        The surroundings.
    say : callable
        Told a line for each page.

    Returns
    -------
    dict of str to dict
        Page name → notebook with outputs, as JSON.

    Raises
    ------
    ExecutionError
        If cells of some notebooks raise; it names each, after all have been tried.
    """
    digest = kit_digest(how.root)
    done: dict[str, dict[str, Any]] = {}
    left: list[Page] = []
    for page in pages:
        kept = None if how.fresh else _kept(page, how, digest)
        if not page.chapter.executed:
            done[page.name] = json.loads(page.path.read_text(encoding="utf-8"))
        elif kept is not None:
            done[page.name] = kept
        else:
            left.append(page)
    if done and left:
        say(f"{len(done)} pages are unchanged or are not executed; {len(left)} to execute")
    if left:
        done.update(_execute_all(left, how, digest, say))
    return done


def _place(page: Page, how: Execution, digest: str) -> Path:
    own = hashlib.sha256(digest.encode() + page.path.read_bytes()).hexdigest()
    return how.cache / f"{page.path.stem}-{own[:24]}.json"


def _kept(page: Page, how: Execution, digest: str) -> dict[str, Any] | None:
    """What was executed before; None if there is nothing, or it cannot be read."""
    place = _place(page, how, digest)
    if not page.chapter.executed or not place.is_file():
        return None
    try:
        kept: dict[str, Any] = json.loads(place.read_text(encoding="utf-8"))
    except ValueError:
        return None
    return kept


def _execute_all(
    pages: list[Page], how: Execution, digest: str, say: Callable[[str], None]
) -> dict[str, dict[str, Any]]:
    done: dict[str, dict[str, Any]] = {}
    failed: list[str] = []
    how.cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="mlkit-", ignore_cleanup_errors=True) as folder:
        copy = Path(folder) / "mlkit"
        for name in _FOLDERS:
            ignore = shutil.ignore_patterns(*_LEFT_OUT)
            if (how.root / name).is_dir():
                shutil.copytree(how.root / name, copy / name, ignore=ignore)
        env = _learners_environment(Path(folder) / "runtime")
        with _kernels_left(env), ThreadPoolExecutor(how.workers) as pool:
            running = {
                pool.submit(_execute, page, copy, env, how.timeout_s): page for page in pages
            }
            for number, future in enumerate(as_completed(running), start=1):
                page = running[future]
                notebook, seconds, error = future.result()
                took = format_duration(seconds)
                say(f"[{number}/{len(pages)}] {page.name} {'✗' if error else '✓'} {took}")
                if error:
                    failed.append(f"{page.name}.ipynb: {error}")
                    continue
                done[page.name] = notebook
                _keep(notebook, _place(page, how, digest))
    if failed:
        raise ExecutionError(
            f"{len(failed)} of {len(pages)} notebooks did not run:\n  " + "\n  ".join(failed),
            remedy="Open them in JupyterLab and run them; nothing of the site was changed",
        )
    return done


def _learners_environment(runtime: Path) -> dict[str, str]:
    """The environment of the pages: a learner's, who has no settings of ours and no CI.

    What a run leaves behind for the next one is used by all pages, and is kept apart from that of
    other runs.
    """
    runtime.mkdir(mode=0o700)
    own = {k: v for k, v in os.environ.items() if not k.startswith("MLKIT_") and k != "CI"}
    return {**own, "XDG_RUNTIME_DIR": str(runtime)}


@contextmanager
def _kernels_left(env: Mapping[str, str]) -> Iterator[None]:
    """End, after the last page, what its runs have left behind."""
    # With kernels come 0.1 s of imports, for which the command's help need not wait.
    from mlkit.notebook.kernels.warm_zygotes import stop_warm_zygotes

    try:
        yield
    finally:
        stop_warm_zygotes(env=env)


def _keep(notebook: Mapping[str, Any], place: Path) -> None:
    aside = place.with_suffix(".part")
    aside.write_text(json.dumps(notebook), encoding="utf-8")
    aside.replace(place)


def _execute(
    page: Page, copy: Path, env: Mapping[str, str], timeout_s: float
) -> tuple[dict[str, Any], float, str]:
    """Execute one notebook; give it, the seconds, and what is wrong (or an empty text)."""
    # nbclient and what kernels need take 0.5 s, for which the command's help need not wait.
    import nbformat
    from nbclient import NotebookClient
    from nbclient.exceptions import CellTimeoutError, DeadKernelError

    from mlkit.notebook.kernels import KernelRequest, end_kernel, open_kernels

    started = time.monotonic()
    source = copy / f"{page.name}.ipynb"
    notebook: Any = nbformat.read(source, as_version=4)  # type: ignore[no-untyped-call] # untyped
    error = ""
    with open_kernels("spawn") as kernels:
        request = KernelRequest(cwd=source.parent, env=env, log=source.with_suffix(".log"))
        manager = kernels.manager(request)
        client = NotebookClient(notebook, km=manager, timeout=timeout_s, allow_errors=True)
        try:
            client.execute()
        except (CellTimeoutError, DeadKernelError) as problem:
            error = str(problem).splitlines()[0]
        finally:
            if client.kc is not None:
                client.kc.stop_channels()
            asyncio.run(end_kernel(manager))
    text: str = nbformat.writes(notebook)  # type: ignore[no-untyped-call] # untyped
    text = text.replace(json.dumps(str(copy))[1:-1], "mlkit")
    plain: dict[str, Any] = json.loads(text)
    return plain, time.monotonic() - started, error or _first_error(plain)


def _first_error(notebook: Mapping[str, Any]) -> str:
    """The first error that the notebook does not expect; check cells of exercises may fail."""
    for cell in notebook["cells"]:
        expected = "raises-exception" in cell["metadata"].get("tags", [])
        if expected or cell["id"].startswith("check-"):
            continue
        for output in cell.get("outputs", []):
            if output["output_type"] == "error":
                return f"cell '{cell['id']}' raised {output['ename']}: {output['evalue']}"
    return ""
