"""Keep a watch compact: of its rounds the newest stay, and the results of all."""

from __future__ import annotations

import shutil
from collections.abc import Sequence

from mlkit.store.folder import RunsFolder
from mlkit.store.looking import opened
from mlkit.store.refusals import readable_os_errors

__all__ = ["keep_newest"]


def keep_newest(folder: RunsFolder, ids: Sequence[str], count: int) -> tuple[str, ...]:
    """Remove the older rounds of one watch; what they have computed belongs to the newest one.

    So it is reused as before, and goes when `mlkit clean` removes that one.

    Parameters
    ----------
    folder : RunsFolder
        The runs folder.
    ids : sequence of str
        The rounds, oldest first.
    count : int
        So many stay, and those that `latest` or a label points at.

    Returns
    -------
    tuple of str
        Those that were removed.
    """
    spared = {folder.latest_id(), *folder.labels.all().values()}
    old = [i for i in ids[:-count] if i not in spared and folder.run(i).path.is_dir()]
    if not old:
        return ()
    with folder.lock(shared=True) as free, readable_os_errors(folder.path):
        if not free:  # somebody cleans here at this moment
            return ()
        with opened(folder) as database:
            for run_id in old:
                database.hand_on_results(run_id, ids[-1])
                database.delete_run(run_id)
                place = folder.run(run_id)
                # Its record first: where the rest cannot be removed, the run is gone all the same
                place.record.unlink(missing_ok=True)
                shutil.rmtree(place.path)
    return tuple(old)
