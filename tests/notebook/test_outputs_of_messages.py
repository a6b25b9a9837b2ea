"""What a kernel shows becomes the same output as nbformat makes of it, or is refused the same."""

from __future__ import annotations

import json
from typing import Any

import nbclient.client
import nbformat
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlkit.notebook.cell_client import CellClient
from mlkit.notebook.outputs_of_messages import FIELDS, output_of

TEXTS = st.text(max_size=8)
ODD = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 2) | st.floats(allow_nan=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXTS, inner, max_size=2),
    max_leaves=4,
)
FORMATS = st.sampled_from(["text/plain", "image/png", "application/json", "a/x+json", "text/html"])
USUAL = {
    "name": st.sampled_from(["stdout", "stderr"]),
    "text": TEXTS,
    "ename": TEXTS,
    "evalue": TEXTS,
    "traceback": st.lists(TEXTS, max_size=3),
    "metadata": st.dictionaries(TEXTS, ODD, max_size=2),
    "data": st.dictionaries(FORMATS, TEXTS | st.lists(TEXTS, max_size=2) | ODD, max_size=3),
    "execution_count": st.none() | st.integers(0, 9),
}


@st.composite
def messages(draw: st.DrawFn) -> dict[str, Any]:
    """Messages of every kind: usual ones, with an odd value here and there, or one missing."""
    kind = draw(st.sampled_from([*FIELDS, "status"]))
    content: dict[str, Any] = {name: draw(USUAL[name]) for name in FIELDS.get(kind, ())}
    for name in list(content):
        match draw(st.integers(0, 11)):
            case 0:
                content[name] = draw(ODD)
            case 1:
                del content[name]
    if draw(st.booleans()):
        content["transient"] = {}
    return {"header": {"msg_type": kind}, "msg_type": kind, "content": content}


def made(maker: Any, message: dict[str, Any]) -> tuple[str, Any]:
    """What comes of a message: an output as it is written, or an error."""
    try:
        output = maker(message)
    except (ValueError, KeyError, nbformat.ValidationError) as error:
        return type(error).__name__, str(error)
    types = [type(value) for value in output.values()]
    return json.dumps(output), [type(output), *types]


@given(messages())
def test_it_is_what_nbformat_makes(message: dict[str, Any]) -> None:
    """Key by key, in the same order, of the same types; what is refused is refused the same."""
    before = json.dumps(message)
    assert made(output_of, message) == made(nbformat.v4.output_from_msg, message)
    assert json.dumps(message) == before


def test_what_is_usual_needs_no_schema(monkeypatch: pytest.MonkeyPatch) -> None:
    """Texts, tables, pictures and errors, as pandas and matplotlib show them."""
    assert issubclass(CellClient, nbclient.client.NotebookClient)
    assert vars(nbclient.client)["output_from_msg"] is output_of
    monkeypatch.setattr(nbformat.v4, "output_from_msg", None)
    data = {"text/plain": "   a\n0  1", "text/html": "<table>", "image/png": "iVBORw0KGgo="}
    for kind, content in {
        "stream": {"name": "stderr", "text": "a\n"},
        "display_data": {"data": data, "metadata": {"image/png": {"width": 1}}, "transient": {}},
        "execute_result": {"data": data, "metadata": {}, "execution_count": 3},
        "error": {"ename": "ValueError", "evalue": "no", "traceback": ["a", "b"]},
    }.items():
        output = output_of({"header": {"msg_type": kind}, "content": content})
        assert output.output_type == kind
