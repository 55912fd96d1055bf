// The returns: what support does with those of one order, and the queue of all that are open.

import { call, get, orderPath } from "./api.js";
import { ask } from "./dialog.js";
import { cards, counted } from "./desk-list.js";
import { orderHref, shortId, word } from "./desk-words.js";
import { h, parts } from "./dom.js";
import { ago } from "./format.js";
import { drawReturns, outstanding, returnPath, returnsOf } from "./returns.js";

const OPEN = ["REQUESTED", "APPROVED", "RECEIVED"];
const NOTE = { name: "reason", label: "Note (for staff)", long: true };
const CONDITIONS = { resellable: "can be sold again", damaged: "are damaged" };

const VERBS = {
  approve: {
    label: "Approve the return",
    words: "The customer may send the goods back. Nothing is refunded before they arrive.",
    of: ["REQUESTED"],
    main: true,
  },
  decline: { label: "Decline the return", words: "The customer keeps the goods.", of: ["REQUESTED"], danger: true },
  receive: {
    label: "Receive the goods",
    words: "What came back is refunded now, and what can be sold is in stock again.",
    of: ["APPROVED", "RECEIVED"],
    main: true,
  },
  cancel: { label: "Cancel the return", words: "Nothing of it comes back.", of: ["APPROVED"], danger: true },
};

/** A field for each line and condition. */
const receiptFields = (lines) =>
  lines.flatMap((line) =>
    Object.entries(CONDITIONS).map(([condition, words]) => ({
      name: `${condition} ${line.line_id}`,
      label: `${line.name}: how many of ${line.left} ${words}`,
      type: "number",
      min: 0,
      max: line.left,
      value: condition === "resellable" ? String(line.left) : "0",
    })),
  );

/** What was received, as the request has it. */
const receipt = (lines, values) => ({
  items: lines
    .flatMap((line) =>
      Object.keys(CONDITIONS).map((condition) => ({
        line_id: line.line_id,
        quantity: Number(values[`${condition} ${line.line_id}`] ?? 0),
        condition,
      })),
    )
    .filter((item) => item.quantity > 0),
});

const question = (name, one, order) => {
  const lines = outstanding(one, order.items);
  if (name === "receive") return { fields: receiptFields(lines), body: (values) => receipt(lines, values) };
  return { fields: [NOTE], body: (values) => values };
};

/** The buttons for one return as it is. */
export const returnButtons = (one, order, done) =>
  Object.entries(VERBS)
    .filter(([name, verb]) => verb.of.includes(one.status) && (name !== "receive" || outstanding(one, order.items).length > 0))
    .map(([name, verb]) =>
      h("button", { class: verb.main ? "main" : "danger", onclick: () => put(name, verb, one, order, done) }, verb.label),
    );

function put(name, { label, words, danger }, one, order, done) {
  const { fields, body } = question(name, one, order);
  return ask({
    title: `${label}?`,
    words,
    fields,
    action: label,
    danger,
    act: async (values) => {
      await call("POST", orderPath(order.order_id, returnPath(one, name)), { body: body(values) });
      await done();
    },
  });
}

// --- the queue ---

export function show(host, _argument, desk) {
  const part = parts(host);
  const known = new Map();
  part("title", null, () => [
    h("h1", {}, "Returns"),
    h("p", { class: "quiet" }, "What customers want to send back: to be approved, awaited, or received and not yet refunded."),
  ]);

  async function load() {
    for (const status of OPEN) {
      const { orders, next_cursor: more } = await get(`/orders?return_status=${status}&limit=100`);
      const views = await Promise.all(orders.map(whole));
      part(status, [status, views, more], () => [
        h("h2", {}, counted(word(status), countOf(views, status), more)),
        cards(views, { kind: "returns", empty: "None.", card: (view) => sentBack(view, status, load) }),
      ]);
    }
  }

  /** An order with its returns, read again when it has changed. */
  async function whole(order) {
    if (known.get(order.order_id)?.order.version !== order.version)
      known.set(order.order_id, await get(orderPath(order.order_id)));
    return known.get(order.order_id);
  }

  return desk.watch(load);
}

const countOf = (views, status) => views.flatMap((view) => view.returns).filter((one) => one.status === status).length;

function sentBack(view, status, reload) {
  const returns = view.returns.filter((one) => one.status === status);
  return {
    title: [h("a", { href: orderHref(view.order.order_id) }, view.order.customer_id)],
    lines: [
      drawReturns({ ...returnsOf(view), returns }, null, (one) => returnButtons(one, view.order, reload)),
      h("p", { class: "small quiet" }, h("code", {}, shortId(view.order.order_id)), ` · placed ${ago(view.order.created_at)}`),
    ],
    actions: [],
  };
}
