// The beginning of a page. It opens the socket before BokehJS is there to ask for it, and loads the parts of BokehJS
// that the document does not need at first. `parts` are those, in order: name and address, the pattern of the messages
// that need the part, and the numbers of the parts that have to be there before it. `patience_ms` after the page was
// loaded, the rest is loaded whether the document was drawn or not, and a socket that was not asked for is closed.
((token, app_path, parts, patience_ms) => {
  "use strict";
  // A policy that allows this script by its nonce allows the others by the same one.
  const nonce = document.currentScript?.nonce ?? "";
  const BrowserSocket = window.WebSocket;
  const missing = new Set(parts);
  const loading = new Map();

  // Parts are loaded once, as soon as one is needed or the document was drawn.

  function run(url, priority) {
    return new Promise((resolve, reject) => {
      const script = document.createElement("script");
      Object.assign(script, {src: url, nonce, async: false, fetchPriority: priority});
      Object.assign(script, {onload: resolve, onerror: reject});
      document.head.append(script);
    });
  }

  async function fetched(part, priority) {
    try {
      for (const other of part.after) await load(parts[other], priority);
      // Without them it would fail when it runs, which its element does not tell.
      if (part.after.some((other) => missing.has(parts[other]))) throw new Error("what it needs is missing");
      await run(part.url, priority).catch(() => run(part.url, priority));
      if (part.name == "bokeh-mathjax") await retry_mathjax();
      missing.delete(part);
      step_back();
    } catch {
      loading.delete(part);
      console.error(`app-server: ${part.url} could not be loaded, and models that need it are not shown`);
    }
  }

  function load(part, priority) {
    if (!loading.has(part)) loading.set(part, fetched(part, priority));
    return loading.get(part);
  }

  // The first widget looks for MathJax, and BokehJS takes it to be missing for ever if it was not there yet.
  async function retry_mathjax() {
    const maths = Bokeh.require("models/text/providers").default_provider;
    if (maths.status == "failed") await maths.fetch();
  }

  let drawn = () => {
    drawn = () => {};
    const load_all = async () => {
      for (const part of parts) await load(part, "low");
    };
    // A page that draws all the time is never idle.
    (window.requestIdleCallback ?? setTimeout)(load_all, {timeout: 5000});
  };

  // BokehJS gets the events of its sockets from here, in their order: a message that needs a missing part waits for
  // it, and so does what comes after it.

  function gated(socket) {
    const waiting = [];
    const turns = new MessageChannel();
    const {send} = socket;
    let taken = false;
    let has_waited = null;
    let greeting = 3;

    function deliver() {
      const event = waiting[0];
      if (!taken || event === undefined) return;
      const needed = [...missing].filter((part) => typeof event.data == "string" && part.asked.test(event.data));
      if (needed.length > 0 && event !== has_waited) {
        has_waited = event;
        void Promise.all(needed.map((part) => load(part, "high"))).then(deliver);
        return;
      }
      waiting.shift();
      // Each event has a turn of its own, as the browser gives it: BokehJS continues after its promises.
      if (waiting.length > 0) turns.port2.postMessage(null);
      if (event.type == "close") turns.port1.close();
      socket[`on${event.type}`]?.(event);
    }

    turns.port1.onmessage = deliver;
    socket.binaryType = "arraybuffer";
    for (const type of ["open", "message", "close", "error"]) {
      Object.defineProperty(socket, `on${type}`, {value: null, writable: true});
      socket.addEventListener(type, (event) => {
        // Until BokehJS asks for the document, the server has nothing to say after its greeting of three frames, but
        // what helps a page that was cut off in the middle of a message: this one was not.
        if (!taken && type == "message" && greeting-- <= 0) return;
        // A socket that has closed before it was asked for is never given to BokehJS.
        if (!taken && type == "close") turns.port1.close();
        waiting.push(event);
        if (waiting.length == 1) deliver();
      });
    }
    Object.defineProperty(socket, "send", {
      value(data) {
        if (typeof data == "string" && data.includes('"document_ready"')) drawn();
        send.call(socket, data);
      },
    });
    const take = () => {
      taken = true;
      deliver();
    };
    return {socket, take};
  }

  // The socket is opened where BokehJS is going to (`_get_ws_url` in its embed/server.ts), and given to it if it asks
  // for the same one.

  function address() {
    const path = app_path == null ? location.pathname.replace(/\/+$/, "") : app_path == "/" ? "" : app_path;
    return `${location.protocol == "https:" ? "wss:" : "ws:"}//${location.host}${path}/ws${location.search}`;
  }

  function opened() {
    try {
      const elsewhere = frameElement?.dataset.absoluteUrl !== undefined;
      return elsewhere ? null : gated(new BrowserSocket(own_address, ["bokeh", token]));
    } catch {
      // A page without an address, such as one of a frame's srcdoc.
      return null;
    }
  }

  const own_address = address();
  let early = opened();

  function released() {
    const socket = early?.socket;
    early = null;
    step_back();
    return socket;
  }

  const gate = new Proxy(BrowserSocket, {
    construct(target, given, new_target) {
      const [url, protocols] = given;
      if (!Array.isArray(protocols) || protocols[0] !== "bokeh") return Reflect.construct(target, given, new_target);
      const is_own = url === own_address && protocols[1] === token;
      const ready = is_own && early?.socket.readyState <= 1 ? early : null;
      // Other documents of the page have sockets, too: the early one still waits for its own.
      if (is_own) released();
      const {socket, take} = ready ?? gated(Reflect.construct(target, given, new_target));
      queueMicrotask(take);
      return socket;
    },
  });

  function step_back() {
    if (missing.size == 0 && early == null && window.WebSocket === gate) window.WebSocket = BrowserSocket;
  }

  for (const part of parts) part.asked = new RegExp(part.asked);
  window.WebSocket = gate;
  addEventListener("load", () => setTimeout(() => {
    released()?.close();
    // Without the core, which has failed to load, they would only complain.
    if (window.Bokeh !== undefined) drawn();
  }, patience_ms));
})
