"""A secret is a text that does not show itself."""

from __future__ import annotations

import pickle

from mlkit.inside.secret import Secret


def test_a_secret_is_a_text_that_does_not_show_itself() -> None:
    """Only `repr` hides it; it survives a pickle."""
    token = Secret("hunter22")
    assert (f"{token}", token + "x", len(token)) == ("hunter22", "hunter22x", 8)
    assert (repr(token), repr([token]), f"{token!r}") == (
        *("Secret('***')", "[Secret('***')]"),
        "Secret('***')",
    )
    assert repr(Secret("")) == "Secret('')"
    again = pickle.loads(pickle.dumps(token))
    assert (again == token, type(again)) == (True, Secret)
