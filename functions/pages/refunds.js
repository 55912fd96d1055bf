// Refunds, as the tracking page and the desk show them.

import { h } from "./dom.js";
import { full, money } from "./format.js";
import { has, t, told } from "./language.js";

/** How a refund stands; a status of a later release is shown as it is. */
const standing = ({ status }, method) => {
  const keys = [method === "CASH_ON_DELIVERY" && `refund.${status}.cash`, `refund.${status}`].filter(Boolean);
  const key = keys.find(has);
  return key ? t(key) : status;
};

/** What of the refunds is drawn: each with what it is of. */
export const refundsOf = ({ refunds, order, payment }) => ({ refunds, items: order.items, method: payment?.method });

/** The refunds of an order; `buttons(one)` is what can be done with one. */
export function drawRefunds({ refunds, items, method }, title, buttons = () => null) {
  if (!refunds.length) return null;
  const names = Object.fromEntries(items.map((item) => [item.line_id, item.name]));
  return h(
    "section",
    { class: "card" },
    h("h2", {}, title),
    refunds.map((one) =>
      h(
        "div",
        { class: "refund", "data-status": one.status },
        h("p", {}, h("strong", {}, money(one.amount)), ` ${standing(one, method)}`),
        one.items && h("p", { dir: "auto" }, one.items.map((item) => `${item.quantity} × ${names[item.line_id]}`).join(", ")),
        one.failure_reason && h("p", { class: "alert", dir: "auto" }, one.failure_reason),
        h(
          "p",
          { class: "small quiet" },
          one.completed_at ? full(one.completed_at) : t("refund.begun", { time: full(one.created_at) }),
          why(one),
        ),
        h("div", { class: "row" }, buttons(one)),
      ),
    ),
  );
}

const why = (one) => one.reason && [". ", h("bdi", {}, told(one.reason) ?? one.reason)];
