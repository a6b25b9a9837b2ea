// The panel: a pipeline, its picture with live states, what would run and why, its runs.
import { h, Markup, reached, received, sentence } from "./dom.js";
import { Drawing } from "./drawing.js";
import { Following } from "./following.js";
import { Refusal } from "./server.js";
import { Zoom } from "./zoom.js";

const TYPING_MS = 400;
const HINT = "Choose a stage in the picture: click it, or go there with Tab and press Enter.";
const SIGNS = { run: "▶ run", reuse: "≡ reuse", skip: "» skip", unknown: "? unknown" };

// Fills a widget's node. `services` is what the panel needs of JupyterLab:
// { server, open(path), openAt(path, line), openPage(title, html), edit(ask), attach(ask),
// takeOver(ask), makeNew(), problemChanged() }.
export class PipelinePanel {
  constructor(node, services) {
    this._services = services;
    this._server = services.server;
    this._known = {};
    this._parameters = {};
    this._picked = null;
    this._run = null;
    this._cancelled = null;
    this._isShown = false;
    this.path = null;
    this._wanted = null;
    this.onChoice = () => {};
    this._following = new Following(this._server, (news, error) => this._take(news, error));
    node.append(this._build());
  }

  // The page's parts, top to bottom.
  _build() {
    this._choice = h("select", { class: "wide", "aria-label": "pipeline", onchange: () => this.choose(this._choice.value) });
    this._about = h("p", { class: "keep", dir: "auto" });
    this._problem = h("div", { role: "alert", class: "keep" });
    this._profile = h("select", { onchange: () => this._changed() });
    this._profileField = h("label", { class: "field", hidden: true }, "profile", this._profile);
    this._fields = h("div", { class: "fields" });
    this._form = h("details", {}, h("summary", {}, "Parameters"), this._fields);
    this._force = h("input", { type: "checkbox" });
    this._keep = h("input", { type: "checkbox" });
    this.runButton = this._button("▶ Run", () => this.run(), "act primary");
    this.resumeButton = this._button("↻ Resume", () => this.resume());
    this.cancelButton = this._button("■ Cancel", () => this.cancel());
    this.planButton = this._button("Plan", () => this.plan());
    this._status = h("p", { role: "status", "aria-live": "polite", class: "status" });
    this._bar = h("progress", { "aria-label": "stages that have finished", hidden: true });
    this._now = new Markup();
    this._note = h("p", { role: "status", class: "note keep" });
    this._newest = this._button("Back to the newest run", () => this.showRun(null));
    this._newest.hidden = true;
    this._picture = new Markup((name) => this.pick(name));
    this._zoom = new Zoom(this._picture.node);
    this._drawing = new Drawing((change) => this.draw(change), () => this._known.pipeline?.stages ?? {});
    this._drawing.listen(this._picture.node);
    this._detail = h("div", {}, h("p", { class: "mlkit-quiet" }, HINT));
    this._planBox = reached(h("div", { tabindex: "-1" }));
    this._runs = new Markup((name) => this.showRun(name));
    this._compare = this._button("Compare", () => this.compare());
    this._report = this._button("Report", () => this.report());
    this._runs.node.addEventListener("change", () => this._count());
    this._new = this._button("New pipeline …", () => this._services.makeNew(), "act primary");
    this._page = h("div", { class: "mlkit-panel mlkit-palette" },
      h("h2", { class: "keep" }, "Pipelines"),
      h("div", { class: "line keep" }, this._choice),
      this._about, this._problem, h("div", { class: "line keep first" }, this._new), this._profileField, this._form,
      h("div", { class: "line" }, this.runButton, this.resumeButton, this.cancelButton, this.planButton),
      h("div", { class: "line" },
        h("label", { class: "tick" }, this._force, "unchanged stages, too"),
        h("label", { class: "tick" }, this._keep, "keep failed kernels")),
      this._status, this._bar, this._now.node, this._note, this._newest,
      h("div", { class: "two" },
        h("section", { "aria-label": "picture", class: "picture" }, this._zoom.node, this._picture.node, this._drawing.tools, this._drawing.form),
        h("section", { "aria-label": "stage" }, this._detail)),
      h("section", { "aria-label": "plan" }, h("h3", {}, "What would run, and why"), this._planBox),
      h("section", { "aria-label": "runs" }, h("h3", {}, "Runs"), this._runs.node,
        h("div", { class: "line" }, this._compare, this._report)));
    return this._page;
  }

  _button(words, does, looks = "act") {
    const pressed = () => {
      this._note.textContent = ""; // what was said of something before
      void this._try(does);
    };
    return h("button", { type: "button", class: looks, onclick: pressed }, words);
  }

