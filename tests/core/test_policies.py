"""Which failures are tried again."""

from __future__ import annotations

import pytest

from mlkit.core.policies import Retry, is_retryable

REQUESTS = ("requests.exceptions.ConnectionError", "builtins.OSError", "builtins.Exception")


@pytest.mark.parametrize(
    ("on", "classes", "expected"),
    [
        (None, REQUESTS, True),
        (("ConnectionError",), REQUESTS, True),
        (("OSError",), REQUESTS, True),
        (("TimeoutError",), REQUESTS, False),
        ((), REQUESTS, False),
        (("TimeoutError",), ("mlkit.StageTimeout", "builtins.TimeoutError"), True),
        (("StageTimeout",), ("mlkit.StageTimeout", "builtins.TimeoutError"), True),
        (None, ("mlkit.DeadKernel", "builtins.Exception"), True),
        (None, ("mlkit.MissingOutput", "builtins.Exception"), False),
        (("MissingOutput",), ("mlkit.MissingOutput", "builtins.Exception"), False),
        (None, ("builtins.SystemExit", "builtins.BaseException"), False),
        (("SystemExit",), ("mine.Exit", "builtins.SystemExit"), False),
        (None, (), False),
    ],
)
def test_a_failure_is_matched_by_the_bare_names_of_all_its_classes(
    on: tuple[str, ...] | None, classes: tuple[str, ...], *, expected: bool
) -> None:
    """Never what cannot pass by itself."""
    assert is_retryable(Retry(max_retries=1, on=on), classes) is expected
