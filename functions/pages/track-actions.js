// What customers may do to their order now: from the transition table the API serves, each with a question first.

import { addressFields } from "./address.js";
import { ask } from "./dialog.js";
import { h, island } from "./dom.js";
import { t } from "./language.js";
import { returnQuestion, returnable } from "./returns.js";
import { isFree } from "./words.js";

const may = island("config").transitions;
const REASON = { name: "reason", label: t("reason"), long: true };
const IF_CANCELLED = {
  PROCESSING: "cancel.begun",
  REQUIRES_ACTION: "cancel.begun",
  AUTHORIZED: "cancel.authorized",
  COMPLETED: "cancel.paid",
  PARTIALLY_REFUNDED: "cancel.part",
};

const mayCancel = (view) => may[view.order.status].includes("CANCELLED") && view.progress.overall_status !== "ROLLING_BACK";

/** Each: for which orders it is offered, and what is asked before `change(method, path, body)` is called. */
const ACTIONS = [
  {
    label: t("action.amend"),
    allowed: (view) => Boolean(view.order.shortage),
    question: (view, change) => ({
      title: t("amend.question"),
      words: t("amend.words"),
      fields: [],
      action: t("amend.go"),
      dismiss: t("not_yet"),
      act: () => change("POST", "/amend", {}),
    }),
  },
  {
    label: t("action.cancel"),
    danger: true,
    allowed: mayCancel,
    question: (view, change) => ({
      title: t("cancel.question"),
      words: t(isFree(view) ? "cancel.free" : (IF_CANCELLED[view.payment?.status] ?? "cancel.unpaid")),
      fields: [REASON],
      action: t("action.cancel"),
      dismiss: t("keep"),
      danger: true,
      act: (values) => change("POST", "/cancel", values),
    }),
  },
  {
    label: t("action.address"),
    allowed: (view) => mayCancel(view) && !view.shipment && view.order.shipping_address,
    question: (view, change) => ({
      title: t("address.question"),
      fields: addressFields(view.order.shipping_address),
      action: t("address.go"),
      act: (values) => change("PUT", "/address", values),
    }),
  },
  {
    label: t("action.return"),
    allowed: (view) => returnable(view).length > 0,
    question: returnQuestion,
  },
];

/** What the order allows now, by the labels of the buttons. */
export const actionsOf = (view) => ACTIONS.filter((action) => action.allowed(view)).map((action) => action.label);

/** The buttons; each asks about the order as it is when it is pressed. */
export function drawActions(labels, current, change) {
  const offered = ACTIONS.filter((action) => labels.includes(action.label));
  const button = ({ label, danger, question }) =>
    h("button", { class: danger ? "danger" : "", onclick: () => ask(question(current(), change)) }, label);
  return offered.length ? h("div", { class: "row actions" }, offered.map(button)) : null;
}
