// Waits for news of one pipeline as long as somebody looks at it.
export class Following {
  constructor(server, told) {
    this._server = server;
    this._told = told;
    this._abort = null;
  }

  // Follow what `asked` says ({ path, parameters, profile, run }) instead of what was followed.
  start(asked) {
    this.stop();
    const abort = new AbortController();
    this._abort = abort;
    void this._wait(asked, abort.signal);
  }

  stop() {
    this._abort?.abort();
    this._abort = null;
  }

  async _wait(asked, signal) {
    let seen = {};
    while (!signal.aborted) {
      try {
        const news = await this._server.post("follow", { ...asked, ...seen }, signal);
        if (signal.aborted) return;
        seen = { epoch: news.epoch, tag: news.tag, number: news.number };
        this._told(news, null);
      } catch (error) {
        if (signal.aborted) return;
        this._told({}, error); // the server is gone, or refuses: it is asked again
        await new Promise((resolve) => setTimeout(resolve, 3000));
      }
    }
  }
}
