"""Pictures as a browser sets them: no word lies on another, or out of its box."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from playwright.sync_api import Browser

from mlkit.rendering.slides import Slide, contents_page, deck_page
from mlkit.reports.dag import Box, Dag
from mlkit.reports.graph_svg import draw_dag
from tests.browser.layout import layout_problems
from tests.reports.random_dags import dags

pytestmark = pytest.mark.browser

_LOOK = """() => [...document.querySelectorAll('svg')].flatMap((svg) => {
  const problems = [], all = svg.getBoundingClientRect();
  const nodes = [...svg.querySelectorAll('text')];
  const texts = nodes.map((node) => [node, node.getBoundingClientRect()]);
  const over = (a, b) => a.left < b.right - 1 && b.left < a.right - 1
    && a.top < b.bottom - 3 && b.top < a.bottom - 3;
  texts.forEach(([node, box], i) => {
    if (box.left < all.left || box.right > all.right
        || box.top < all.top || box.bottom > all.bottom)
      problems.push(`cut: ${node.textContent}`);
    const faces = [...node.parentElement.querySelectorAll(':scope > rect')];
    const face = faces.at(-1).getBoundingClientRect();
    if (box.left < face.left || box.right > face.right)
      problems.push(`wider than its box: ${node.textContent}`);
    for (const [other, its] of texts.slice(i + 1))
      if (over(box, its)) problems.push(`${node.textContent} lies on ${other.textContent}`);
  });
  return problems;
})"""


@given(st.lists(dags(), min_size=8, max_size=8))
@settings(max_examples=6, suppress_health_check=[HealthCheck.too_slow])
def test_no_word_of_a_graph_lies_on_another(browser: Browser, drawn: list[Dag]) -> None:
    """Eight pictures a page: names, states, values, and what the arrows bear."""
    page = browser.new_page()
    try:
        page.set_content("".join(draw_dag(dag) for dag in drawn))
        assert page.evaluate(_LOOK) == []
    finally:
        page.close()


def test_a_picture_on_a_slide_is_light_as_the_slide_is(browser: Browser) -> None:
    """In a dark system, too, where its words would be light on white."""
    drawing = draw_dag(Dag(title="One", boxes=(Box(name="one"),), links=()))
    page = browser.new_page(color_scheme="dark")
    try:
        page.set_content(deck_page([Slide(title="One", body=drawing, kind="shown")]))
        colour = "() => getComputedStyle(document.querySelector('svg .name')).fill"
        assert page.evaluate(colour) == "rgb(29, 33, 38)"
    finally:
        page.close()


def test_the_list_of_decks_fits_a_phone(browser: Browser) -> None:
    """Nothing of it lies outside the page."""
    page = browser.new_page(viewport={"width": 390, "height": 800})
    try:
        page.set_content(contents_page({"03.html": "Lesson 3: notebooks and parameters"}))
        assert layout_problems(page) == []
    finally:
        page.close()
