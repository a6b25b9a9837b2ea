// Real inputs in an open notebook: what the pipeline would inject goes to the kernel right after
// the cell tagged `parameters` has run, and never into the file.
export class RealInputs {
  constructor({ NotebookActions }) {
    this._held = new Map(); // by the notebook's content: { kernel, code, isDue }
    NotebookActions.executionScheduled.connect((_, { notebook, cell }) => {
      const held = this._of(notebook);
      if (!held) return;
      if (isParameters(cell)) held.isDue = true;
      else if (held.isDue && cell.model.type === "code") this._send(notebook, held);
    });
    NotebookActions.executed.connect((_, { notebook, cell }) => {
      const held = this._of(notebook);
      if (held?.isDue && isParameters(cell)) this._send(notebook, held);
    });
  }

  // From now on `code` is what the kernel of a notebook gets behind its defaults.
  hold(panel, code) {
    const kernel = panel.sessionContext.session?.kernel;
    if (!kernel || !code) return;
    this._held.set(panel.content, { panel, kernel: kernel.id, code, isDue: false });
    panel.disposed.connect(() => this._held.delete(panel.content));
    const hasCell = panel.content.widgets.some(isParameters);
    if (!hasCell) this._send(panel.content, this._held.get(panel.content));
  }

  _of(notebook) {
    const held = this._held.get(notebook);
    return held?.panel.sessionContext.session?.kernel?.id === held?.kernel ? held : undefined;
  }

  // Kernels answer in order: sent before the next cell, it is there when that one runs.
  _send(notebook, held) {
    held.isDue = false;
    const { kernel } = held.panel.sessionContext.session;
    kernel.requestExecute({ code: held.code, silent: true, store_history: false, stop_on_error: true });
  }
}

function isParameters(cell) {
  const tags = cell.model.getMetadata("tags");
  return cell.model.type === "code" && Array.isArray(tags) && tags.includes("parameters");
}
