"""The kernels that are kept where stages have failed: which there are, and their end."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from mlkit.core.kept_kernel import KeptKernel
from mlkit.core.record import RunRecord
from mlkit.errors import UsageError
from mlkit.notebook.kernels.kept_kernels import kept_kernels, stop_kernels

__all__ = ["end_kernels", "kept_clocks", "kept_of", "with_kept"]


def kept_of(runs_dir: Path | str, run_id: str | None = None) -> tuple[KeptKernel, ...]:
    """Give the kernels that are kept of the runs in a folder, or of one of them.

    Where this user's folder for them is not safe, nothing in it is believed.
    """
    place = str(Path(runs_dir).absolute())
    try:
        found = kept_kernels()
    except UsageError:
        return ()
    return tuple(k for k in found if k.runs_dir == place and run_id in (None, k.run_id))


def kept_clocks(record: RunRecord) -> dict[str, str]:
    """Until when kernels of a run's stages are kept, by the stage, as a clock says it."""
    return {each.stage: each.clock for each in kept_of(record.runs_dir, record.run_id)}


def with_kept(record: RunRecord, document: Mapping[str, Any]) -> dict[str, Any]:
    """A document about a run, with the kernels that are kept of it, if there are any."""
    kept = [each.shown() for each in kept_of(record.runs_dir, record.run_id)]
    return {**document, "kept_kernels": kept} if kept else dict(document)


def end_kernels(
    names: Sequence[str] = (), *, runs_dir: Path | None = None, run_ids: Collection[str] = ()
) -> tuple[KeptKernel, ...]:
    """End kernels that are kept, with all that they have started.

    Parameters
    ----------
    names : sequence of str
        Their ids; without any, all of them.
    runs_dir : Path, optional
        Instead: those of some runs in this folder.
    run_ids : collection of str
        Which runs.

    Raises
    ------
    UsageError
        If no kernel of a name is kept.
    """
    if runs_dir is not None:
        place = str(runs_dir.absolute())
        return stop_kernels(lambda each: each.runs_dir == place and each.run_id in run_ids)
    known = {each.id for each in kept_kernels()}
    wrong = next((name for name in names if name not in known), None)
    if wrong is not None:
        kept = f"Kept are: {', '.join(sorted(known))}" if known else "None is kept"
        raise UsageError(
            f"no kernel '{wrong}' is kept", remedy=f"{kept}; see 'mlkit kernels'", code="E101"
        )
    return stop_kernels(lambda each: not names or each.id in names)
