// Following one order: the status stream by fetch, which can carry a bearer token where EventSource cannot, with
// reconnect and Last-Event-ID; when the stream is blocked, by polling.

import { TABLES } from "./language.js";

const POLL_MILLISECONDS = 2500;
const LONGEST_PAUSE = 15000;
const HIDDEN_PAUSE = 15000;
const PATIENCE = 2;

/** Whether there is nothing more to follow. */
export const isFinal = (progress) => TABLES.ended.includes(progress.overall_status);

/** Parses what an event stream sends, piece by piece. */
function parser(onEvent, onRetry) {
  let rest = "";
  let event = {};
  return (text) => {
    const lines = (rest + text).split(/\r?\n/);
    rest = lines.pop();
    for (const line of lines) {
      if (line === "") {
        if (event.data !== undefined) onEvent(event);
        event = {};
        continue;
      }
      const [, name, value] = /^([^:]*):? ?(.*)$/.exec(line);
      if (name === "retry" && /^\d+$/.test(value)) onRetry(Number(value));
      else if (name === "data") event.data = event.data === undefined ? value : `${event.data}\n${value}`;
      else if (name === "id" || name === "event") event[name] = value;
    }
  };
}

/** Waits, at most until the page is visible again or the network is back. */
function pause(milliseconds) {
  return new Promise((done) => {
    const over = () => {
      clearTimeout(timer);
      document.removeEventListener("visibilitychange", woken);
      removeEventListener("online", over);
      done();
    };
    const woken = () => document.hidden || over();
    const timer = setTimeout(over, document.hidden ? Math.max(milliseconds, HIDDEN_PAUSE) : milliseconds);
    document.addEventListener("visibilitychange", woken);
    addEventListener("online", over);
  });
}

/**
 * Follows until the order is over or `stop` is called.
 *
 * `request()` returns { url, headers }; `seen` is the version the page shows already; `onChange()` is called after each
 * response that holds a change; `poll()` asks without the stream and returns whether the order is over; `onState` is called
 * with "live", "polling", "reconnecting", "over" or "refused", and the time of the last response.
 */
export function follow({ request, seen, onChange, poll, onState }) {
  let lastId = seen ? String(seen) : null;
  let retry = 1000;
  let failures = 0;
  let stopped = false;
  const aborter = new AbortController();

  async function listen() {
    const { url, headers } = await request();
    const sent = { ...headers, accept: "text/event-stream", ...(lastId ? { "last-event-id": lastId } : {}) };
    const response = await fetch(url, { headers: sent, signal: aborter.signal, cache: "no-store" });
    if (response.status === 204) return "over";
    if ([401, 403, 404].includes(response.status)) return "refused";
    if (!response.ok || !response.headers.get("content-type")?.startsWith("text/event-stream"))
      throw new Error(`${response.status}`);
    let changes = 0;
    const feed = parser(
      (event) => {
        changes += 1;
        lastId = event.id ?? lastId;
      },
      (milliseconds) => {
        retry = milliseconds;
      },
    );
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    for (let piece = await reader.read(); !piece.done; piece = await reader.read()) feed(piece.value);
    if (changes) await onChange();
    return "live";
  }

  async function fallBack() {
    onState("reconnecting");
    if (failures < PATIENCE) return false;
    try {
      const over = await poll();
      onState(over ? "over" : "polling", new Date());
      return over;
    } catch {
      return false;
    }
  }

  async function run() {
    while (!stopped) {
      let wait;
      try {
        const state = await listen();
        failures = 0;
        onState(state, new Date());
        if (state !== "live") return;
        wait = retry;
      } catch {
        if (stopped) return;
        failures += 1;
        if (await fallBack()) return;
        wait = failures < PATIENCE ? retry : Math.min(POLL_MILLISECONDS * 1.3 ** (failures - PATIENCE), LONGEST_PAUSE);
      }
      await pause(wait);
    }
  }

  run();
  return () => {
    stopped = true;
    aborter.abort();
  };
}
