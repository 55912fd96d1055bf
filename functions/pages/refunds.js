// Refunds, as the tracking page and the desk show them.

import { h } from "./dom.js";
import { full, money } from "./format.js";

const WORDS = {
  PENDING: "Is being refunded",
  COMPLETED: "Refunded",
  FAILED: "Could not be refunded yet",
};
const IN_CASH = { PENDING: "Is handed out to you in cash" };

/** What of the refunds is drawn: each with what it is of. */
export const refundsOf = ({ refunds, order, payment }) => ({ refunds, items: order.items, method: payment?.method });

/** The refunds of an order; `buttons(one)` is what can be done with one. */
export function drawRefunds({ refunds, items, method }, title, buttons = () => null) {
  if (!refunds.length) return null;
  const names = Object.fromEntries(items.map((item) => [item.line_id, item.name]));
  const words = method === "CASH_ON_DELIVERY" ? { ...WORDS, ...IN_CASH } : WORDS;
  return h(
    "section",
    { class: "card" },
    h("h2", {}, title),
    refunds.map((one) =>
      h(
        "div",
        { class: "refund", "data-status": one.status },
        h("p", {}, h("strong", {}, money(one.amount)), ` ${words[one.status] ?? one.status}`),
        one.items && h("p", {}, one.items.map((item) => `${item.quantity} × ${names[item.line_id]}`).join(", ")),
        one.failure_reason && h("p", { class: "alert" }, one.failure_reason),
        h("p", { class: "small quiet" }, one.completed_at ? full(one.completed_at) : `Begun ${full(one.created_at)}`, why(one)),
        h("div", { class: "row" }, buttons(one)),
      ),
    ),
  );
}

const why = (one) => one.reason && `. ${one.reason}`;
