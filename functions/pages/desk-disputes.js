// The queue of disputed payments: the customer's bank asks for the money back, and people give evidence at the provider.

import { get } from "./api.js";
import { cards } from "./desk-list.js";
import { orderHref, shortId, statusPill } from "./desk-words.js";
import { h, parts } from "./dom.js";
import { ago, full, money } from "./format.js";

const PAGE = 50;

export function show(host, _argument, desk) {
  const part = parts(host);
  part("title", null, () => [
    h("h1", {}, "Disputes"),
    h(
      "p",
      { class: "quiet" },
      "A customer's bank asks for the money back. Nothing is refunded until the bank has decided: answer it at the provider.",
    ),
  ]);

  async function load() {
    const { orders, next_cursor: more } = await get(`/orders?dispute_status=open&expand=payment,shipments&limit=${PAGE}`);
    part("list", orders, () => cards(orders, { kind: "disputes", empty: "No payment is disputed.", card: disputed }));
    part("more", more, () => more && h("p", { class: "small quiet" }, `The last ${PAGE} are shown; there are more.`));
  }

  return desk.watch(load);
}

function disputed({ order_id: id, customer_id: customer, status, payment, shipments }) {
  const { reason, amount, opened_at: at } = payment.dispute;
  const numbers = shipments.map((one) => one.tracking_number).filter(Boolean);
  return {
    title: [h("a", { href: orderHref(id) }, money(amount ?? payment.amount)), ` of ${customer}`],
    lines: [
      h("p", {}, reason ?? "No reason was given", " ", statusPill(status)),
      h(
        "p",
        { class: "small quiet" },
        h("code", {}, shortId(id)),
        " · opened ",
        h("time", { datetime: at, title: full(at) }, ago(at)),
        ` · ${payment.provider} `,
        h("code", {}, payment.provider_reference ?? ""),
      ),
      numbers.length > 0 && h("p", { class: "small" }, `Sent as ${numbers.join(", ")}`),
    ],
    actions: [],
  };
}
