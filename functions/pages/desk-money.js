// What happened to the money of an order, from its audit trail.

import { word } from "./desk-words.js";
import { h } from "./dom.js";
import { exactTime, full, money } from "./format.js";

const ABOUT_MONEY = /^(PAYMENT|CAPTURE|AUTHORIZATION|REFUND|DISPUTE)_/;

/** The events of the payment, its captures, refunds and disputes, the oldest first, each with what it was of. */
export const moneyOf = ({ history }) =>
  history
    .filter(({ event_type: type }) => ABOUT_MONEY.test(type))
    .map(({ event_type: type, timestamp: at, reason, metadata }) => ({
      at,
      reason,
      what: word(type),
      amount: metadata.captured ?? metadata.amount ?? null,
    }));

/** The payment's timeline; null where no money was asked for. */
export const drawMoney = (events) =>
  events.length > 0 && [
    h("h3", {}, "What happened to the money"),
    h(
      "ol",
      { class: "trials small", "aria-label": "What happened to the money" },
      events.map(({ at, what, amount, reason }) =>
        h(
          "li",
          {},
          h("time", { class: "quiet", datetime: at, title: full(at) }, exactTime(at)),
          ` ${what}${amount ? ` ${money(amount)}` : ""}`,
          reason && h("span", { class: "quiet" }, `: ${reason}`),
        ),
      ),
    ),
  ];
