// Returns, as the tracking page and the desk show them.

import { ask } from "./dialog.js";
import { h } from "./dom.js";
import { full } from "./format.js";
import { number, t } from "./language.js";
import { returned } from "./words.js";

const WITHDRAWN = ["DECLINED", "CANCELED"];
const REASON = { name: "reason", label: t("reason"), long: true };

/** How many pieces of a line a return has, or is still to have. */
const claimed = (one, lineId) =>
  one.items
    .filter((item) => item.line_id === lineId)
    .reduce((sum, item) => sum + (one.closed_at ? back(item) : item.quantity), 0);

const back = (item) => item.received.reduce((sum, part) => sum + part.quantity, 0);

/** The lines of an order with the pieces of each that can still be returned. */
export function returnable({ order, returns }) {
  if (order.status !== "DELIVERED") return [];
  const counted = returns.filter((one) => !WITHDRAWN.includes(one.status));
  return order.items
    .map((line) => {
      const has = line.quantity_delivered ?? line.quantity;
      return { ...line, left: has - counted.reduce((sum, one) => sum + claimed(one, line.line_id), 0) };
    })
    .filter((line) => line.left > 0);
}

/** What is still to come of a return: its lines with as many pieces. */
export const outstanding = (one, lines) =>
  one.items
    .map((item) => ({
      ...lines.find((line) => line.line_id === item.line_id),
      left: item.quantity - back(item),
    }))
    .filter((line) => line.left > 0);

const pieceFields = (lines) =>
  lines.map((line) => ({
    name: `pieces of ${line.line_id}`,
    label: t("return.pieces", { name: line.name, count: line.left }),
    type: "number",
    min: 0,
    max: line.left,
    value: String(line.left),
  }));

/** The question which of the lines go back: the request it makes has those with pieces. */
export const returnQuestion = (view, change) => ({
  title: t("return.question"),
  words: t("return.words"),
  fields: [...pieceFields(returnable(view)), REASON],
  action: t("return.go"),
  dismiss: t("keep"),
  act: ({ reason, ...pieces }) => {
    const chosen = returnable(view).map((line) => ({
      line_id: line.line_id,
      quantity: Number(pieces[`pieces of ${line.line_id}`] ?? 0),
      ...(reason ? { reason } : {}),
    }));
    return change("POST", "/returns", { items: chosen.filter((item) => item.quantity > 0) });
  },
});

/** What of a return is drawn: each with what it is of, and what can be done with it. */
export const returnsOf = (view) => ({ returns: view.returns, items: view.order.items });

/** The returns of an order; `buttons(one)` is what can be done with one. */
export function drawReturns({ returns, items }, title, buttons) {
  if (!returns.length) return null;
  const names = Object.fromEntries(items.map((item) => [item.line_id, item.name]));
  return h(
    "section",
    { class: "card" },
    title && h("h2", {}, title),
    returns.map((one) =>
      h(
        "div",
        { class: "return", "data-status": one.status },
        h("p", {}, returned(one.status)),
        h(
          "ul",
          {},
          one.items.map((item) =>
            h("li", {}, `${number(item.quantity)} × `, h("bdi", {}, names[item.line_id]), conditions(item), said(item.reason)),
          ),
        ),
        one.note && h("p", { class: "small", dir: "auto" }, one.note),
        h(
          "p",
          { class: "small quiet" },
          t("return.asked", { time: full(one.created_at) }),
          one.decision_reason && [". ", h("bdi", {}, one.decision_reason)],
        ),
        h("div", { class: "row" }, buttons(one)),
      ),
    ),
  );
}

const said = (reason) => (reason ? h("span", { class: "quiet" }, " ", h("bdi", {}, reason)) : null);

const conditions = (item) =>
  item.received.length > 0 && h("span", { class: "quiet" }, ` (${item.received.map(received).join("; ")})`);

const received = ({ condition, quantity }) =>
  condition === "resellable"
    ? t("return.received.resellable", { count: quantity })
    : t("return.received.damaged", { count: quantity });

/** Where a return's requests go. */
export const returnPath = (one, verb) => `/returns/${encodeURIComponent(one.return_id)}/${verb}`;

/** The button with which its customer cancels a return of which nothing has come back. */
export const cancelButton = (one, change) =>
  ["REQUESTED", "APPROVED"].includes(one.status) &&
  h(
    "button",
    {
      onclick: () =>
        ask({
          title: t("return.cancel.question"),
          fields: [REASON],
          action: t("return.cancel"),
          dismiss: t("keep"),
          act: (values) => change("POST", returnPath(one, "cancel"), values),
        }),
    },
    t("return.cancel"),
  );
