// The plugins: the panel at the left, its commands, and what they need of JupyterLab.
import { PipelinePanel } from "./panel.js";
import { Server } from "./server.js";

const ID = "mlkit-pipelines";
const CATEGORY = "Pipelines";
const ICON = `<svg xmlns="http://www.w3.org/2000/svg" width="16" viewBox="0 0 24 24">
  <g class="jp-icon3 jp-icon-selectable" fill="#616161">
    <circle cx="5" cy="5" r="3"/><circle cx="19" cy="5" r="3"/><circle cx="12" cy="19" r="3"/>
    <path d="M5 7 L12 17 M19 7 L12 17" stroke="#616161" stroke-width="2" fill="none" class="jp-icon3-stroke"/>
  </g></svg>`;

// Gives the plugins. `shared` gives JupyterLab's own copy of a package.
export async function plugins(shared) {
  const [application, apputils, coreutils, services, statedb, ui, lumino] = await Promise.all([
    "@jupyterlab/application", "@jupyterlab/apputils", "@jupyterlab/coreutils", "@jupyterlab/services",
    "@jupyterlab/statedb", "@jupyterlab/ui-components", "@lumino/widgets",
  ].map(shared));
  const { ServerConnection } = services;
  const { URLExt } = coreutils;
  const icon = new ui.LabIcon({ name: "mlkit:pipelines", svgstr: ICON });

  class PanelWidget extends lumino.Widget {
    constructor(id, needs) {
      super();
      this.id = id;
      this.addClass("mlkit-pipelines");
      this.title.icon = icon;
      this.title.caption = "Pipelines";
      this.node.setAttribute("role", "region");
      this.node.setAttribute("aria-label", "Pipelines");
      this.panel = new PipelinePanel(this.node, needs);
    }

    onAfterShow(message) {
      super.onAfterShow(message);
      this.panel.show();
    }

    onAfterAttach(message) {
      super.onAfterAttach(message);
      if (this.isVisible) this.panel.show();
    }

    onAfterHide(message) {
      super.onAfterHide(message);
      this.panel.hide();
    }

    onBeforeDetach(message) {
      super.onBeforeDetach(message);
      this.panel.hide();
    }

    onActivateRequest(message) {
      super.onActivateRequest(message);
      this.node.querySelector("select, button")?.focus();
    }
  }

  const panel = {
    id: "mlkit:panel",
    description: "Pipelines of notebooks in the left bar.",
    autoStart: true,
    optional: [application.ILayoutRestorer, apputils.ICommandPalette, statedb.IStateDB],
    activate: (app, restorer, palette, state) => {
      const server = new Server({ ServerConnection, URLExt });
      void addStyle(server);
      const needs = {
        server,
        open: (path) => app.commands.execute("docmanager:open", { path }),
        openAt: (path, line) => openAt(app, path, line),
        openPage: (title, html) => openPage(app, lumino, icon, title, html),
      };
      const widget = new PanelWidget(ID, needs);
      app.shell.add(widget, "left", { rank: 600 });
      restorer?.add(widget, ID);
      let copies = 0;
      // The panel that a command is meant for: the one in front, if one is, else that at the left.
      const current = () => (app.shell.currentWidget instanceof PanelWidget ? app.shell.currentWidget : widget);
      const key = "mlkit:pipeline";
      widget.panel.onChoice = (path) => void state?.save(key, path);
      // The state is known when the layout is restored, for which JupyterLab waits for this plugin.
      void app.restored.then(() => state?.fetch(key)).then((last) => {
        if (typeof last === "string" && !widget.panel.path) void widget.panel.refresh(last);
      });

      const add = (name, label, execute) => {
        app.commands.addCommand(name, { label, caption: label, icon, execute });
        palette?.addItem({ command: name, category: CATEGORY });
      };
      const does = (name, label, work) =>
        add(name, label, async () => {
          const { panel: shown } = current();
          if (current() === widget) app.shell.activateById(ID);
          if (!shown.path) await shown.refresh();
          await shown._try(() => work(shown));
        });
      add("mlkit:show", "Show pipelines", () => app.shell.activateById(ID));
      add("mlkit:open", "Open the pipeline in a tab", () => {
        const copy = new PanelWidget(`${ID}-${++copies}`, needs);
        copy.title.label = "Pipeline";
        copy.title.closable = true;
        void copy.panel.refresh(widget.panel.path);
        app.shell.add(copy, "main");
        app.shell.activateById(copy.id);
      });
      does("mlkit:run", "Run the pipeline", (shown) => shown.run());
      does("mlkit:resume", "Resume the run", (shown) => shown.resume());
      does("mlkit:cancel", "Cancel the run", (shown) => shown.cancel());
      does("mlkit:plan", "Plan: what would run, and why", (shown) => shown.plan());
      does("mlkit:refresh", "Look for pipelines again", (shown) => shown.refresh());
    },
  };
  return [panel];
}

// The kit's style sheet comes from the server, as in its views; the panel's own lies beside this file.
async function addStyle(server) {
  const link = document.createElement("link");
  link.rel = "stylesheet";
  link.href = new URL("panel.css", import.meta.url).href;
  const style = document.createElement("style");
  style.textContent = (await server.get("style")).css;
  document.head.append(style, link);
}

async function openAt(app, path, line) {
  const widget = await app.commands.execute("docmanager:open", { path, factory: "Editor" });
  await widget.context.ready;
  await widget.revealed;
  const { editor } = widget.content;
  const at = Math.min(line, editor.lineCount) - 1;
  editor.setSelection({ start: { line: at, column: 0 }, end: { line: at, column: editor.getLine(at).length } });
  editor.focus();
}

// A page that the server has made, and that runs no script, in a tab of its own.
function openPage(app, lumino, icon, title, html) {
  const isLight = document.body.dataset.jpThemeLight !== "false";
  const frame = document.createElement("iframe");
  frame.className = "mlkit-page";
  frame.title = title;
  frame.setAttribute("sandbox", "");
  frame.srcdoc = html.replace(/<body(?=[\s>])/, `<body data-jp-theme-light="${isLight}"`);
  const widget = new lumino.Widget({ node: document.createElement("div") });
  widget.node.append(frame);
  widget.id = `mlkit-page-${Date.now()}`;
  widget.title.label = title;
  widget.title.icon = icon;
  widget.title.closable = true;
  app.shell.add(widget, "main");
  app.shell.activateById(widget.id);
}
