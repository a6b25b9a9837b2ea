// Elements of the page, without a framework.

// h("button", { class: "x", onclick: f, "aria-label": "…" }, "text", child, …)
export function h(tag, properties = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value === true) node.setAttribute(name, "");
    else node.setAttribute(name, value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

// A box for HTML that the server wrote (it escapes whatever comes from a user or a file). What has
// data-pick can be chosen by mouse and by keyboard; focus, scrolling and open folds outlast a change.
let boxes = 0;
export class Markup {
  constructor(picked = null) {
    this._picked = picked;
    this._number = ++boxes;
    this._last = null;
    this.node = reached(h("div", { class: `mlkit-markup${picked ? " pickable" : ""}` }));
    this.node.addEventListener("click", (event) => this._pick(event));
    this.node.addEventListener("keydown", (event) => {
      const isButton = event.target instanceof HTMLButtonElement;
      if ((event.key === "Enter" || event.key === " ") && !isButton && this._pick(event)) {
        event.preventDefault();
        event.stopPropagation();
      }
    });
  }

  show(html) {
    if (html === this._last) return;
    this._last = html;
    const { node } = this;
    const focused = node.contains(document.activeElement) && document.activeElement.dataset.pick;
    const scrolled = [...node.querySelectorAll(".mlkit-scroll")].map((n) => [n.scrollLeft, n.scrollTop]);
    const open = new Set([...node.querySelectorAll("details[open] > summary")].map((n) => n.textContent));
    // Several pictures of a page name their arrow heads alike, and what a hidden one defines is not drawn.
    node.innerHTML = html.replace(/(id="|url\(#)mlkit-tip/g, `$1box-${this._number}-mlkit-tip`);
    for (const summary of node.querySelectorAll("details > summary")) {
      if (open.has(summary.textContent)) summary.parentElement.open = true;
    }
    for (const each of this._picked ? node.querySelectorAll("svg [data-pick]") : []) {
      each.setAttribute("role", "button");
      each.setAttribute("tabindex", "0");
      each.closest("svg").setAttribute("role", "group");
    }
    [...node.querySelectorAll(".mlkit-scroll")].forEach((each, i) => {
      if (scrolled[i]) [each.scrollLeft, each.scrollTop] = scrolled[i];
    });
    if (focused) node.querySelector(`[data-pick="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
  }

  mark(name) {
    for (const each of this._picked ? this.node.querySelectorAll("[data-pick]") : []) {
      each.setAttribute("aria-pressed", String(each.dataset.pick === name));
    }
  }

  _pick(event) {
    const target = event.target.closest("[data-pick]");
    if (!this._picked || !target || !this.node.contains(target)) return false;
    this._picked(target.dataset.pick);
    return true;
  }
}

// Words for a sentence that a refusal of the server makes.
export function sentence(error) {
  const end = /[.!?…]$/.test(error.message) ? "" : ".";
  const remedy = error.remedy ? ` ${error.remedy}${/[.!?…]$/.test(error.remedy) ? "" : "."}` : "";
  return `${error.message}${end}${remedy}`;
}

// Words for a notebook whose kernel has a stage's real inputs.
export function received(stage) {
  return `The kernel has what ${stage} receives; run the cells from the first. Nothing of it is saved.`;
}

// What can be scrolled within a box has to be reached by keyboard, whatever is shown there, however wide.
export function reached(box) {
  const look = () => {
    for (const each of box.querySelectorAll(".mlkit-scroll")) {
      const isLarger = each.scrollWidth > each.clientWidth || each.scrollHeight > each.clientHeight;
      if (isLarger) each.setAttribute("tabindex", "0");
      else each.removeAttribute("tabindex");
    }
  };
  new ResizeObserver(look).observe(box);
  new MutationObserver(look).observe(box, { childList: true, subtree: true });
  return box;
}
