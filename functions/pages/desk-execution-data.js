// What went into a state and what came out: JSON that can be copied, with what the state has changed marked.

import { COPY } from "./desk-words.js";
import { copyButton, h } from "./dom.js";

function pretty(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text; // Truncated by the service: shown as it came.
  }
}

/** A line without what only its place in the list decides. */
const bare = (line) => line.replace(/,$/, "");

/** A text of JSON under its label; lines that `before` does not have are marked. */
export function data(label, text, before = null) {
  if (text === null) return null;
  const shown = pretty(text);
  const known = before === null ? null : new Set(pretty(before).split("\n").map(bare));
  const lines = shown.split("\n").map((line) => [known && !known.has(bare(line)) ? h("mark", {}, line) : line, "\n"]);
  return h(
    "details",
    { open: true },
    h("summary", {}, label),
    copyButton(shown, COPY, { "data-key": `copy ${label}` }),
    h("pre", { tabindex: "0" }, lines),
  );
}
