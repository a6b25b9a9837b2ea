// The plugins: the panel at the left, its commands, and what they need of JupyterLab.
import { addBar, addLiveBar } from "./bar.js";
import { RealInputs } from "./inputs.js";
import { Marks } from "./marks.js";
import { PipelinePanel } from "./panel.js";
import { Server } from "./server.js";

const ID = "mlkit-pipelines";
const CATEGORY = "Pipelines";
const LIVE = /(^|\/)debug\/[^/]+-live-\d+\//; // where the notebook of a kept kernel lies
const ICON = `<svg xmlns="http://www.w3.org/2000/svg" width="16" viewBox="0 0 24 24">
  <g class="jp-icon3 jp-icon-selectable" fill="#616161">
    <circle cx="5" cy="5" r="3"/><circle cx="19" cy="5" r="3"/><circle cx="12" cy="19" r="3"/>
    <path d="M5 7 L12 17 M19 7 L12 17" stroke="#616161" stroke-width="2" fill="none" class="jp-icon3-stroke"/>
  </g></svg>`;

// Gives the plugins. `shared` gives JupyterLab's own copy of a package.
export async function plugins(shared) {
  const [application, apputils, coreutils, files, editing, launching, notebooks, services, statedb, ui, lumino] = await Promise.all([
    "@jupyterlab/application", "@jupyterlab/apputils", "@jupyterlab/coreutils", "@jupyterlab/filebrowser", "@jupyterlab/fileeditor",
    "@jupyterlab/launcher", "@jupyterlab/notebook", "@jupyterlab/services", "@jupyterlab/statedb",
    "@jupyterlab/ui-components", "@lumino/widgets",
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
    requires: [notebooks.INotebookTracker],
    optional: [
      application.ILayoutRestorer, apputils.ICommandPalette, statedb.IStateDB, launching.ILauncher,
      files.IDefaultFileBrowser, editing.IEditorTracker,
    ],
    activate: (app, tracker, restorer, palette, state, launcher, browser, editors) => {
      const server = new Server({ ServerConnection, URLExt });
      const inputs = new RealInputs(notebooks);
      const marks = new Marks(shared, server);
      void addStyle(server);
      editors?.widgetAdded.connect((_, editor) => void marks.follow(editor));
      editors?.forEach((editor) => void marks.follow(editor));
      app.shell.currentChanged?.connect(() => void marks.look());
      const needs = {
        server,
        problemChanged: () => void marks.look(),
        open: (path) => app.commands.execute("docmanager:open", { path }),
        openAt: (path, line) => openAt(app, path, line),
        openPage: (title, html) => openPage(app, lumino, icon, title, html),
        edit: async (asked) => {
          const given = await server.post("edit", asked);
          inputs.hold(await openOn(app, given.path, given.kernel), given.cell);
          return given;
        },
        attach: async (asked) => {
          const given = await server.post("attach", asked);
          const { content } = await openOn(app, given.path, given.kernel);
          const at = content.widgets.findIndex((cell) => cell.model.id === given.at);
          if (at >= 0) {
            content.activeCellIndex = at;
            await content.scrollToItem(at, "center");
          }
          return given;
        },
      };
      needs.takeOver = async ({ source, ...asked }) => {
        const open = [...app.shell.widgets("main")].filter((each) => each.context?.path);
        for (const { context } of open) {
          const isLive = LIVE.test(context.path) && context.path.includes(`debug/${asked.run}-`);
          if (isLive && context.model.dirty) await context.save(); // what is seen is what is taken
        }
        const given = await server.post("take-over", asked);
        const shown = given.changed && open.find(({ context }) => context.path === source);
        if (!shown) return given;
        if (shown.context.model.dirty) return { ...given, isStale: true };
        await shown.context.revert();
        return given;
      };
      const widget = new PanelWidget(ID, needs);
      app.shell.add(widget, "left", { rank: 600 });
      restorer?.add(widget, ID);
      let copies = 0;
      // The panel that a command is meant for: the one in front, if one is, else that at the left.
      const current = () => (app.shell.currentWidget instanceof PanelWidget ? app.shell.currentWidget : widget);
      const key = "mlkit:pipeline";
      needs.makeNew = () => app.commands.execute("mlkit:new");
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
      add("mlkit:show", "Show pipelines", () => {
        // The palette gives the focus back to what was in front, some messages later: it is asked for
        // again then, unless somebody has gone elsewhere meanwhile.
        const until = new AbortController();
        const heed = (kind, listener) => document.addEventListener(kind, listener, { capture: true, signal: until.signal });
        heed("focusin", ({ target }) => { if (!widget.node.contains(target)) app.shell.activateById(ID); });
        heed("pointerdown", () => until.abort());
        heed("keydown", () => until.abort());
        setTimeout(() => until.abort(), 3000);
        app.shell.activateById(ID);
      });
      add("mlkit:open", "Open the pipeline in a tab", () => {
        const copy = new PanelWidget(`${ID}-${++copies}`, needs);
        copy.title.label = "Pipeline";
        copy.title.closable = true;
        void copy.panel.refresh(widget.panel.path);
        app.shell.add(copy, "main");
        app.shell.activateById(copy.id);
      });
      tracker.widgetAdded.connect((_, notebook) => {
        marks.heed(notebook);
        if (LIVE.test(notebook.context.path)) {
          withoutDebugger(notebook.sessionContext);
          addLiveBar(lumino, notebook);
        }
        void addBar(server, lumino, notebook, {
          edit: needs.edit,
          run: async ({ path, stage }) => {
            app.shell.activateById(ID);
            if (widget.panel.path !== path) await widget.panel.refresh(path);
            await widget.panel.run({ until: stage });
          },
        });
      });
      const make = async (ask, placeholder, notebook) => {
        const here = browser?.model.path ?? "";
        const { value } = await apputils.InputDialog.getText({ title: ask, placeholder, text: placeholder });
        if (!value) return;
        const path = URLExt.join(here, value);
        app.shell.activateById(ID);
        await widget.panel.make({ path, notebook });
      };
      add("mlkit:new", "New pipeline", () => make("Name of the new pipeline's folder", "pipeline"));
      add("mlkit:convert", "Convert this notebook into a pipeline", async () => {
        const context = tracker.currentWidget?.context;
        const open = context?.path;
        const chosen = [...(browser?.selectedItems() ?? [])].find((item) => item.type === "notebook")?.path;
        const notebook = open ?? chosen;
        if (!notebook) {
          apputils.Notification.info("Open a notebook, or choose one in the file browser, to convert it.");
          return undefined;
        }
        if (open && context.model.dirty) await context.save();
        const name = notebook.split("/").pop().replace(/\.[^.]*$/, "");
        return make(`Folder for the pipeline of ${notebook}`, `${name}-pipeline`, notebook);
      });
      for (const [rank, command] of ["mlkit:new", "mlkit:convert"].entries()) {
        launcher?.add({ command, category: CATEGORY, rank });
      }
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
  const place = { line: at, column: Math.max(0, editor.getLine(at).search(/\S/)) };
  editor.setSelection({ start: place, end: place });
  editor.revealPosition(place);
  editor.focus();
}

// A notebook, on a kernel that the server has for it, in place of one that it has already.
async function openOn(app, path, id) {
  const { sessions } = app.serviceManager;
  const isOpen = [...app.shell.widgets("main")].some((each) => each.context?.path === path);
  await sessions.refreshRunning();
  for (const each of isOpen ? [] : [...sessions.running()]) {
    if (each.path === path && each.kernel?.id !== id) await sessions.shutdown(each.id);
  }
  const factory = path.endsWith(".ipynb") ? undefined : "Jupytext Notebook";
  const widget = await app.commands.execute("docmanager:open", { path, factory, kernel: { id } });
  await widget.context.ready;
  await widget.revealed;
  const { sessionContext } = widget;
  await sessionContext.ready;
  if (sessionContext.session?.kernel?.id !== id) await sessionContext.changeKernel({ id });
  await sessionContext.session.kernel.info;
  return widget;
}

// A kernel that was forked has no debugger, whatever its specification says, and answers questions
// to it with nothing, which JupyterLab reports as an error: here nobody asks the kernel.
function withoutDebugger(sessionContext) {
  const body = { isStarted: false, breakpoints: [], stoppedThreads: [], hashMethod: "Murmur2", hashSeed: 0, tmpFilePrefix: "", tmpFileSuffix: "", richRendering: false, exceptionPaths: [] };
  sessionContext.kernelChanged.connect((_, { newValue: kernel }) => {
    if (!kernel) return;
    kernel.requestDebug = (content) => ({
      set onReply(told) {
        told({ content: { type: "response", success: true, seq: content.seq, request_seq: content.seq, command: content.command, body } });
      },
      done: Promise.resolve(),
      dispose() {},
    });
  });
}

// A page that the server has made, and that runs no script, in a tab of its own.
function openPage(app, lumino, icon, title, html) {
  const isLight = document.body.dataset.jpThemeLight !== "false";
  const frame = document.createElement("iframe");
  frame.className = "mlkit-page";
  frame.title = title;
  frame.setAttribute("sandbox", "");
  // Such a page follows the system's theme, and here JupyterLab's, which may be another.
  const page = html.replaceAll("@media (prefers-color-scheme: dark)", isLight ? "@media not all" : "@media all");
  frame.srcdoc = page.replace(/<body(?=[\s>])/, `<body data-jp-theme-light="${isLight}"`);
  const widget = new lumino.Widget({ node: document.createElement("div") });
  widget.onActivateRequest = () => frame.focus(); // else commands are meant for what was in front before
  widget.node.append(frame);
  widget.id = `mlkit-page-${Date.now()}`;
  widget.title.label = title;
  widget.title.icon = icon;
  widget.title.closable = true;
  app.shell.add(widget, "main");
  app.shell.activateById(widget.id);
}
