// Asks the server extension. JupyterLab's own connection knows the base URL, the token, and what
// protects against forged requests.
export class Server {
  constructor({ ServerConnection, URLExt }) {
    this._connection = ServerConnection;
    this._settings = ServerConnection.makeSettings();
    this._join = URLExt.join;
  }

  async get(name, query = {}) {
    const words = new URLSearchParams();
    for (const [key, value] of Object.entries(query)) {
      for (const each of [value].flat()) words.append(key, each);
    }
    return this._ask(`${name}?${words}`, { method: "GET" });
  }

  async post(name, content, signal) {
    return this._ask(name, { method: "POST", body: JSON.stringify(content), signal });
  }

  async _ask(address, init) {
    const url = this._join(this._settings.baseUrl, "mlkit/api", address);
    const answer = await this._connection.makeRequest(url, init, this._settings);
    const text = await answer.text();
    let content = {};
    try {
      content = JSON.parse(text);
    } catch {
      content = { message: text.slice(0, 300) };
    }
    if (answer.ok && !content.error) return content;
    const error = content.error ?? { message: content.message || answer.statusText };
    throw new Refusal(error);
  }
}

// What the server says is wrong: a message, and where they are known a place and a remedy.
export class Refusal extends Error {
  constructor(error) {
    super(error.message);
    this.error = error;
  }
}
