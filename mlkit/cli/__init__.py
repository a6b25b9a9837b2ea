"""The command line, one file a command. Nothing is imported from the folder that one works in."""

import os
import sys

__all__: list[str] = []


def _forget_the_working_folder() -> None:
    """Take the working folder off `sys.path`: commands are called in other people's folders, too.

    It comes there by `python -m mlkit`, and by empty or relative entries of PYTHONPATH. The folder
    that mlkit itself was imported from stays. No pathlib: that would be looked for there.
    """
    given = os.environ.get("PYTHONPATH", "")
    entries = [entry for entry in given.split(os.pathsep) if not os.path.isabs(entry)]  # noqa: PTH117
    home = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))  # noqa: PTH100, PTH120
    try:
        unwanted = {"", os.getcwd(), *map(os.path.abspath, entries)} - {home}  # noqa: PTH109
    except FileNotFoundError:  # a folder that is gone holds nothing
        return
    sys.path[:] = [entry for entry in sys.path if entry not in unwanted]


_forget_the_working_folder()