  // Do something that the server may refuse: what it says then stands in the panel.
  async _try(does) {
    try {
      this._refused = null;
      await does();
    } catch (error) {
      this._refused = error instanceof Refusal ? error.error : { message: String(error.message ?? error) };
    }
    this._tellProblem();
    if (this._refused) this._problem.scrollIntoView({ block: "nearest" }); // the button may be far below
  }

  // Looks again which pipelines there are. It may be asked for twice at once, with a wish or without.
  async refresh(wanted = null) {
    this._wanted = wanted ?? this.path ?? this._wanted;
    await this._try(async () => {
      const { pipelines } = await this._server.get("pipelines");
      const names = pipelines.map((path) => h("option", { value: path }, path.replace(/\/?pipeline\.yaml$/, "") || "pipeline.yaml"));
      this._choice.replaceChildren(...names);
      this._choice.disabled = pipelines.length === 0;
      this._page.classList.toggle("empty", pipelines.length === 0); // then there is one thing to do
      if (pipelines.length === 0) {
        this.path = null;
        this._known = {};
        this._following.stop();
        this._choice.append(h("option", {}, "no pipeline yet"));
        this._about.textContent = "There is no pipeline.yaml below this folder.";
        this._buttons();
        return;
      }
      this.choose(pipelines.includes(this._wanted) ? this._wanted : pipelines[0]);
    });
  }

  choose(path) {
    this._choice.value = path;
    if (path === this.path && this._isShown && this._following._abort) return;
    if (path !== this.path) {
      this._known = {};
      this._parameters = {};
      this._run = null;
      this._forget();
      this._drawing.close();
      this._drawing.undo.disabled = true;
      this._fields.replaceChildren();
      this._profile.replaceChildren();
      this._picture.show("");
      this._zoom.forget();
    }
    this.path = this._wanted = path;
    this.onChoice(path);
    this._follow();
  }

  // No stage is chosen any more.
  _forget() {
    this._picked = this._shownDetail = null;
    this._detail.replaceChildren(h("p", { class: "mlkit-quiet" }, HINT));
  }

  show() {
    this._isShown = true;
    if (this.path) this._follow();
    else void this.refresh();
  }

  hide() {
    this._isShown = false;
    this._following.stop();
  }

  _asked() {
    return { path: this.path, parameters: this._parameters, profile: this._profile.value || null };
  }

  _follow() {
    if (this._isShown && this.path) this._following.start({ ...this._asked(), run: this._run });
  }

  _changed() {
    clearTimeout(this._timer);
    this._timer = setTimeout(() => this._follow(), TYPING_MS);
  }

  // What the server tells: only what is new, or that it could not be asked.
  _take(news, error) {
    this._lost = error && !(error instanceof Refusal) ? error : null;
    if (error instanceof Refusal) this._known.problem = error.error;
    if ("pipeline" in news || "problem" in news) this._refused = null; // it was about what the file was
    Object.assign(this._known, news);
    if (news.pipeline) {
      this._tellPipeline(news.pipeline);
      if (this._picked && this._picked.split("[")[0] in news.pipeline.stages) void this.pick(this._picked, false);
      else if (this._picked) this._forget();
    }
    if ("picture" in news) {
      this._picture.show(news.picture ? `<div class="mlkit-scroll">${news.picture}</div>` : "");
      this._picture.mark(this._picked);
      this._zoom.fit();
    }
    if ("plan" in news) this._tellPlan(news.plan);
    if ("run" in news || "job" in news) this._tellRun();
    if ("problem" in news) this._services.problemChanged();
    if ("runs" in news || "count" in news) void this._readRuns();
    this._tellProblem();
    this._buttons();
  }

  _tellPipeline(pipeline) {
    this._about.textContent = pipeline.description;
    const profile = this._profile.value;
    this._profile.replaceChildren(
      h("option", { value: "" }, pipeline.profile && !profile ? `${pipeline.profile} (from the environment)` : "none"),
      ...pipeline.profiles.map((name) => h("option", { value: name }, name)));
    this._profile.value = pipeline.profiles.includes(profile) ? profile : "";
    this._profileField.hidden = pipeline.profiles.length === 0;
    const focused = this._fields.contains(document.activeElement) ? document.activeElement.name : null;
    this._fields.replaceChildren(...pipeline.fields.filter((field) => field.own).map((field) => this._field(field)));
    if (focused) this._fields.querySelector(`[name="${CSS.escape(focused)}"]`)?.focus();
    this._form.hidden = this._fields.childElementCount === 0;
  }

  _field({ name, label, value, choices }) {
    const given = this._parameters[name];
    const changed = () => {
      if (control.value === value) delete this._parameters[name];
      else this._parameters[name] = control.value;
      control.classList.toggle("changed", name in this._parameters);
      this._changed();
    };
    const control = choices.length
      ? h("select", { name, onchange: changed }, ...choices.map((each) => h("option", { value: each }, each)))
      : h("input", { name, type: "text", oninput: changed, spellcheck: "false", autocomplete: "off", dir: "auto" });
    control.value = given ?? value;
    control.classList.toggle("changed", given !== undefined);
    return h("label", { class: "field" }, label, control);
  }

