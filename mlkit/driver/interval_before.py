"""What became of an instance in the interval before that of its run."""

from __future__ import annotations

from mlkit.core.backfilling import interval_of
from mlkit.core.past import Earlier, LookedBack, look_back
from mlkit.core.pipeline import Instance
from mlkit.driver.context import Context

__all__ = ["asked_past"]


def asked_past(context: Context, instance: Instance) -> LookedBack:
    """Ask the runs of the interval before; a run that is for no interval has none."""
    interval = context.order.options.interval
    if interval is None:
        return LookedBack()
    stores, pipeline = context.stores, context.order.pipeline
    elsewhere: set[str] = set()
    if stores.sharing is not None:
        from mlkit.store.remote.leases import holders  # what is behind URLs costs 0.1 s

        stores.sharing.take_in_runs()
        elsewhere = {holder.name for holder in holders(stores.sharing.store.remote)}
    earlier = []
    before = None
    for run in stores.database.scheduled_runs(pipeline.name):
        had = interval_of(run)
        if had is None or had.end != interval.start:
            continue
        # asked first: of a run that is not alive what is read then is its last word
        is_alive = run.run_id in elsewhere or stores.runs.run(run.run_id).is_alive()
        whole = stores.database.load_run(run.run_id)
        if whole is not None:
            earlier.append(Earlier(run=whole, is_alive=is_alive))
            before = had
    return look_back(instance.id, earlier, str(before))
