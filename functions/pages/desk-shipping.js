// The queue of what is to be shipped: orders that wait for their warehouse to hand over parcels.

import { get } from "./api.js";
import { cards } from "./desk-list.js";
import { orderHref, shortId, statusPill } from "./desk-words.js";
import { h, parts } from "./dom.js";
import { ago, full } from "./format.js";

const PAGE = 50;

export function show(host, _argument, desk) {
  const part = parts(host);
  part("title", null, () => [
    h("h1", {}, "To ship"),
    h("p", { class: "quiet" }, "Orders that wait for their warehouse to hand over parcels, the oldest first."),
  ]);

  async function load() {
    const { orders, next_cursor: more } = await get(`/orders?to_ship=true&limit=${PAGE}`);
    part("list", orders, () => cards(orders, { kind: "shipping", empty: "Nothing is to be shipped.", card: toShip }));
    part("more", more, () => more && h("p", { class: "small quiet" }, `The first ${PAGE} are shown; there are more.`));
  }

  return desk.watch(load);
}

function toShip({ order_id: id, customer_id: customer, status, items, created_at: placed }) {
  const left = items
    .map((item) => [item.quantity - item.quantity_cancelled - item.quantity_shipped, item.name])
    .filter(([pieces]) => pieces > 0);
  return {
    title: [h("a", { href: orderHref(id) }, customer)],
    lines: [
      h("p", {}, left.map(([pieces, name]) => `${pieces} × ${name}`).join(", "), " ", statusPill(status)),
      h(
        "p",
        { class: "small quiet" },
        h("code", {}, shortId(id)),
        " · placed ",
        h("time", { datetime: placed, title: full(placed) }, ago(placed)),
      ),
    ],
    actions: [],
  };
}