  _tellPlan(plan) {
    if (!plan) {
      this._planBox.replaceChildren(h("p", { class: "mlkit-quiet" }, "Not known while something above is wrong."));
      return;
    }
    const counted = Object.entries(plan.counts).map(([action, count]) => `${count} ${SIGNS[action].slice(2)}`);
    const rows = plan.stages.map(({ id, action, reasons }) => h("tr", {},
      h("th", { scope: "row" }, id), h("td", {}, SIGNS[action]), h("td", {}, reasons.join("; "))));
    const head = ["stage", "action", "why"].map((word) => h("th", { scope: "col" }, word));
    this._planBox.replaceChildren(
      h("p", {}, `${counted.join(", ")}.`),
      h("div", { class: "mlkit-scroll" },
        h("table", { class: "mlkit-table plan" }, h("thead", {}, h("tr", {}, ...head)), h("tbody", {}, ...rows))),
      ...(plan.more ? [h("p", {}, `and ${plan.more} more`)] : []));
  }

  _tellRun() {
    const { run, job } = this._known;
    const isStarting = job?.running && !(run?.status === "running");
    if (!run) this._status.textContent = isStarting ? "▶ Starting …" : this._known.pipeline ? "○ It has not run yet." : "";
    else this._status.textContent = isStarting ? "▶ Starting …" : run.said;
    const isGoing = run?.status === "running";
    if (!isGoing) this._cancelled = null;
    this._bar.hidden = !isGoing;
    if (isGoing) {
      this._bar.max = Math.max(1, run.total);
      this._bar.value = run.finished;
    }
    this._now.show(isGoing ? run.going : "");
    const shown = run && this._picked && run.stages.find((stage) => stage.id === this._picked || stage.stage === this._picked);
    const state = shown ? `${run.run_id} ${shown.status} ${shown.attempts}` : "";
    if (this._picked && state !== this._state) void this.pick(this._picked, false);
    this._state = state;
  }

  _tellProblem() {
    const found = [this._refused, this._known.problem, this._known.job?.error]
      .filter(Boolean)
      .flatMap((error) => [error, ...(error.others ?? [])]);
    if (this._lost) found.push({ message: "The server does not answer; it is asked again", remedy: null });
    const told = new Set();
    const boxes = [];
    for (const error of found) {
      const words = sentence(error);
      if (told.has(words)) continue;
      told.add(words);
      const place = error.path && error.line ? `${error.path.split("/").pop()}, line ${error.line}` : null;
      boxes.push(h("div", { class: "mlkit-problem" }, `✗ ${words} `,
        place ? this._button(`Open ${place}`, () => this._services.openAt(error.path, error.line)) : null));
    }
    const key = [...told].join("\n");
    if (key === this._problemKey) return; // an alert is read out again whenever it is written
    this._problemKey = key;
    this._problem.replaceChildren(...boxes);
  }

  _buttons() {
    const { run, job, pipeline, problem } = this._known;
    const isGoing = Boolean(job?.running);
    const isAlive = isGoing || run?.status === "running";
    const isAsked = isGoing ? job.cancelled : run?.run_id === this._cancelled;
    this.runButton.disabled = isGoing || !pipeline || Boolean(problem);
    this.planButton.disabled = !pipeline;
    this.cancelButton.disabled = !isAlive || isAsked;
    this.resumeButton.disabled = isGoing || !["failed", "killed", "cancelled"].includes(run?.status);
    this._newest.hidden = this._run === null;
    this._report.disabled = !run;
    this._report.title = run ? `the report of run ${run.run_id}` : "";
    this._count();
  }

  _count() {
    this._compare.disabled = this._ticked().length < 2;
  }

  _ticked() {
    return [...this._runs.node.querySelectorAll("[data-compare]:checked")].map((tick) => tick.dataset.compare);
  }

  async _readRuns() {
    const { path } = this;
    await this._try(async () => {
      const { html } = await this._server.get("runs", { path });
      if (path !== this.path) return;
      const ticked = this._ticked();
      this._runs.show(html);
      for (const name of ticked) {
        const tick = this._runs.node.querySelector(`[data-compare="${CSS.escape(name)}"]`);
        if (tick) tick.checked = true;
      }
      this._runs.mark(this._run ?? this._known.run?.run_id);
      this._count();
    });
  }

  // What buttons, commands and the picture do.

  async run(options = {}) {
    await this._server.post("start", {
      ...this._asked(),
      force: this._force.checked,
      keep_failed: this._keep.checked,
      ...options,
    });
    this.showRun(null);
  }

