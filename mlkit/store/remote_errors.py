"""What goes wrong between here and a store behind a URL, as sentences with a remedy."""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Iterator

from mlkit.errors import MlkitError, StoreError, install_extra

__all__ = ["readable_store_errors"]

_ENDPOINT = (
    "See that the network and the endpoint (AWS_ENDPOINT_URL) are there; what was finished is "
    "kept: 'mlkit resume RUN' goes on"
)
_CREDENTIALS = (
    "Give them as the store's own tools want them, for s3:// AWS_ACCESS_KEY_ID and "
    "AWS_SECRET_ACCESS_KEY or AWS_PROFILE"
)
_RIGHTS = "See that the credentials are right and allow to list, read, write and delete there"
_MISSING = "Make the bucket first, or correct the URL"
_SPACE = "Free some space, here or there; what was finished is kept"
_EXTRA = f"Install what it needs: {install_extra('remote')}"

_KINDS = (
    (("nocredentials", "partialcredentials", "defaultcredentials"), "no credentials", _CREDENTIALS),
    (("endpoint", "connect", "timeout", "gaierror", "clienterror"), "no answer", _ENDPOINT),
    (("filenotfound", "nosuchbucket"), "there is no such place", _MISSING),
    (("permission", "forbidden", "accessdenied"), "access is refused", _RIGHTS),
    (("importerror", "modulenotfound"), "a library is missing", _EXTRA),
)
"""Words in the names of an error's classes (and of those behind it), the fact, the remedy."""


@contextlib.contextmanager
def readable_store_errors(url: str) -> Iterator[None]:
    """Turn what a file system of fsspec raises into a `StoreError`.

    Parameters
    ----------
    url : str
        The place that was being used.
    """
    try:
        yield
    except MlkitError:
        raise
    except Exception as error:  # noqa: BLE001 - every store's library has errors of its own
        fact, remedy = _explain(error)
        text = " ".join(str(error).split()) or type(error).__name__
        raise StoreError(f"the store cannot be used: {fact} ({text})", url, remedy=remedy) from (
            ConnectionError(text)
        )


def _explain(error: BaseException) -> tuple[str, str]:
    """Find the kind of an error by its classes' names: every store's library has its own."""
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "no space is left", _SPACE
    if isinstance(error, ValueError) and "rotocol" in str(error):
        return "nothing here knows this kind of URL", "Write s3://, gs:// or file://"
    seen: BaseException | None = error
    while seen is not None:
        names = " ".join(kind.__name__ for kind in type(seen).__mro__[:-3]).lower()
        for words, fact, remedy in _KINDS:
            if any(word in names for word in words):
                return fact, remedy
        seen = seen.__cause__ or seen.__context__
    return type(error).__name__, _ENDPOINT
