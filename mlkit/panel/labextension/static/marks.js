// Marks what is wrong with a pipeline where its file is edited: the line is underlined and has a sign
// in the gutter, and the words stand below the text. F8 leads to the line.
import { h, sentence } from "./dom.js";

export class Marks {
  // `shared` gives JupyterLab's own copy of a package, `server` what is wrong with a file.
  constructor(shared, server) {
    this._shared = shared;
    this._server = server;
    this._editors = new Map(); // by the widget: what is wrong there, as it was shown last
    this._asked = 0;
  }

  // Mark a file's editor from now on, if it is a pipeline's.
  async follow(widget) {
    await widget.context.ready;
    if (!isPipeline(widget.context.path) || widget.isDisposed) return;
    this._editors.set(widget, null);
    widget.disposed.connect(() => this._editors.delete(widget));
    this.heed(widget);
    await this.look();
  }

  // A save of any document may put right, or wrong, what an open pipeline says.
  heed(widget) {
    widget.context.saveState.connect((_, state) => {
      if (state === "completed") void this.look();
    });
    widget.context.fileChanged.connect(() => void this.look());
  }

  // Ask what is wrong with each pipeline that is open, and show that.
  async look() {
    const asked = ++this._asked;
    for (const widget of [...this._editors.keys()]) {
      const { path } = widget.context;
      const { problem } = await this._server.get("problem", { path }).catch(() => ({}));
      if (asked !== this._asked) return; // a newer question is under way
      if (problem === undefined) continue;
      const all = problem ? [problem, ...problem.others] : [];
      await this._show(widget, all.filter((each) => each.path === path));
    }
  }

  async _show(widget, problems) {
    const key = JSON.stringify(problems);
    if (widget.isDisposed || this._editors.get(widget) === key) return;
    this._kit ??= kit(await this._shared("@codemirror/state"), await this._shared("@codemirror/view"));
    const { view, isNew } = this._view(widget);
    if (isNew) widget.content.editor.injectExtension(this._kit.extension);
    view.dispatch({ effects: this._kit.set.of(problems) });
    this._editors.set(widget, key);
  }

  _view(widget) {
    const view = widget.content.editor.editor;
    return { view, isNew: view.state.field(this._kit.field, false) === undefined };
  }
}

function isPipeline(path) {
  return path.split("/").pop() === "pipeline.yaml";
}

// The extension of CodeMirror that shows problems, each { line, message, remedy }.
function kit({ RangeSet, StateEffect, StateField }, { Decoration, EditorView, GutterMarker, gutter, keymap, showPanel }) {
  const set = StateEffect.define();
  // A place in the text goes with it as it is edited.
  const field = StateField.define({
    create: () => [],
    update(found, transaction) {
      for (const effect of transaction.effects) {
        if (effect.is(set)) return effect.value.map((each) => placed(transaction.state.doc, each));
      }
      return found.map((each) => ({ ...each, at: transaction.changes.mapPos(each.at) }));
    },
  });
  // Each line once, from the top: several problems may stand in one.
  const lines = (state) => {
    const found = state.field(field).map(({ at }) => state.doc.lineAt(Math.min(at, state.doc.length)));
    return [...new Map(found.map((line) => [line.from, line])).values()].sort((a, b) => a.from - b.from);
  };
  class Sign extends GutterMarker {
    toDOM() {
      return h("span", { class: "mlkit-wrong-sign", title: "What is wrong here stands below the text" }, "✗");
    }
  }
  const sign = new Sign();
  const underlined = EditorView.decorations.compute([field, "doc"], (state) => {
    const wrong = lines(state).filter((line) => line.text.trim());
    return Decoration.set(wrong.map((line) => Decoration.mark({ class: "mlkit-wrong" })
      .range(line.from + line.text.search(/\S/), line.from + line.text.trimEnd().length)));
  });
  // To one of them, or to the next one below the cursor.
  const go = (view, wanted = null) => {
    const all = lines(view.state);
    const here = view.state.doc.lineAt(view.state.selection.main.head).from;
    const at = all.find((line) => (wanted === null ? line.from > here : line.number === wanted)) ?? all[0];
    if (!at) return false;
    view.dispatch({ selection: { anchor: at.from + Math.max(0, at.text.search(/\S/)) }, scrollIntoView: true });
    view.focus();
    return true;
  };
  const panel = showPanel.compute([field], (state) => {
    const found = state.field(field);
    if (found.length === 0) return null;
    return (view) => ({
      dom: h("div", { class: "mlkit-wrong-all", role: "status" },
        ...found.map(({ problem, at }, place) => h("div", { class: "mlkit-wrong-words" },
          h("span", {}, h("span", { class: "mlkit-wrong-sign", "aria-hidden": "true" }, "✗ "), sentence(problem), " "),
          h("button", { type: "button", onclick: () => go(view, view.state.doc.lineAt(Math.min(at, view.state.doc.length)).number) },
            `Go to line ${problem.line}${place === 0 ? " (F8)" : ""}`)))),
    });
  });
  const signs = gutter({
    class: "mlkit-wrong-gutter",
    markers: (view) => RangeSet.of(lines(view.state).map((line) => sign.range(line.from))),
    lineMarkerChange: (update) => update.startState.field(field, false) !== update.state.field(field),
  });
  return { set, field, extension: [field, underlined, signs, panel, keymap.of([{ key: "F8", run: (view) => go(view) }])] };
}

function placed(doc, problem) {
  const line = Math.min(problem.line ?? 1, doc.lines);
  return { problem: { ...problem, line }, at: doc.line(line).from };
}
