"""The command `mlkit`, also as `python -m mlkit`: the first moments of the process.

Whatever can go wrong before the command line itself is imported is seen to here: Ctrl-C, standard
files that are closed, an encoding in which not every file can be named.
"""
# Ctrl-C is heeded from the first line on, and nothing is imported before it that takes time:
# `signal` takes 6 ms, while the module below it is built in. What stays uncovered is Python's own
# start, with what an installer's script imports before this module.

import _signal  # type: ignore[import-not-found]  # what `signal` is made of
import os
import sys

INTERRUPTED = 130
_HEARD = _signal.getsignal(_signal.SIGINT) is _signal.default_int_handler
"""Whether Ctrl-C counts: a shell starts what runs in its background deaf to it."""
if _HEARD:
    _signal.signal(_signal.SIGINT, lambda *_: os._exit(INTERRUPTED))

__all__ = ["main"]


def main() -> None:
    """Run the command line; Ctrl-C ends it with exit code 130 and no traceback at any time."""
    import gc  # Ctrl-C is heeded by now, before anything else is imported

    _speak_utf8()
    from mlkit.cli.main import main as command  # after the above: importing takes 0.1 s

    code: str | int | None = 0
    try:
        if _HEARD:
            _signal.signal(_signal.SIGINT, _signal.default_int_handler)
        command()
    except SystemExit as end:
        code = end.code
    except KeyboardInterrupt:
        code = INTERRUPTED
    if _HEARD:
        ended = code if isinstance(code, int) else 0
        _signal.signal(_signal.SIGINT, lambda *_: os._exit(ended))
    gc.freeze()  # what is to be closed is closed; a last look through all the rest takes 30 ms
    sys.exit(code)


def _speak_utf8() -> None:
    """Start again in Python's UTF-8 mode where the locale's encoding would name files.

    In the locale C or a Latin-1 one a stage called `größe` or `数据` could have no folder, and a
    notebook's `open(path, "w")` would write another file than elsewhere. The terminal keeps its
    encoding. Arguments that are UTF-8 stay as they are, others are read in the locale's encoding.
    """
    if sys.flags.utf8_mode or sys.getfilesystemencoding().replace("-", "").lower() == "utf8":
        return
    if sys.flags.ignore_environment or not sys.executable:
        return
    os.environ["PYTHONUTF8"] = "1"  # for kernels, too
    if "PYTHONIOENCODING" not in os.environ and sys.stdout is not None:
        os.environ["PYTHONIOENCODING"] = sys.stdout.encoding
    count = len(sys.argv) - 1
    start = sys.orig_argv[1 : len(sys.orig_argv) - count]
    words = [*map(os.fsencode, start), *map(_as_utf8, sys.argv[1:])]
    os.execv(sys.executable, [os.fsencode(sys.executable), b"-X", b"utf8", *words])


def _as_utf8(word: str) -> bytes:
    raw = os.fsencode(word)
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError:
        return word.encode("utf-8", "surrogateescape")
    return raw


if __name__ == "__main__":
    main()
