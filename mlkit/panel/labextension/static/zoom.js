// The size of a picture in its box: as large as can be read, and smaller or larger on demand.
import { h } from "./dom.js";

const SMALLEST = 0.7; // below it small words are no longer legible; only on demand is a picture smaller
const STEP = 1.25;
const MARGIN = 8;

export class Zoom {
  // `box` holds the picture in a `.mlkit-scroll`, and may get another one at any time.
  constructor(box) {
    this._box = box;
    this._chosen = null; // a number, "whole", or nothing: the usual size
    this._seen = null; // where it began: how wide the picture was, how far it was moved
    const button = (words, sign, does) =>
      h("button", { type: "button", title: words, "aria-label": words, onclick: () => { does(); this.fit(); } }, sign);
    this.node = h("div", { class: "mlkit-zoom", hidden: true },
      button("smaller", "−", () => this._by(1 / STEP)),
      button("larger", "+", () => this._by(STEP)),
      button("show the whole picture", "whole", () => { this._chosen = "whole"; }),
      button("back to the usual size", "usual", () => { this._chosen = null; }));
    new ResizeObserver(() => this.fit()).observe(box);
  }

  // Another pipeline begins at its usual size, with its first stage in view.
  forget() {
    this._chosen = this._seen = null;
  }

  fit() {
    const scroll = this._box.querySelector(".mlkit-scroll");
    const svg = scroll?.querySelector("svg");
    this.node.hidden = !svg;
    if (!svg || !scroll.clientWidth) return;
    const { width, height } = svg.viewBox.baseVal;
    svg.style.maxWidth = "none";
    svg.style.width = `${Math.floor(width * this._scale(scroll))}px`;
    svg.style.height = "auto";
    this.node.hidden = this._chosen === null && width <= scroll.clientWidth && height <= tallest(scroll);
    // A picture with states is wider than one without; where nobody has moved it, it begins again.
    if (this._seen?.width !== width && (this._seen?.left ?? scroll.scrollLeft) === scroll.scrollLeft) {
      this._showFirst(scroll, svg);
      this._seen = { width, left: scroll.scrollLeft };
    }
  }

  // Move the picture as little as shows the whole of a stage.
  reveal(name) {
    const scroll = this._box.querySelector(".mlkit-scroll");
    const box = scroll?.querySelector(`svg [data-pick="${CSS.escape(name)}"]`)?.getBoundingClientRect();
    if (!box) return;
    const frame = scroll.getBoundingClientRect();
    const [right, bottom] = [frame.left + scroll.clientWidth, frame.top + scroll.clientHeight];
    scroll.scrollLeft += Math.min(0, box.left - frame.left - MARGIN) || Math.max(0, box.right + MARGIN - right);
    scroll.scrollTop += Math.min(0, box.top - frame.top - MARGIN) || Math.max(0, box.bottom + MARGIN - bottom);
  }

  _scale(scroll) {
    const { width, height } = scroll.querySelector("svg").viewBox.baseVal;
    const wide = scroll.clientWidth / width;
    if (this._chosen === "whole") return Math.min(1, wide, tallest(scroll) / height);
    return this._chosen ?? Math.min(1, Math.max(SMALLEST, wide));
  }

  _by(factor) {
    const scroll = this._box.querySelector(".mlkit-scroll");
    if (scroll) this._chosen = Math.min(3, Math.max(0.15, this._scale(scroll) * factor));
  }

  _showFirst(scroll, svg) {
    const first = [...svg.querySelectorAll("[data-pick]")]
      .map((stage) => stage.getBoundingClientRect())
      .reduce((top, each) => (top && top.top <= each.top ? top : each), null);
    if (!first) return;
    const frame = scroll.getBoundingClientRect();
    scroll.scrollLeft += first.left + first.width / 2 - frame.left - scroll.clientWidth / 2;
  }
}

function tallest(scroll) {
  return parseFloat(getComputedStyle(scroll).maxHeight) || Infinity;
}
