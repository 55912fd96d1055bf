// What support does about the money of an order.

import { call, orderPath } from "./api.js";
import { ask } from "./dialog.js";
import { h } from "./dom.js";
import { minorUnits, money } from "./format.js";

const REASON = { name: "reason", label: "Reason (goes on the order's history)", long: true, required: true };

/** What was captured, and is not given back or about to be. */
function refundable({ payment, refunds }) {
  if (!payment) return 0;
  const pending = refunds.filter((one) => one.status === "PENDING").reduce((sum, one) => sum + one.amount.amount, 0);
  return payment.amount_captured.amount - payment.amount_refunded.amount - pending;
}

const pieceFields = (items) =>
  items.map((item) => ({
    name: `pieces of ${item.line_id}`,
    label: `${item.name}: for how many of ${item.quantity}`,
    type: "number",
    min: 0,
    max: item.quantity,
  }));

/** The request that the answers make: pieces, an amount, or all that is left. */
function wanted({ amount, reason, ...pieces }, { order, payment }) {
  const items = order.items
    .map((item) => ({ line_id: item.line_id, quantity: Number(pieces[`pieces of ${item.line_id}`] ?? 0) }))
    .filter((item) => item.quantity > 0);
  const { currency } = payment.amount;
  return {
    reason,
    ...(items.length ? { items } : {}),
    ...(amount ? { amount: { amount: minorUnits(amount, currency), currency } } : {}),
  };
}

/** The button to give money back without goods. */
export function refundButton(view, done) {
  const left = refundable(view);
  if (left <= 0) return null;
  const most = { amount: left, currency: view.payment.amount.currency };
  const question = {
    title: "Give money back?",
    words: `Without goods coming back: an amount, what pieces are worth, or with neither all of ${money(most)}.`,
    fields: [{ name: "amount", label: `Amount in ${most.currency}` }, ...pieceFields(view.order.items), REASON],
    action: "Refund",
    act: async (values) => {
      await call("POST", orderPath(view.order.order_id, "/refunds"), { body: wanted(values, view) });
      await done();
    },
  };
  return h("button", { "data-key": "Refund", onclick: () => ask(question) }, "Refund");
}

const VERBS = {
  retry: {
    label: "Try the refund again",
    words: "The payment provider is asked again.",
    shown: (one) => one.status === "FAILED",
  },
  complete: {
    label: "The cash was handed out",
    words: "The customer has the money.",
    shown: (one, cash) => cash && one.status === "PENDING",
  },
};

/** The buttons for one refund as it is. */
export const refundButtons = (one, { order, payment }, done) =>
  Object.entries(VERBS)
    .filter(([, { shown }]) => shown(one, payment?.method === "CASH_ON_DELIVERY"))
    .map(([verb, { label, words }]) => {
      const path = orderPath(order.order_id, `/refunds/${encodeURIComponent(one.refund_id)}/${verb}`);
      const act = async () => {
        await call("POST", path, { body: {} });
        await done();
      };
      return h("button", { onclick: () => ask({ title: `${label}?`, words, action: label, act }) }, label);
    });
