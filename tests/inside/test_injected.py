"""Values that stand in no notebook."""

from __future__ import annotations

import json
import os
from unittest import mock

import pytest

from mlkit.inside.injected import injected
from mlkit.inside.secret import Secret


def test_injected_values_come_from_the_environment() -> None:
    """A text as a secret, others as JSON carries them; without one it says so."""
    values = {"MLKIT_INJECTED_a": json.dumps("hunter22"), "MLKIT_INJECTED_b": json.dumps([1])}
    with mock.patch.dict(os.environ, values):
        assert (injected("a"), type(injected("a")), injected("b")) == ("hunter22", Secret, [1])
    with pytest.raises(LookupError, match="no hidden value for the parameter 'a'"):
        injected("a")
