// The catalog: what can be ordered, what is reserved, what is on hand and what is sold of each product.

import { get } from "./api.js";
import { table } from "./desk-list.js";
import { h, parts } from "./dom.js";
import { money } from "./format.js";

const PAGE = 50;

export function show(host, _argument, desk) {
  const part = parts(host);
  const cursors = [null];
  part("title", null, () => [
    h("h1", {}, "Products"),
    h(
      "p",
      { class: "quiet" },
      "On hand is what can be ordered and what is reserved; what is handed over is sold until it comes back.",
    ),
  ]);

  async function load() {
    const cursor = cursors.at(-1);
    const found = await get(`/stock?limit=${PAGE}${cursor ? `&cursor=${encodeURIComponent(cursor)}` : ""}`);
    part("list", found.products, (products) =>
      table(products, { kind: "products", empty: "There are none.", columns: COLUMNS }),
    );
    part("pages", { more: found.next_cursor, depth: cursors.length }, drawPages);
  }

  function drawPages({ more, depth }) {
    if (!more && depth === 1) return null;
    const turn = (change) => {
      change();
      load();
    };
    return h(
      "div",
      { class: "row pages" },
      h("button", { disabled: depth === 1, onclick: () => turn(() => cursors.pop()) }, "Back"),
      h("button", { disabled: !more, onclick: () => turn(() => cursors.push(more)) }, "More"),
    );
  }

  return desk.watch(load, 10_000);
}

const number = (head, name) => ({ head, kind: "number", cell: (product) => product[name].toLocaleString() });

const COLUMNS = [
  { head: "Product", cell: ({ name, product_id: id }) => [name, " ", h("code", { class: "small quiet" }, id)] },
  { head: "Price", kind: "number", cell: ({ unit_price: price }) => money(price) },
  number("In stock", "stock"),
  number("Reserved", "reserved"),
  number("On hand", "on_hand"),
  number("Sold", "sold"),
];
