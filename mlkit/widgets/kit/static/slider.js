// The browser's own slider: labelled, and moved by the arrow keys as everywhere else.
function render({ model, el }) {
  const id = `mlkit-slider-${crypto.randomUUID?.() ?? Math.random().toString(36).slice(2)}`;
  const row = document.createElement("div");
  row.className = "mlkit-slider";
  const label = document.createElement("label");
  label.htmlFor = id;
  const input = document.createElement("input");
  input.type = "range";
  input.id = id;
  const output = document.createElement("output");
  output.htmlFor = id;
  row.append(label, input, output);
  el.append(row);

  let waiting = null;
  function show() {
    const words = `${Number(input.value).toLocaleString("en")} ${model.get("unit")}`.trim();
    output.textContent = words;
    input.setAttribute("aria-valuetext", words);
  }
  function read() {
    label.textContent = model.get("label");
    input.min = model.get("low");
    input.max = model.get("high");
    input.step = model.get("step");
    input.disabled = model.get("disabled");
    if (waiting === null) input.value = model.get("value");
    show();
  }
  input.addEventListener("input", () => {
    show();
    if (waiting !== null) return;
    waiting = setTimeout(() => {
      waiting = null;
      model.set("value", Number(input.value));
      model.save_changes();
    }, 60);
  });
  // JupyterLab's own shortcuts must not take the arrow keys.
  input.addEventListener("keydown", (event) => event.stopPropagation());
  model.on("change:label change:low change:high change:step change:value change:unit change:disabled", read);
  read();
}

export default { render };
