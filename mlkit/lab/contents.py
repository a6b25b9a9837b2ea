"""What JupyterLab sees of a stage's source, and what of its edits reaches the file.

The injected cell exists in what is sent to the browser only. Whatever comes back, to whatever path,
goes without it. A save of the source merges the edits into the file's own text, and is refused if
the file is no longer what that browser has seen: each time the source is sent it carries a mark,
which comes back with it and says which state of the file was edited.
"""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nbformat
from jupyter_core.utils import ensure_async
from jupyter_server.services.contents.largefilemanager import AsyncLargeFileManager
from tornado.web import HTTPError

from mlkit.errors import NotebookError
from mlkit.frozen import dataclass
from mlkit.lab.desk import Desk
from mlkit.notebook.cells import parse_document
from mlkit.notebook.edits import edited, opened
from mlkit.notebook.injection import INJECTED_TAG, injected_cell, place_to_inject
from mlkit.notebook.kernelspecs import named_in_metadata
from mlkit.notebook.source_file import SourceFile

__all__ = ["StageContents", "contents_for"]

_MARK = "mlkit_edit"
"""Under this name the metadata of what is sent say which state of the file it was, and which cell
was injected."""


@dataclass(frozen=True, kw_only=True)
class _Seen:
    """What the holder of a mark has seen: a state of the file, and its cells by their ids."""

    digest: str
    ids: tuple[str | None, ...]


class StageContents(AsyncLargeFileManager):
    """Sends one notebook with its injected cell, and saves it without."""

    desk: Desk
    desk_path: str
    """The notebook's path as JupyterLab knows it."""

    def work_on(self, desk: Desk, path: str) -> None:
        """Say which notebook is worked on; all others stay as they are."""
        self.desk, self.desk_path = desk, path
        self._seen: dict[str, _Seen] = {}

    async def get(
        self,
        path: str,
        content: bool = True,  # noqa: FBT001, FBT002 - the signature is jupyter_server's
        type: str | None = None,
        format: str | None = None,
        require_hash: bool = False,  # noqa: FBT001, FBT002 - as above
    ) -> Any:
        """Give a file, a folder, or the notebook that is worked on with its injected cell."""
        if not self._is_desk(path) or type not in (None, "notebook"):
            options = {"content": content, "type": type, "format": format}
            if require_hash:  # Jupytext's manager takes it only where it must
                options["require_hash"] = True
            return await ensure_async(super().get(path, **options))
        if not self.desk.notebook.exists():
            raise HTTPError(404, f"{self.desk.notebook.name} is gone.")
        model = self._base_model(path.strip("/"))
        model["type"] = "notebook"
        if content or require_hash:
            source = self._read()
            if require_hash:
                model |= self._get_hash(source.data)
            if content:
                model["content"], model["format"] = self._sent(source), "json"
                self.validate_notebook_model(model)
        return model

    async def save(self, model: Any, path: str = "") -> Any:
        """Save a file; of the notebook that is worked on, what was edited in it."""
        if model.get("type") != "notebook" or not model.get("content"):
            return await ensure_async(super().save(model, path))
        given, is_notebook = model["content"], _is_notebook(model["content"], self.desk.notebook)
        if not self._is_desk(path):
            kept = _scrubbed(_bare(given), self.desk) if is_notebook else given
            return await ensure_async(super().save({**model, "content": kept}, path))
        if not is_notebook:
            name = self.desk.notebook.name
            raise HTTPError(400, f"{name} was not saved: what came is no notebook of format 4.")
        self.run_pre_save_hooks(model=model, path=path)
        self._merge(given)
        if not await ensure_async(self.checkpoints.list_checkpoints(path.strip("/"))):
            await ensure_async(self.create_checkpoint(path))
        saved = await self.get(path, content=False)
        self.run_post_save_hooks(model=saved, os_path=str(self.desk.notebook))
        self.emit(data={"action": "save", "path": path.strip("/")})
        return saved

    async def copy(self, from_path: str, to_path: str | None = None) -> Any:
        """Copy a file; a copy of the notebook that is worked on is one of its file."""
        if not self._is_desk(from_path):
            return await ensure_async(super().copy(from_path, to_path))
        here = "/".join(from_path.strip("/").split("/")[:-1])
        folder, name = (here if to_path is None else to_path.strip("/")), self.desk.notebook.name
        target = f"{folder}/{name}".strip("/")
        if to_path is None or await ensure_async(self.dir_exists(folder)):
            free = await ensure_async(self.increment_filename(name, folder, insert="-Copy"))
            target = f"{folder}/{free}".strip("/")
        Path(self._get_os_path(target)).write_bytes(self.desk.notebook.read_bytes())
        return await self.get(target, content=False)

    async def rename_file(self, old_path: str, new_path: str) -> None:
        """Rename a file; not the one that pipeline.yaml names and this server works on."""
        if self._is_desk(old_path) and old_path.strip("/") != new_path.strip("/"):
            raise HTTPError(
                409,
                f"{self.desk.notebook.name} is the notebook of stage '{self.desk.stage_id}' in "
                "pipeline.yaml. To rename it, end this server, and rename it there, too.",
            )
        await ensure_async(super().rename_file(old_path, new_path))

    async def get_kernel_path(self, path: str, model: Any = None) -> str:
        """The notebook that is worked on has a folder of its own, which its path stands for."""
        if self._is_desk(path):
            return self.desk_path
        found: str = await ensure_async(super().get_kernel_path(path, model))
        return found

    def _is_desk(self, path: str) -> bool:
        return path.strip("/") == self.desk_path

    def _read(self) -> SourceFile:
        try:
            return SourceFile.read(self.desk.notebook)
        except NotebookError as error:
            raise HTTPError(400, str(error)) from None

    def _sent(self, source: SourceFile) -> Any:
        """The document that is sent: trusted if the file is, marked, with its injected cell."""
        shown = opened(source.document, named_in_metadata(self.desk.kernel))
        document = _node(shown.document)
        self.mark_trusted_cells(document, self.desk_path)
        mark = secrets.token_hex(8)
        self._seen[mark] = _Seen(digest=source.digest, ids=shown.ids)
        document["metadata"][_MARK] = mark
        if self.desk.cell:
            cells = document["cells"]
            ids = {cell["id"] for cell in cells}
            cells.insert(place_to_inject(cells), _injected(self.desk, _free_id(ids)))
        return document

    def _merge(self, given: Mapping[str, Any]) -> None:
        """Write what was edited into the file.

        Raises
        ------
        HTTPError
            409 if the file is no longer what was edited.
        """
        mark = str(given.get("metadata", {}).get(_MARK))
        seen, name = self._seen.get(mark), self.desk.notebook.name
        if seen is None:
            raise HTTPError(
                409,
                f"{name} was not saved: this page was opened by an earlier 'mlkit edit'. Copy what "
                "you have changed, and reload the page.",
            )
        if not self.desk.notebook.exists():
            raise HTTPError(409, f"{name} was not saved: the file is gone. Bring it back first.")
        source = self._read()
        if source.digest != seen.digest:
            raise HTTPError(
                409,
                f"{name} was not saved: the file has changed on disk since it was opened here. "
                "Copy what you have changed, choose 'File > Reload Notebook from Disk', and make "
                "the change again.",
            )
        bare = _scrubbed(_bare(given), self.desk)
        change = edited(source.document, seen.ids, bare, named_in_metadata(self.desk.kernel))
        data = source.with_change(change)
        if data != source.data:
            with (
                self.perm_to_403(),
                self.atomic_writing(str(self.desk.notebook), text=False) as file,
            ):
                file.write(data)
        now = SourceFile.of(data, self.desk.notebook)
        self._seen[mark] = _Seen(digest=now.digest, ids=change.ids)
        if self.notary.check_cells(_node(bare)):  # what has run here is trusted from here on
            with contextlib.suppress(UnicodeEncodeError):  # half of a surrogate pair has no bytes
                self.notary.sign(_node(now.document))


