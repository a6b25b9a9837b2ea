// Shows HTML that Python wrote. Elements with data-pick can be chosen by mouse and by keyboard.
function render({ model, el }) {
  const box = document.createElement("div");
  box.className = "mlkit-markup";
  el.append(box);

  function pick(target) {
    if (!model.get("pickable")) return false;
    const node = target.closest("[data-pick]");
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
    [...box.querySelectorAll(".mlkit-scroll")].forEach((node, i) => {
      if (scrolled[i]) [node.scrollLeft, node.scrollTop] = scrolled[i];
    });
    requestAnimationFrame(() => {
      for (const node of box.querySelectorAll(".mlkit-scroll")) {
        const isLarger = node.scrollWidth > node.clientWidth || node.scrollHeight > node.clientHeight;
        if (isLarger) node.setAttribute("tabindex", "0");
        else node.removeAttribute("tabindex");
      }
    });
    box.classList.toggle("pickable", model.get("pickable"));
    mark();
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
