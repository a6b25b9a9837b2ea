"""Have a kernel answer although a cell has left `sys.stdout` or `sys.stderr` unusable.

ipykernel flushes both before it answers. If that raises, since a cell has put something without
`flush` in the place of one, or has closed it, the answer never comes, and who waits for it waits
for ever.
"""

from __future__ import annotations

import sys
from typing import Any

__all__ = ["keep_flushable"]


def keep_flushable() -> None:
    """Look at the end of each cell, and before an error is shown, whether both can be flushed.

    Where one cannot, the kernel's own is put back, and the notebook says so.
    """
    ipython = sys.modules.get("IPython")
    shell: Any = None if ipython is None else ipython.get_ipython()
    if not hasattr(shell, "_showtraceback"):  # a kernel that is not IPython's
        return
    own = {"stdout": sys.stdout, "stderr": sys.stderr}
    show = shell._showtraceback

    def mend(*_: Any) -> None:
        for name, stream in own.items():
            try:
                getattr(sys, name).flush()
            except Exception as error:  # noqa: BLE001 - of whatever a notebook has put there
                setattr(sys, name, stream)
                print(
                    f"mlkit: sys.{name} cannot be flushed ({str(error).rstrip('.')}), "
                    "so it is the notebook's own again",
                    file=own["stderr"],
                )

    def show_after(*args: Any, **kwargs: Any) -> None:
        mend()
        show(*args, **kwargs)

    shell._showtraceback = show_after
    shell.events.register("post_run_cell", mend)
