// What JupyterLab loads first. It is written by hand, and nothing builds it: JupyterLab asks every
// extension for a container with `init` and `get`, as webpack's module federation has them.
(() => {
  // Only while this script is run does the page know where it comes from.
  const here = document.currentScript.src;
  let scope = {};

  // JupyterLab's own copy of a package: the one that is in use already, else the newest.
  async function shared(name) {
    const offers = Object.entries(scope[name] ?? {});
    if (offers.length === 0) throw new Error(`mlkit: JupyterLab does not share ${name}`);
    const order = new Intl.Collator("en", { numeric: true });
    offers.sort(([a, one], [b, other]) =>
      Number(Boolean(other.loaded)) - Number(Boolean(one.loaded)) || order.compare(b, a));
    return (await offers[0][1].get())();
  }

  const container = {
    init(offered) {
      scope = offered;
    },
    async get(module) {
      if (module !== "./extension") throw new Error(`mlkit has no ${module}`);
      const { plugins } = await import(new URL("extension.js", here).href);
      const found = { __esModule: true, default: await plugins(shared) };
      return () => found;
    },
  };
  window._JUPYTERLAB = window._JUPYTERLAB ?? {};
  window._JUPYTERLAB.mlkit = container;
})();
