"""Edits of a notebook in JupyterLab, put into its own file: nothing else of the file changes."""

from __future__ import annotations

import copy
import json
import re
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlkit.notebook.edits import edited, opened, with_edits
from mlkit.notebook.kept_json import rewritten, same

UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""The first example waits for imports, on a busy machine for seconds."""

KERNEL = {"name": "python3", "display_name": "Python 3", "language": "python"}

# What is written as it is, escaped, or as two escapes; what ends a line in Python or in JSON alone.
texts = st.text("ab #'\"\\{}[],:/\tü\u2028\x0b\x1f\U0001f600", max_size=8)
words = st.text("abc_", min_size=1, max_size=5)
outputs = st.lists(
    st.builds(lambda text: {"name": "stdout", "output_type": "stream", "text": text}, texts),
    max_size=2,
)


@st.composite
def sources(draw: st.DrawFn) -> str:
    """A cell's text of a few lines, as an editor gives it."""
    return "\n".join(draw(st.lists(texts, max_size=3)))


@st.composite
def cells(draw: st.DrawFn, *, has_outputs: bool = False) -> dict[str, Any]:
    """A cell without id."""
    kind = draw(st.sampled_from(["code", "markdown", "raw"]))
    source = draw(sources())
    cell: dict[str, Any] = {"cell_type": kind}
    if kind == "code":
        cell["execution_count"] = draw(st.integers(1, 9)) if has_outputs else None
    cell["metadata"] = draw(
        st.dictionaries(words, st.one_of(texts, st.lists(words, max_size=3)), max_size=2)
    )
    if kind == "code":
        cell["outputs"] = draw(outputs) if has_outputs else []
    cell["source"] = draw(st.sampled_from([source, source.splitlines(keepends=True)]))
    return cell


@dataclass(frozen=True, kw_only=True)
class Written:
    """A notebook's file."""

    text: str
    document: dict[str, Any]


@st.composite
def files(draw: st.DrawFn) -> Written:
    """A notebook in anybody's manner of writing JSON."""
    has_outputs, has_ids = draw(st.booleans()), draw(st.booleans())
    own = draw(st.lists(cells(has_outputs=has_outputs), max_size=5))
    for index, cell in enumerate(own if has_ids else ()):
        cell["id"] = f"own-{index}"
    document: dict[str, Any] = {
        "cells": own,
        "metadata": draw(st.sampled_from([{}, {"kernelspec": KERNEL}, {"x": {"y": [1, 2.0]}}])),
        "nbformat": 4,
        "nbformat_minor": 5 if has_ids else draw(st.integers(0, 4)),
    }
    text = json.dumps(
        document,
        indent=draw(st.sampled_from([None, 1, 2, "\t"])),
        ensure_ascii=draw(st.booleans()),
        sort_keys=draw(st.booleans()),
        separators=draw(st.sampled_from([(",", ": "), (", ", ": "), (",", ":")])),
    )
    if draw(st.booleans()):
        text = text.replace("\n", "\r\n")
    return Written(text=text + draw(st.sampled_from(["", "\n", "\n\n"])), document=document)


def as_saved(document: dict[str, Any]) -> dict[str, Any]:
    """What JupyterLab makes of a document by itself, before anybody edits it."""
    saved: dict[str, Any] = copy.deepcopy(document)
    saved["metadata"]["kernelspec"] = {**KERNEL, "display_name": "Python 3 (ipykernel)"}
    saved["metadata"]["language_info"] = {"name": "python", "version": "3.11.2"}
    for cell in saved["cells"]:
        if cell["cell_type"] == "code":
            cell["metadata"] |= {"trusted": True, "execution": {"iopub.execute_input": "now"}}
            cell["outputs"] = [
                {**output, "text": "".join(output["text"])} for output in cell["outputs"]
            ]
    saved["cells"] = [dict(reversed(cell.items())) for cell in saved["cells"]]
    return saved


def content(document: dict[str, Any]) -> list[Any]:
    """What a person means by a notebook's content: no ids, results or marks of an execution."""
    return [
        (
            cell["cell_type"],
            "".join(cell["source"]),
            {k: v for k, v in cell["metadata"].items() if k not in ("trusted", "execution")},
        )
        for cell in document["cells"]
    ]


def saved_text(file: Written, saved: dict[str, Any]) -> str:
    """The file after a save."""
    shown = opened(file.document, KERNEL)
    return with_edits(file.text, edited(file.document, shown.ids, saved, KERNEL))


@UNHURRIED
@given(files())
def test_a_save_without_an_edit_changes_no_byte(file: Written) -> None:
    """Whatever JupyterLab rewrites by itself, and however the file is written."""
    assert saved_text(file, as_saved(opened(file.document, KERNEL).document)) == file.text