def contents_for(base: type[Any]) -> type[StageContents]:
    """Put `StageContents` before the manager that a server has: Jupytext puts its own in place.

    Parameters
    ----------
    base : type
        The class of that manager.
    """
    if issubclass(base, StageContents):
        return base
    return type("StageContents", (StageContents, base), {})


def _node(value: Mapping[str, Any]) -> Any:
    return nbformat.from_dict(dict(value))


def _free_id(ids: set[str]) -> str:
    return INJECTED_TAG if INJECTED_TAG not in ids else secrets.token_hex(8)


def _injected(desk: Desk, name: str) -> Any:
    """The injected cell: nobody can edit or remove it by mistake."""
    own: dict[str, Any] = {"editable": False, "deletable": False, "trusted": True, _MARK: True}
    return _node(injected_cell(desk.cell, name, **own))


def _is_notebook(document: Any, path: Path) -> bool:
    """Whether a document that was handed back has the form of a notebook."""
    try:
        parse_document(document, path)
    except NotebookError:
        return False
    outputs = [cell.get("outputs", []) for cell in document["cells"]]
    return all(isinstance(o, list) and all(isinstance(i, dict) for i in o) for o in outputs)


def _bare(document: Mapping[str, Any]) -> dict[str, Any]:
    """A document without what was injected into it, however often it was copied."""
    metadata = {k: v for k, v in document.get("metadata", {}).items() if k != _MARK}
    cells = [{"metadata": {}, **cell} for cell in document["cells"]]
    cells = [cell for cell in cells if _MARK not in cell["metadata"]]
    return {**document, "metadata": metadata, "cells": cells}


def _scrubbed(document: Mapping[str, Any], desk: Desk) -> dict[str, Any]:
    """A document whose outputs and widgets hold no secret of the stage."""
    cells = [_with_scrubbed(cell, "outputs", desk) for cell in document["cells"]]
    metadata = _with_scrubbed(document.get("metadata", {}), "widgets", desk)
    return {**document, "metadata": metadata, "cells": cells}


def _with_scrubbed(holder: Mapping[str, Any], key: str, desk: Desk) -> Mapping[str, Any]:
    return {**holder, key: desk.scrubber.value(holder[key])} if key in holder else holder
