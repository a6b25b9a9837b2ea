// Changes a pipeline in its picture: by small forms, and by drawing from one box to another.
import { h } from "./dom.js";

export class Drawing {
  // `does(change)` makes a change, `stages()` gives what is known of the stages by name.
  constructor(does, stages) {
    this._does = does;
    this._stages = stages;
    this.form = h("div", { class: "drawing" });
    this.undo = this._button("↶ Undo", () => this._make({ do: "undo" }));
    this.undo.disabled = true;
    this.tools = h("div", { class: "line" }, this._button("Add a stage …", () => this.add()), this.undo);
  }

  _button(words, does) {
    return h("button", { type: "button", class: "act", onclick: does }, words);
  }

  async _make(change) {
    const made = await this._does(change);
    if (!made) return;
    this.undo.disabled = made.undo === 0;
    this.close();
  }

  close() {
    const hadFocus = this.form.contains(document.activeElement);
    this.form.replaceChildren();
    if (hadFocus) this.tools.querySelector("button").focus();
  }

  // A form of labelled fields: text, or a choice of words.
  _ask(title, fields, does) {
    const controls = {};
    const rows = fields.map(({ name, label, choices, value, hint }) => {
      controls[name] = choices
        ? h("select", {}, ...choices.map((each) => h("option", { value: each }, each)))
        : h("input", { type: "text", placeholder: hint, spellcheck: "false", autocomplete: "off" });
      if (value !== undefined) controls[name].value = value;
      return h("label", { class: "field" }, label, controls[name]);
    });
    const form = h("form", {
      "aria-label": title,
      onsubmit: (event) => {
        event.preventDefault();
        void this._make(does(Object.fromEntries(Object.entries(controls).map(([k, c]) => [k, c.value.trim()]))));
      },
      onkeydown: (event) => { if (event.key === "Escape") this.close(); },
    }, h("h3", {}, title), h("div", { class: "fields" }, ...rows),
    h("div", { class: "line" }, h("button", { type: "submit", class: "act primary" }, "Write it"), this._button("Close", () => this.close())));
    this.form.replaceChildren(form);
    form.querySelector("input, select")?.focus();
  }

  // Say why there is nothing to ask.
  _tell(title, words) {
    const close = this._button("Close", () => this.close());
    const onkeydown = (event) => { if (event.key === "Escape") this.close(); };
    this.form.replaceChildren(h("form", { "aria-label": title, onkeydown },
      h("h3", {}, title), h("p", { role: "status" }, words), h("div", { class: "line" }, close)));
    close.focus();
  }

  _outputs(but = "") {
    return Object.entries(this._stages()).filter(([name]) => name !== but)
      .flatMap(([name, stage]) => Object.keys(stage.outputs).map((output) => `${name}.${output}`));
  }

  add() {
    this._ask("A new stage", [
      { name: "name", label: "its name", hint: "clean" },
      { name: "inputs", label: "reads", hint: "load.table, file:data.csv" },
      { name: "outputs", label: "writes", hint: "table.csv, report.json" },
    ], ({ name, inputs, outputs }) => ({ do: "add", name, inputs: words(inputs), outputs: words(outputs) }));
  }

  rename(stage) {
    this._ask(`Another name for ${stage}`, [{ name: "name", label: "name", value: stage }],
      ({ name }) => ({ do: "rename", stage, name }));
  }

  remove(stage) {
    void this._make({ do: "delete", stage });
  }

  // Wire an output to an input of a stage; from a drawn line, the stage that writes comes first.
  wire(stage, from = "") {
    const { declares, inputs } = this._stages()[stage];
    const outputs = this._outputs(stage);
    const first = outputs.filter((each) => each.startsWith(`${from}.`));
    const others = outputs.filter((each) => !first.includes(each));
    const free = declares.filter((name) => !(name in inputs));
    if (!declares.length || !outputs.length) {
      this._tell(`What ${stage} reads`, declares.length
        ? "No other stage writes anything yet."
        : `The parameters cell of ${stage} names nothing to read. Add a line to it, such as table = "", and save the notebook.`);
      return;
    }
    this._ask(`What ${stage} reads`, [
      { name: "source", label: "output", choices: [...first, ...others] },
      { name: "input", label: "input: a variable of its parameters cell", choices: [...free, ...declares.filter((name) => name in inputs)] },
    ], ({ source, input }) => ({ do: "wire", stage, source, input }));
  }

  cut(stage) {
    this._ask(`What ${stage} is not to read`, [
      { name: "input", label: "input", choices: Object.keys(this._stages()[stage].inputs) },
    ], ({ input }) => ({ do: "cut", stage, input }));
  }

  // What can be done with a stage.
  buttons(stage) {
    const known = this._stages()[stage];
    if (!known) return [];
    return [
      this._button("Wire an input …", () => this.wire(stage)),
      Object.keys(known.inputs).length ? this._button("Cut an input …", () => this.cut(stage)) : null,
      this._button("Rename …", () => this.rename(stage)),
      this._button("Delete", () => this.remove(stage)),
    ].filter(Boolean);
  }

  // A line from box to box asks what the second is to read of the first.
  listen(picture) {
    let begun = null;
    const box = (event) => event.target.closest?.("svg [data-pick]");
    picture.addEventListener("pointerdown", (event) => {
      const from = box(event);
      if (!from || event.button !== 0) return;
      begun = { from, svg: from.closest("svg"), line: null };
    });
    picture.addEventListener("pointermove", (event) => {
      if (!begun || event.buttons !== 1) { begun?.line?.remove(); begun = null; return; }
      const matrix = begun.svg.getScreenCTM()?.inverse();
      if (!matrix || !begun.svg.isConnected) { begun = null; return; }
      const at = new DOMPoint(event.clientX, event.clientY).matrixTransform(matrix);
      if (!begun.line) {
        begun.line = document.createElementNS("http://www.w3.org/2000/svg", "line");
        begun.line.setAttribute("class", "arrow drawn");
        begun.line.setAttribute("x1", at.x);
        begun.line.setAttribute("y1", at.y);
        begun.svg.append(begun.line);
      }
      begun.line.setAttribute("x2", at.x);
      begun.line.setAttribute("y2", at.y);
    });
    picture.addEventListener("pointerup", (event) => {
      const to = box(event);
      begun?.line?.remove();
      if (begun && to && to.dataset.pick !== begun.from.dataset.pick) {
        this.wire(to.dataset.pick.split("[")[0], begun.from.dataset.pick.split("[")[0]);
      }
      begun = null;
    });
  }
}

function words(text) {
  return text.split(",").map((each) => each.trim()).filter(Boolean);
}