@UNHURRIED
@given(st.data())
def test_any_edits_are_kept_and_nothing_else_changes(data: st.DataObject) -> None:
    """The file then holds what was edited; every other cell keeps its bytes, wherever it goes."""
    file = data.draw(files())
    saved = as_saved(opened(file.document, KERNEL).document)
    untouched = set(range(len(saved["cells"])))
    places = {cell["id"]: place for place, cell in enumerate(saved["cells"])}
    for _ in range(data.draw(st.integers(1, 4))):
        kind = data.draw(st.sampled_from(["source", "tag", "retype", "remove", "move", "add"]))
        _edit(data, kind, saved["cells"], untouched, places)
    text = saved_text(file, saved)
    assert content(json.loads(text)) == content(saved)
    assert text.endswith(file.text[len(file.text.rstrip()) :])
    old = file.document["cells"]
    left = {places[cell["id"]] for cell in saved["cells"] if cell["id"] in places}
    for place in untouched & left:
        assert _bytes_of(file, place) in text, old[place]
    if "\n" not in file.text.rstrip():
        assert "\n" not in text.rstrip()


def _edit(
    data: st.DataObject,
    kind: str,
    own: list[dict[str, Any]],
    untouched: set[int],
    places: dict[str, int],
) -> None:
    if kind == "add" or not own:
        place = data.draw(st.integers(0, len(own)))
        new = data.draw(cells())
        new["source"] = "".join(new["source"])
        own.insert(place, {**new, "id": data.draw(st.uuids()).hex})
        return
    index = data.draw(st.integers(0, len(own) - 1))
    cell = own[index]
    if kind == "remove":
        del own[index]
        return
    if kind == "move":
        own.insert(data.draw(st.integers(0, len(own) - 1)), own.pop(index))
        return
    untouched.discard(places.get(cell["id"], -1))
    if kind == "source":
        cell["source"] = data.draw(sources())
    elif kind == "tag":
        cell["metadata"]["tags"] = data.draw(st.lists(words, max_size=2))
    elif cell["cell_type"] == "code":
        cell["cell_type"] = "markdown"
        del cell["outputs"], cell["execution_count"]
    else:
        cell |= {"cell_type": "code", "outputs": [], "execution_count": None}


def _bytes_of(file: Written, place: int) -> str:
    """The text of a cell in the file: what changes if the cell is taken out."""
    decoder = json.JSONDecoder()
    at = file.text.index("[", file.text.index('"cells"')) + 1
    for _ in range(place + 1):
        at = next(n for n in range(at, len(file.text)) if file.text[n] == "{")
        start = at
        _, at = decoder.raw_decode(file.text, at)
    return file.text[start:at]


@UNHURRIED
@given(files(), st.integers(0, 4), sources())
def test_results_are_kept_where_the_file_has_some(file: Written, place: int, text: str) -> None:
    """A source without outputs stays without, whatever ran in it; one with outputs gets today's."""
    saved = as_saved(opened(file.document, KERNEL).document)
    code = [cell for cell in saved["cells"] if cell["cell_type"] == "code"]
    for cell in code:
        cell["outputs"] = [{"name": "stdout", "output_type": "stream", "text": f"{text}!\n"}]
        cell["execution_count"] = 77
    new = json.loads(saved_text(file, saved))
    had = any(cell.get("outputs") for cell in file.document["cells"])
    shown = [cell["outputs"] for cell in new["cells"] if cell["cell_type"] == "code"]
    assert any(shown) == (had and bool(code))
    if had:
        assert all("".join(item[0]["text"]) == f"{text}!\n" for item in shown)
    counts = {cell.get("execution_count") for cell in file.document["cells"]}
    assert (77 in {cell.get("execution_count") for cell in new["cells"]}) == (
        counts > {None} or counts - {None} != set()
    )


@UNHURRIED
@given(st.data())
def test_two_saves_in_a_row_are_like_one(data: st.DataObject) -> None:
    """The browser goes on with the ids that it has, and the file has those of its own."""
    file = data.draw(files())
    shown = opened(file.document, KERNEL)
    saved = as_saved(shown.document)
    new: dict[str, Any] = {"cell_type": "markdown", "id": "new", "metadata": {}, "source": "x"}
    saved["cells"].insert(data.draw(st.integers(0, len(saved["cells"]))), new)
    first = edited(file.document, shown.ids, saved, KERNEL)
    text = with_edits(file.text, first)
    new["source"] = "x\ny"
    second = edited(json.loads(text), first.ids, saved, KERNEL)
    twice = with_edits(text, second)
    once = edited(file.document, shown.ids, saved, KERNEL)
    assert same(second.document, once.document)
    assert json.loads(twice) == json.loads(with_edits(file.text, once))


PLAIN = """{
 "cells": [
  {
   "cell_type": "code",
   "execution_count": null,
   "id": "a",
   "metadata": {},
   "outputs": [],
   "source": [
    "one = 1\\n",
    "two = 'z\\u00fc' + \\"ü\\"\\n",
    "three = 3"
   ]
  }
 ],
 "metadata": {},
 "nbformat": 4,
 "nbformat_minor": 5
}
"""


