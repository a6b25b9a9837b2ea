// The bar above a stage's notebook: which stage it is, what it reads and writes, and what runs it.
import { h, received, sentence } from "./dom.js";

// Adds the bar to a notebook, if it is a stage's. `does` = { edit, run } takes ({ path, stage }).
export async function addBar(server, lumino, panel, does) {
  await panel.context.ready;
  const { stage: found } = await server.get("notebook", { path: panel.context.path });
  if (!found || panel.isDisposed) return;
  const said = h("span", { class: "said", role: "status" });
  const asked = { path: found.pipeline, stage: found.stage };
  const button = (words, begins, work) => {
    const node = h("button", {
      type: "button",
      onclick: async () => {
        node.disabled = true;
        said.textContent = begins;
        try {
          said.textContent = await work();
        } catch (error) {
          said.textContent = `✗ ${sentence(error.error ?? error)}`;
        }
        node.disabled = false;
      },
    }, words);
    return node;
  };
  const node = h("div", { class: "mlkit-bar", role: "region", "aria-label": "stage of a pipeline" },
    h("span", {}, "stage ", h("b", {}, found.stage), ` of ${found.name}`),
    named("reads", found.inputs, (name, source) => `${name} ← ${source}`),
    named("writes", found.outputs, (name, file) => `${name} → ${file}`),
    button("▶ Run as the pipeline would", "▶ Saving, and starting …", async () => {
      if (panel.context.model.dirty) await panel.context.save();
      await does.run(asked);
      return "▶ It was started; the panel at the left says how far it is.";
    }),
    button("Real inputs", "▶ Bringing what it reads up to date …", async () => {
      const given = await does.edit(asked);
      return received(given.stage);
    }),
    said);
  place(lumino, panel, node);
}

// Says what a notebook on a kept kernel is: the stage's source, of the same name, may be open beside it.
export function addLiveBar(lumino, panel) {
  place(lumino, panel, h("div", { class: "mlkit-bar", role: "region", "aria-label": "stage that failed" },
    h("span", {}, h("b", {}, "Where the stage failed"), ", with all its variables. What you run here is in no record; “Take over into the source” in the panel keeps what you correct.")));
}

// JupyterLab has no words of its own between toolbar and cells: they stand in the header of the content.
function place(lumino, panel, node) {
  const header = panel.contentHeader;
  const widget = new lumino.Widget();
  widget.node.append(node);
  header.addWidget(widget);
  // JupyterLab lays these out by their least height, which depends on how the words wrap.
  const observer = new ResizeObserver(() => {
    widget.node.style.minHeight = `${node.offsetHeight}px`;
    if (!header.isDisposed) header.fit();
  });
  observer.observe(node);
  widget.disposed.connect(() => observer.disconnect());
}

function named(verb, entries, words) {
  const all = Object.entries(entries);
  if (all.length === 0) return null;
  const shown = all.slice(0, 4).map(([name, other]) => h("code", {}, words(name, other)));
  const spaced = shown.flatMap((each, i) => (i ? [", ", each] : [each]));
  return h("span", {}, `${verb} `, ...spaced, all.length > 4 ? `, and ${all.length - 4} more` : null);
}
