// The manual review queue.

import { get } from "./api.js";
import { decide } from "./desk-actions.js";
import { cards } from "./desk-list.js";
import { orderHref, shortId } from "./desk-words.js";
import { h, parts } from "./dom.js";
import { ago, arrival, full, money } from "./format.js";

const MOST_PAGES = 5;

export function show(host, _argument, desk) {
  const part = parts(host);
  part("title", null, () => [
    h("h1", {}, "Reviews"),
    h("p", { class: "quiet" }, "Orders that need a manual approval. Without a decision in time they are cancelled."),
  ]);

  async function load() {
    part("list", await queue(), (orders) =>
      cards(orders, { kind: "reviews", empty: "There is nothing to review.", card: (order) => review(order, load) }),
    );
  }

  return desk.watch(load);
}

/** Every order that waits for its review, the one whose time ends first at the top. */
async function queue() {
  const waiting = [];
  let cursor = null;
  for (let page = 0; page < MOST_PAGES; page += 1) {
    const found = await get(`/orders?status=PENDING&limit=100${cursor ? `&cursor=${encodeURIComponent(cursor)}` : ""}`);
    waiting.push(...found.orders.filter((order) => order.approval?.status === "PENDING"));
    cursor = found.next_cursor;
    if (!cursor) break;
  }
  return waiting.sort((one, other) => one.approval.expires_at.localeCompare(other.approval.expires_at));
}

const review = (order, reload) => ({
  title: [h("a", { href: orderHref(order.order_id) }, money(order.total)), ` for ${order.customer_id}`],
  lines: [
    h("p", {}, order.items.map((item) => `${item.quantity} × ${item.name}`).join(", ")),
    h(
      "p",
      { class: "small quiet" },
      h("code", {}, shortId(order.order_id)),
      ` · placed ${ago(order.created_at)}${destination(order.shipping_address)}`,
    ),
    h("p", { class: "small" }, "Time to answer ends ", untilWhen(order.approval.expires_at)),
  ],
  actions: decide(order, reload),
});

const untilWhen = (time) => h("time", { datetime: time, title: full(time) }, arrival(time));

/** Where it goes, of an order of which something is sent. */
function destination(address) {
  return address ? ` · to ${[address.city, address.country].filter(Boolean).join(", ")}` : "";
}
