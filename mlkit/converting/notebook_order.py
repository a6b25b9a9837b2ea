"""The order in which the notebooks of a folder are run: of their names, unless their texts object.

A notebook that reads a file stands behind the one that writes it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from mlkit.converting.spelled_files import Spelled

__all__ = ["in_order_of_data"]


def in_order_of_data(spelled: Mapping[str, Spelled]) -> tuple[list[str], list[str]]:
    """Order notebooks by what they hand on.

    Parameters
    ----------
    spelled : mapping of str to Spelled
        What each notebook reads and writes, in the order of their names, which stays as far as it
        can, and stays altogether if files go around in a circle.

    Returns
    -------
    list of str
        The notebooks.
    list of str
        What people should know: where this is not the order of the names.
    """
    by_name = list(spelled)
    needs = {reader: dict(_needs(reader, spelled)) for reader in by_name}
    order: list[str] = []
    while len(order) < len(by_name):
        ready = (one for one in by_name if one not in order and {*needs[one]} <= {*order})
        following = next(ready, None)
        if following is None:  # a circle, of which no order is the right one
            return by_name, []
        order.append(following)
    remarks = [
        f"{writer} runs before {reader}, other than their names say, as it writes {path}, which "
        f"{reader} reads: for another order name the notebooks one by one"
        for reader in by_name
        for writer, path in needs[reader].items()
        if by_name.index(writer) > by_name.index(reader)
    ]
    return order, remarks


def _needs(reader: str, spelled: Mapping[str, Spelled]) -> Iterator[tuple[str, str]]:
    """The notebooks that have to run before one, each with a file that says so.

    Where one of them stands before it by name, those behind it are no reason to move it: they
    write the file anew.
    """
    by_name = list(spelled)
    place = by_name.index(reader)
    for path in sorted(spelled[reader].reads | spelled[reader].imports, reverse=True):
        writers = [name for name in by_name if name != reader and _writes(spelled[name], path)]
        before = [name for name in writers if by_name.index(name) < place]
        yield from ((writer, path) for writer in before or writers)


def _writes(spelled: Spelled, path: str) -> bool:
    """Whether a notebook writes a file, or the folder in which it is."""
    return any(path == written or path.startswith(f"{written}/") for written in spelled.writes)
