// The queue of shortages: orders of which a part is out of stock, and whose customers are asked what to do.

import { get } from "./api.js";
import { answerShortage } from "./desk-actions.js";
import { cards, counted } from "./desk-list.js";
import { orderHref, shortId } from "./desk-words.js";
import { h, parts } from "./dom.js";
import { ago, arrival, full, money } from "./format.js";

const PAGE = 100;

export function show(host, _argument, desk) {
  const part = parts(host);

  async function load() {
    const { orders, next_cursor: more } = await get(`/orders?shortage_status=asked&limit=${PAGE}`);
    part("title", [orders.length, more], ([count]) => [
      h("h1", {}, counted("Shortages", count, more)),
      h("p", { class: "quiet" }, "Orders that wait for their customers: what is there is reserved. Silence cancels them."),
    ]);
    part("list", soonestFirst(orders), (waiting) =>
      cards(waiting, { kind: "shortages", empty: "No customer is asked.", card: (order) => shortage(order, load) }),
    );
  }

  return desk.watch(load);
}

const soonestFirst = (orders) =>
  orders
    .filter((order) => order.shortage)
    .sort((one, other) => one.shortage.expires_at.localeCompare(other.shortage.expires_at));

function shortage(order, reload) {
  const { missing, expires_at: until } = order.shortage;
  const nameOf = (id) => order.items.find((item) => item.line_id === id).name;
  const wanted = (id) => order.items.find((item) => item.line_id === id).quantity;
  return {
    title: [h("a", { href: orderHref(order.order_id) }, money(order.total)), ` for ${order.customer_id}`],
    lines: [
      h("p", {}, missing.map((one) => `${one.quantity} of ${wanted(one.line_id)} × ${nameOf(one.line_id)} missing`).join(", ")),
      h("p", { class: "small quiet" }, h("code", {}, shortId(order.order_id)), ` · placed ${ago(order.created_at)}`),
      h("p", { class: "small" }, "Time to answer ends ", h("time", { datetime: until, title: full(until) }, arrival(until))),
    ],
    actions: answerShortage(order, reload),
  };
}
