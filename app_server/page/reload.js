(() => {
  "use strict";
  const url = EVENTS_URL;
  const retry_after_ms = 500;
  let known_start = null;

  function listen() {
    const events = new EventSource(url);
    events.addEventListener("start", (event) => {
      if (known_start !== null && known_start !== event.data) location.reload();
      known_start = event.data;
    });
    events.addEventListener("reload", () => {
      events.close();
      location.reload();
    });
    // The browser's own retry waits for seconds, and gives up for good when a proxy answers for a stopped server.
    events.addEventListener("error", () => {
      events.close();
      setTimeout(listen, retry_after_ms);
    });
    // Streams of pages that were left would count against the few connections that a browser has for a server.
    addEventListener("pagehide", () => events.close(), { once: true });
  }

  listen();
})();