def changed_lines(old: str, new: str) -> list[str]:
    """The lines of the new text that are not in the old one."""
    return [line for line in new.splitlines() if line not in old.splitlines()]


def test_one_edited_line_is_one_changed_line() -> None:
    """Also beside lines whose letters are written as escapes."""
    file = Written(text=PLAIN, document=json.loads(PLAIN))
    saved = as_saved(opened(file.document, KERNEL).document)
    saved["cells"][0]["source"] = saved["cells"][0]["source"].replace("one = 1", "one = 10")
    assert changed_lines(PLAIN, saved_text(file, saved)) == ['    "one = 10\\n",']


def test_another_kernel_is_written_only_if_somebody_chose_it() -> None:
    """JupyterLab writes its own kernel's name into every notebook."""
    file = Written(text=PLAIN, document=json.loads(PLAIN))
    saved = as_saved(opened(file.document, KERNEL).document)
    saved["metadata"]["kernelspec"] = {"name": "ir", "display_name": "R", "language": "R"}
    assert json.loads(saved_text(file, saved))["metadata"]["kernelspec"]["name"] == "ir"


def test_cells_of_an_earlier_injection_are_not_shown_and_stay() -> None:
    """A run passes over them; the file is somebody else's all the same."""
    document = json.loads(PLAIN)
    stale = {**document["cells"][0], "id": "b", "metadata": {"tags": ["injected-parameters"]}}
    document["cells"] = [document["cells"][0], stale, {**document["cells"][0], "id": "c"}]
    file = Written(text=json.dumps(document), document=document)
    shown = opened(document, KERNEL)
    assert [cell["id"] for cell in shown.document["cells"]] == ["a", "c"]
    saved = as_saved(shown.document)
    saved["cells"].reverse()
    ids = [cell["id"] for cell in json.loads(saved_text(file, saved))["cells"]]
    assert ids == ["c", "a", "b"]


def test_a_cell_that_was_cut_and_pasted_is_the_same_cell() -> None:
    """JupyterLab gives what is pasted another id."""
    document = json.loads(PLAIN)
    document["cells"].append({**document["cells"][0], "id": "b", "source": ["other"]})
    file = Written(text=json.dumps(document, indent=1), document=document)
    saved = as_saved(opened(document, KERNEL).document)
    saved["cells"] = [{**saved["cells"][1], "id": "pasted"}, saved["cells"][0]]
    assert [c["id"] for c in json.loads(saved_text(file, saved))["cells"]] == ["b", "a"]


def test_a_cell_that_is_tagged_as_injected_just_now_stays_one_cell() -> None:
    """An open page shows it until the next load; each save writes it once."""
    document = json.loads(PLAIN)
    shown = opened(document, KERNEL)
    saved = as_saved(shown.document)
    saved["cells"][-1]["metadata"]["tags"] = ["injected-parameters"]
    first = edited(document, shown.ids, saved, KERNEL)
    second = edited(first.document, first.ids, saved, KERNEL)
    assert len(second.document["cells"]) == len(document["cells"])
    assert second.document == first.document


@pytest.mark.parametrize("ids", [[None, None], ["same", "same"]])
def test_cells_that_come_without_ids_of_their_own_are_told_by_their_text(
    ids: list[str | None],
) -> None:
    """However often they are saved, each is one cell, with the id that the file has."""
    document = json.loads(PLAIN)
    document["cells"].append({**document["cells"][0], "id": "b", "source": ["other"]})
    shown = opened(document, KERNEL)
    saved = as_saved(shown.document)
    for cell, name in zip(saved["cells"], ids, strict=True):
        cell["id"] = name
    first = edited(document, shown.ids, saved, KERNEL)
    second = edited(first.document, first.ids, saved, KERNEL)
    assert second.document == first.document == document


@pytest.mark.parametrize(
    "odd",
    [
        {"id": "a b/\u00fc"},
        {"id": "x" * 65},
        {"id": 5},
        {"id": ""},
        {"metadata": {"tags": None}},
        {"metadata": {"tags": "parameters"}},
        {"outputs": None},
    ],
    ids=str,
)
def test_what_a_file_holds_against_the_format_stays_and_is_shown_within_it(
    odd: dict[str, Any],
) -> None:
    """JupyterLab gets ids and outputs that it takes; the file keeps its own."""
    document = json.loads(PLAIN)
    document["cells"][0] |= odd
    text = json.dumps(document, indent=1)
    file = Written(text=text, document=document)
    shown = opened(document, KERNEL)
    assert all(re.fullmatch(r"[\w-]{1,64}", c["id"], re.ASCII) for c in shown.document["cells"])
    assert saved_text(file, as_saved(shown.document)) == text


@pytest.mark.parametrize("key", ["id", "name"])
def test_a_key_that_stands_twice_is_written_once(key: str) -> None:
    """JSON allows it; a change makes it one."""
    text = f'{{"{key}": 1, "{key}": 2, "z": [1]}}'
    assert json.loads(rewritten(text, {key: 3, "z": [1]})) == {key: 3, "z": [1]}
