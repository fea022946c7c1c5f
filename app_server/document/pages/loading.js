// The beginning of a page. It opens the socket and asks for the document before BokehJS is there to do so, and loads the
// parts of BokehJS that the document does not need at first. `parts` are those, in order: name and address, the pattern of the messages
// that need the part, and the numbers of the parts that have to be there before it. `patience_ms` after the page was
// loaded, the rest is loaded whether the document was drawn or not, and a socket that was not asked for is closed.
((token, app_path, parts, patience_ms) => {
  "use strict";
  // A policy that allows this script by its nonce allows the others by the same one.
  const nonce = document.currentScript?.nonce ?? "";
  const BrowserSocket = window.WebSocket;
  // The protocol of a socket that is sent the document without asking, and the id of the request that it answers.
  const WITH_DOCUMENT = "bokeh-document";
  const EARLY_REQUEST = "early";
  const MOST_UNREAD_BYTES = 8e6;
  const TRIES_AT_ONCE = 3;
  const PAUSE_MS = 30_000;
  const missing = new Set(parts);
  const loading = new Map();
  const failures = new Map();

  // Parts are loaded once, as soon as one is needed or the document was drawn.

  function run(url, priority) {
    return new Promise((resolve, reject) => {
      const script = document.createElement("script");
      // A proxy's own page in place of the script, or a piece of it, is loaded like any script; it fails when it runs.
      const failed = (event) => event.filename === script.src && reject(event.error);
      const ended = (settle) => (event) => {
        removeEventListener("error", failed);
        settle(event);
      };
      addEventListener("error", failed);
      Object.assign(script, {src: url, nonce, async: false, fetchPriority: priority});
      Object.assign(script, {onload: ended(resolve), onerror: ended(reject)});
      document.head.append(script);
    });
  }

  async function fetched(part, priority) {
    try {
      for (const other of part.after) await load(parts[other], priority);
      // Without them it would fail when it runs, which its element does not tell.
      if (part.after.some((other) => missing.has(parts[other]))) throw new Error("what it needs is missing");
      // By another address: the browser would take what it has, which may be what has failed.
      const again = `${part.url}${part.url.includes("?") ? "&" : "?"}again`;
      await run(part.url, priority).catch(() => run(again, priority));
      if (gave_back_its_version()) await run(part.url, priority);
      if (part.name == "bokeh-mathjax") await retry_mathjax();
      missing.delete(part);
      step_back();
    } catch {
      console.error(`app-server: ${part.url} could not be loaded, and models that need it are not shown`);
      failures.set(part, (failures.get(part) ?? 0) + 1);
      if (failures.get(part) < TRIES_AT_ONCE) loading.delete(part);
      // Messages that need it may come many times a second, and go on without it meanwhile.
      else setTimeout(() => loading.delete(part), PAUSE_MS);
    }
  }

  // A script that embeds another document loads BokehJS again. The page keeps the one that it has, but parts are then
  // given to the other, which no one uses.
  function gave_back_its_version() {
    const {Bokeh} = window;
    if (Bokeh[Bokeh.version] === Bokeh) return false;
    Bokeh[Bokeh.version] = Bokeh;
    return true;
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

  // By the name of its protocol, the early socket asks for the document at once: when the browser runs BokehJS, it runs
  // nothing that could ask. BokehJS's own request is kept back, and the answer to the early one becomes the answer to it.
  // If the early one was refused, BokehJS's own is sent as if there had been no other.

  function early_request(send) {
    const kept = [];
    let greeting = 3;
    let refusal = 0;
    let answer = null;
    let rest_of_answer = 0;
    let unread_bytes = 0;
    let is_refused = false;

    // Whether BokehJS is to have a frame that has come. Between the three of the greeting and the answer, the server has
    // nothing to say but what helps a page that was cut off in the middle of a message: this one was not.
    function passes(event) {
      if (greeting-- > 0) return true;
      if (refusal-- > 0) return false;
      if (answer != null && rest_of_answer-- <= 0) unread_bytes += event.data.length ?? event.data.byteLength;
      if (answer != null || is_refused) return true;
      if (typeof event.data != "string" || !event.data.includes(`"${EARLY_REQUEST}"`)) return false;
      const {msgtype, reqid, num_buffers = 0} = JSON.parse(event.data);
      if (reqid !== EARLY_REQUEST) return false;
      if (msgtype == "PULL-DOC-REPLY") answer = event;
      else refuse();
      rest_of_answer = 2 + 2 * num_buffers;
      return answer != null;
    }

    function refuse() {
      is_refused = true;
      refusal = 2;
      for (const frame of kept.splice(0)) send(frame);
    }

    // Whether a frame that BokehJS sends is one of its request, and kept back.
    function keeps(data) {
      if (is_refused || kept.length == 3) return false;
      if (kept.length == 0 && !(typeof data == "string" && data.includes('"PULL-DOC-REQ"'))) return false;
      kept.push(data);
      return true;
    }

    // What BokehJS gets in place of an event; undefined for an answer to what it has yet to ask.
    function given(event) {
      if (event !== answer) return event;
      if (kept.length < 3) return undefined;
      const header = {...JSON.parse(answer.data), reqid: JSON.parse(kept[0]).msgid};
      return new MessageEvent("message", {data: JSON.stringify(header), origin: answer.origin});
    }

    const is_too_late = () => unread_bytes > MOST_UNREAD_BYTES;
    return {passes, keeps, given, is_too_late};
  }

  // BokehJS gets the events of its sockets from here, in their order: a message that needs a missing part waits for
  // it, and so does what comes after it.

  function gated(socket) {
    const waiting = [];
    const turns = new MessageChannel();
    const send = socket.send.bind(socket);
    let request = null;
    let taken = false;
    let has_waited = null;
    let is_stalled = false;

    function deliver() {
      const event = waiting[0];
      if (!taken || event === undefined) return;
      const given = request == null ? event : request.given(event);
      is_stalled = given === undefined;
      if (is_stalled) return;
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
      socket[`on${event.type}`]?.(given);
    }

    turns.port1.onmessage = deliver;
    socket.binaryType = "arraybuffer";
    for (const type of ["open", "message", "close", "error"]) {
      Object.defineProperty(socket, `on${type}`, {value: null, writable: true});
      socket.addEventListener(type, (event) => {
        if (type == "open" && socket.protocol == WITH_DOCUMENT) request = early_request(send);
        if (type == "message" && request?.passes(event) === false) return;
        if (!taken && request?.is_too_late()) {
          waiting.length = 0;
          socket.close();
          return;
        }
        // A socket that has closed before it was asked for is never given to BokehJS.
        if (!taken && type == "close") turns.port1.close();
        waiting.push(event);
        if (waiting.length == 1) deliver();
      });
    }
    Object.defineProperty(socket, "send", {
      value(data) {
        if (typeof data == "string" && data.includes('"document_ready"')) drawn();
        if (!request?.keeps(data)) send(data);
        else if (is_stalled) turns.port2.postMessage(null);
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
      // A page that was saved has no server, and the one of a frame's srcdoc has no address.
      const elsewhere = location.host == "" || frameElement?.dataset.absoluteUrl !== undefined;
      return elsewhere ? null : gated(new BrowserSocket(own_address, ["bokeh", token, WITH_DOCUMENT]));
    } catch {
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
      // Other documents of the page have sockets, too: the early one still waits for its own.
      const is_own = protocols[1] === token;
      const ready = is_own && url === own_address && early?.socket.readyState <= 1 ? early : null;
      const unused = is_own ? released() : null;
      // The page's address may have been changed by a script: then the early socket is not what was asked for.
      if (ready == null) unused?.close();
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
