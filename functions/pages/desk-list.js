// Every list of the desk: orders as a table, reviews and webhooks as cards, deliveries as rows within a card.

import { h } from "./dom.js";

/** The content of an empty list: a sentence or an element, or nothing. */
function nothing(empty, isWithin) {
  if (empty === undefined) return null;
  return empty instanceof Node ? empty : h("p", { class: isWithin ? "quiet" : "card quiet" }, empty);
}

/** A queue's name with how many wait in it; `more` is whether there are others behind these. */
export const counted = (name, count, more) => [`${name} `, h("span", { class: "count" }, `${count}${more ? "+" : ""}`)];

/** Cards: `card(thing)` returns { title, lines, actions, below }, the actions beside what is said. */
export const cards = (things, { kind, empty, card }) =>
  things.length
    ? h(
        "ul",
        { class: `list ${kind}` },
        things.map((thing) => drawCard(card(thing))),
      )
    : nothing(empty);

const drawCard = ({ title, lines, actions, below }) =>
  h(
    "li",
    { class: "card" },
    h("div", { class: "said" }, h("h2", {}, title), lines),
    h("div", { class: "row" }, actions),
    below && h("div", { class: "below" }, below),
  );

/** Rows within a card: `row(thing)` returns a row's cells. */
export const rows = (things, { kind, empty, row }) =>
  things.length
    ? h(
        "ul",
        { class: `list rows ${kind}` },
        things.map((thing) => h("li", {}, row(thing))),
      )
    : nothing(empty, true);

/**
 * A table: `columns` are [{ head, kind, cell }], and `cell(thing)` returns what the column says of it; the first names the row.
 * In a narrow window each row is a block, and each of its lines begins with the column's head.
 */
export const table = (things, { kind, empty, columns }) =>
  things.length
    ? h(
        "table",
        { class: `list ${kind}` },
        h(
          "thead",
          {},
          h(
            "tr",
            {},
            columns.map((column) => h("th", { scope: "col", class: column.kind }, column.head)),
          ),
        ),
        h(
          "tbody",
          {},
          things.map((thing) =>
            h(
              "tr",
              {},
              columns.map((column, place) => drawCell(column, place, thing)),
            ),
          ),
        ),
      )
    : nothing(empty);

const drawCell = ({ head, kind, cell }, place, thing) =>
  place === 0 ? h("th", { scope: "row" }, cell(thing)) : h("td", { "data-head": head, class: kind }, cell(thing));
