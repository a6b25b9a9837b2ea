// Shows HTML that Python wrote. Elements with data-pick can be chosen by mouse and by keyboard.

const SMALLEST = 0.7; // below it small words are no longer legible; only on demand is a picture smaller
const STEP = 1.25;

// What can be scrolled can be reached by Tab, or the keyboard could not scroll it.
function reachable(node) {
  const isLarger = node.scrollWidth > node.clientWidth || node.scrollHeight > node.clientHeight;
  if (isLarger) node.setAttribute("tabindex", "0");
  else node.removeAttribute("tabindex");
}

// A picture that fits its frame, and can be made larger, smaller, and moved with the mouse.
function frameOf(node, kept) {
  const scroll = node.querySelector(".mlkit-scroll");
  const svg = scroll?.querySelector("svg");
  if (!svg) return null;
  const { width, height } = svg.viewBox.baseVal;
  const bar = document.createElement("div");
  bar.className = "mlkit-zoom";
  const add = (words, sign, action) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = sign;
    button.title = words;
    button.setAttribute("aria-label", words);
    button.addEventListener("click", () => { action(); fit(); });
    bar.append(button);
  };
  // JupyterLab's own shortcuts must not take Enter and Space.
  bar.addEventListener("keydown", (event) => event.stopPropagation());
  const whole = () => Math.min(1, scroll.clientWidth / width, tallest() / height);
  const tallest = () => parseFloat(getComputedStyle(scroll).maxHeight) || 600;
  const usual = () => {
    const all = whole();
    return all >= SMALLEST ? all : Math.min(1, Math.max(SMALLEST, scroll.clientWidth / width));
  };
  const scale = () => kept.zoom === "whole" ? whole() : kept.zoom ?? usual();
  const change = (by) => { kept.zoom = Math.min(3, Math.max(0.15, scale() * by)); };
  function fit() {
    if (!scroll.clientWidth) return;
    svg.style.width = `${Math.floor(width * scale())}px`;
    svg.style.maxWidth = "none";
    bar.hidden = kept.zoom === undefined && width <= scroll.clientWidth && height <= tallest();
    reachable(scroll);
  }
  add("smaller", "−", () => change(1 / STEP));
  add("larger", "+", () => change(STEP));
  add("show the whole picture", "whole", () => { kept.zoom = "whole"; });
  add("back to the usual size", "usual", () => { kept.zoom = undefined; });
  node.prepend(bar);
  scroll.addEventListener("wheel", (event) => {
    if (!event.ctrlKey) return;
    event.preventDefault();
    change(event.deltaY < 0 ? STEP : 1 / STEP);
    fit();
  }, { passive: false });
  scroll.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || event.target.closest("[data-pick], a, button")) return;
    const from = [event.clientX + scroll.scrollLeft, event.clientY + scroll.scrollTop];
    const move = (now) => {
      [scroll.scrollLeft, scroll.scrollTop] = [from[0] - now.clientX, from[1] - now.clientY];
    };
    const end = () => {
      window.removeEventListener("pointermove", move);
      window.removeEventListener("pointerup", end);
      window.removeEventListener("pointercancel", end);
    };
    window.addEventListener("pointermove", move);
    window.addEventListener("pointerup", end);
    window.addEventListener("pointercancel", end);
  });
  return fit;
}

function render({ model, el }) {
  const box = document.createElement("div");
  box.className = "mlkit-markup";
  el.append(box);

  function pick(target) {
    if (!model.get("pickable")) return false;
    const node = target.closest("[data-pick]")
      ?? target.closest(".runs tbody tr")?.querySelector("[data-pick]");
    if (!node || !box.contains(node)) return false;
    model.set("picked", node.dataset.pick);
    model.set("picks", model.get("picks") + 1);
    model.save_changes();
    return true;
  }

  function mark() {
    for (const node of model.get("pickable") ? box.querySelectorAll("[data-pick]") : []) {
      node.setAttribute("aria-pressed", String(node.dataset.pick === model.get("picked")));
    }
  }

  const kept = [];
  let fits = [];
  let revealed = "";
  const settle = () => {
    fits.forEach((fit) => fit());
    box.querySelectorAll(".mlkit-scroll").forEach(reachable);
  };
  new ResizeObserver(settle).observe(box);

  // What was asked for is brought into view, if it is not there already.
  function reveal() {
    const asked = box.querySelector("[data-reveal]");
    const name = asked?.dataset.reveal ?? "";
    if (asked && revealed !== name) {
      requestAnimationFrame(() => asked.scrollIntoView({ block: "nearest" }));
    }
    revealed = name;
  }

  function draw() {
    const focused = box.contains(document.activeElement) && document.activeElement.dataset.pick;
    const scrolled = [...box.querySelectorAll(".mlkit-scroll")].map((n) => [n.scrollLeft, n.scrollTop]);
    const open = new Set([...box.querySelectorAll("details[open] > summary")].map((n) => n.textContent));
    box.innerHTML = model.get("markup");
    for (const summary of box.querySelectorAll("details > summary")) {
      if (open.has(summary.textContent)) summary.parentElement.open = true;
    }
    for (const node of model.get("pickable") ? box.querySelectorAll("[data-pick]") : []) {
      node.setAttribute("role", "button");
      node.setAttribute("tabindex", "0");
      node.closest("svg")?.setAttribute("role", "group");
    }
    fits = [...box.querySelectorAll(".mlkit-frame")]
      .map((node, i) => frameOf(node, kept[i] ??= {}))
      .filter((fit) => fit !== null);
    fits.forEach((fit) => fit());
    [...box.querySelectorAll(".mlkit-scroll")].forEach((node, i) => {
      if (scrolled[i]) [node.scrollLeft, node.scrollTop] = scrolled[i];
    });
    requestAnimationFrame(settle);
    box.classList.toggle("pickable", model.get("pickable"));
    mark();
    reveal();
    if (focused) box.querySelector(`[data-pick="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
  }

  function announce() {
    if (model.get("live")) {
      box.setAttribute("role", "status");
      box.setAttribute("aria-live", "polite");
    }
  }

  box.addEventListener("click", (event) => pick(event.target));
  box.addEventListener("keydown", (event) => {
    if ((event.key === "Enter" || event.key === " ") && pick(event.target)) {
      event.preventDefault();
      event.stopPropagation();
    }
  });
  model.on("change:markup change:pickable", draw);
  model.on("change:picked", mark);
  announce();
  draw();
}

export default { render };