  async resume() {
    const { run } = this._known;
    if (run) await this._server.post("start", { ...this._asked(), resume: run.run_id, keep_failed: this._keep.checked });
  }

  async cancel() {
    const run = this._known.run?.run_id;
    await this._server.post("cancel", { path: this.path, run });
    this._cancelled = run; // it ends in order, which may take a moment
    this._buttons();
  }

  plan() {
    this._planBox.scrollIntoView({ block: "nearest" });
    this._planBox.focus();
  }

  showRun(name) {
    this._run = name;
    this._runs.mark(name ?? this._known.run?.run_id);
    this._newest.hidden = name === null;
    this._follow();
  }

  async compare() {
    const { html } = await this._server.get("compare", { path: this.path, run: this._ticked() });
    this._services.openPage(`Runs of ${this._known.pipeline?.name ?? this.path}`, html);
  }

  // Of the run that is shown.
  async report() {
    const run = this._known.run?.run_id;
    const { html } = await this._server.get("report", { path: this.path, run });
    this._services.openPage(`Report ${run}`, html);
  }

  async pick(name, isNew = true) {
    this._picked = name;
    this._picture.mark(name);
    if (isNew) this._zoom.reveal(name);
    const { run } = this._known;
    const stage = name.split("[")[0];
    const about = this._known.pipeline?.stages[stage];
    let detail = { html: "<p>It has not run yet.</p>", kept: false };
    await this._try(async () => {
      if (run) detail = await this._server.get("stage", { path: this.path, run: run.run_id, stage: name });
    });
    if (this._picked !== name) return;
    if (isNew || !this._shownDetail || this._shownDetail.name !== name) {
      const markup = new Markup((instance) => void this.pick(instance));
      this._shownDetail = { name, markup, buttons: h("div", { class: "line" }) };
      this._detail.replaceChildren(h("div", { class: "detail" }, h("h3", {}, run ? "Stage" : `Stage ${name}`), this._shownDetail.buttons, markup.node));
    }
    const { markup, buttons } = this._shownDetail;
    markup.show(detail.html);
    const actions = [
      about?.notebook ? this._button("Open source", () => this._services.open(about.notebook)) : null,
      about?.notebook ? this._button("Real inputs", () => this.edit(name)) : null,
      this._button("Run up to here", () => this.run({ until: name })),
      ...(detail.kept ? this._alive(run.run_id, name) : []),
      ...this._drawing.buttons(stage),
    ];
    const focused = buttons.contains(document.activeElement) ? document.activeElement.textContent : null;
    buttons.replaceChildren(...actions.filter(Boolean));
    for (const button of buttons.children) if (button.textContent === focused) button.focus();
    if (isNew) this._detail.scrollIntoView({ block: "nearest" });
  }

  // Change pipeline.yaml; gives nothing where it was refused.
  async draw(change) {
    let made = null;
    this._note.textContent = "";
    await this._try(async () => {
      made = await this._server.post("draw", { path: this.path, ...change });
    });
    return made;
  }

  // A first pipeline in a folder, or one of a notebook.
  async make({ path, notebook }) {
    this._note.textContent = notebook ? `▶ ${notebook} becomes a pipeline; its cells run, to compare …` : `▶ ${path} is made …`;
    await this._try(async () => {
      try {
        const made = await this._server.post("make", { path, notebook });
        await this.refresh(made.path);
        this._note.textContent = `✓ ${made.path} is there. ${made.said}`;
      } catch (error) {
        this._note.textContent = "";
        throw error;
      }
    });
  }

  // The source on a kernel that has what the pipeline would hand over.
  async edit(name) {
    this._note.textContent = "▶ Bringing what it reads up to date …";
    try {
      const { stage } = await this._services.edit({ ...this._asked(), stage: name });
      this._note.textContent = received(stage);
    } catch (error) {
      this._note.textContent = "";
      throw error;
    }
  }

  // What can be done with a kernel that was kept.
  _alive(run, stage) {
    const { path } = this;
    return [
      this._button("Go on where it failed", async () => {
        const { until, raised } = await this._services.attach({ path, run, stage });
        this._note.textContent = `${stage} stands where it failed (${raised}), with all its variables; kept until ${until}.`;
      }),
      this._button("Take over into the source", async () => {
        this._note.textContent = "";
        const source = this._known.pipeline?.stages[stage.split("[")[0]]?.notebook;
        const { notebook, changed, isStale } = await this._services.takeOver({ path, run, stage, source });
        const reload = isStale ? " It is open with unsaved changes: reload it from disk to see it." : "";
        this._note.textContent = changed
          ? `${notebook} has what you corrected; the next run starts the stage again.${reload}`
          : `${notebook} has it already.`;
      }),
    ];
  }
}
