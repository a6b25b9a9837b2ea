"""What is cut, lies outside the page, or stands empty in a page that a browser shows."""

from __future__ import annotations

from playwright.sync_api import Page

__all__ = ["SEEN_IN", "layout_problems"]

SEEN_IN = ((400, "light"), (400, "dark"), (1000, "light"), (1000, "dark"), (1400, "light"))
"""The widths and themes in which every page and view is looked at; layout is no matter of theme."""

_LOOK = """(selector) => {
  const problems = [];
  const root = selector ? document.querySelectorAll(selector) : [document.body];
  const scrolls = (style) => /auto|scroll/.test(style.overflowX);
  const say = (what, el) => {
    const words = (el.textContent || '').trim().replace(/\\s+/g, ' ').slice(0, 50);
    const kind = typeof el.className === 'string' ? el.className : el.className.baseVal;
    problems.push(`${what}: <${el.tagName.toLowerCase()} class="${kind}"> ${words}`);
  };
  const hidden = (el) => el.closest('.skip, [hidden], details:not([open]) > :not(summary)')
    || !el.checkVisibility({ visibilityProperty: true, opacityProperty: true })
    || (() => { for (let up = el; up; up = up.parentElement)
      if (getComputedStyle(up).clipPath !== 'none') return true; return false; })();
  const scroller = (el) => {
    for (let up = el.parentElement; up && up !== document.documentElement; up = up.parentElement)
      if (scrolls(getComputedStyle(up))) return up;
    return null;
  };
  const width = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth > width + 1) problems.push('the page itself scrolls');
  for (const top of root) for (const el of [top, ...top.querySelectorAll('*')]) {
    if (el instanceof SVGElement && !(el instanceof SVGSVGElement)) {
      if (el.tagName !== 'text' || hidden(el)) continue;
      const own = el.getBoundingClientRect(), all = el.ownerSVGElement.getBoundingClientRect();
      if (own.width && (own.left < all.left - 2 || own.right > all.right + 2
          || own.top < all.top - 2 || own.bottom > all.bottom + 2)) say('cut in its picture', el);
      continue;
    }
    if (hidden(el)) continue;
    const style = getComputedStyle(el), box = el.getBoundingClientRect();
    if (!box.width || !box.height) continue;
    const isField = /^(INPUT|SELECT|TEXTAREA|OPTION)$/.test(el.tagName);
    if (!isField && el.clientWidth && el.scrollWidth > el.clientWidth + 2 && !scrolls(style))
      say(`${el.scrollWidth - el.clientWidth} px too wide for its box`, el);
    const inside = selector ? scroller(top) : null;
    const right = inside ? inside.getBoundingClientRect().right : width;
    const own = scroller(el);
    if ((!own || own === inside) && (box.right > right + 1 || box.left < -1))
      say('outside the page', el);
    if (el.tagName === 'TR' && style.display === 'table-row' && box.height > 60) {
      const frame = own ? own.getBoundingClientRect().right : width;
      const filled = [...el.cells].filter((cell) => cell.getBoundingClientRect().left < frame - 8);
      const heights = filled.map((cell) => {
        const range = document.createRange();
        range.selectNodeContents(cell);
        return range.getBoundingClientRect().height;
      });
      if (Math.max(0, ...heights) < box.height * 0.5) say('a tall row of blanks', el);
    }
  }
  return [...new Set(problems)];
}"""


def layout_problems(page: Page, selector: str = "") -> list[str]:
    """Give what does not fit: in the page, or in the elements that match a selector.

    Content that is wider than its box is in order where the box scrolls; what is hidden or folded
    away is not looked at.
    """
    found: list[str] = page.evaluate(_LOOK, selector)
    return found
