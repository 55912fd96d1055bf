// The desk by keyboard: "/" searches, "j" and "k" go through the list that is open, "?" says so.

import { h } from "./dom.js";

const KEYS = { "/": "Search", j: "The next entry of the list", k: "The one before", Enter: "Open it", "?": "This list" };

const isTyping = (target) => target.closest?.("input, textarea, select, [contenteditable], dialog[open]") !== null;
const entries = () => [...document.querySelectorAll("main table.list tbody th a, main ul.list > li h2 a")];

function move(step) {
  const all = entries();
  const place = all.indexOf(document.activeElement);
  all[Math.max(0, Math.min(all.length - 1, place < 0 ? 0 : place + step))]?.focus();
}

function help() {
  const dialog = h(
    "dialog",
    { "aria-labelledby": "dialog-title" },
    h("h2", { id: "dialog-title" }, "By keyboard"),
    h(
      "dl",
      { class: "facts" },
      Object.entries(KEYS).map(([key, does]) => [h("dt", {}, h("kbd", {}, key)), h("dd", {}, does)]),
    ),
    h("form", { method: "dialog", class: "row" }, h("button", { class: "main" }, "Close")),
  );
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}

const DOES = {
  "/": () => document.querySelector("[role=search] input")?.focus(),
  j: () => move(1),
  k: () => move(-1),
  "?": help,
};

/** Listens from now on. */
export function listen() {
  addEventListener("keydown", (event) => {
    const act = DOES[event.key];
    if (!act || event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
    event.preventDefault();
    act();
  });
}
