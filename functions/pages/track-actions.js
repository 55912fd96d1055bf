// What customers may do to their order now: from the transition table the API serves, each with a question first.

import { ask } from "./dialog.js";
import { h, island } from "./dom.js";
import { returnQuestion, returnable } from "./returns.js";
import { isFree } from "./words.js";

const may = island("config").transitions;
const REASON = { name: "reason", label: "Reason (optional)", long: true };
const ADDRESS = [
  ["name", "Name", "name", 100, true],
  ["company", "Company (optional)", "organization", 100, false],
  ["line1", "Street and number", "address-line1", 200, true],
  ["line2", "Apartment, floor, c/o (optional)", "address-line2", 200, false],
  ["city", "City", "address-level2", 100, false],
  ["region", "State, province or region", "address-level1", 100, false],
  ["postal_code", "Postal code", "postal-code", 20, false],
  ["country", "Country", "country-name", 56, true],
  ["phone", "Telephone (optional)", "tel", 32, false],
];

const IF_CANCELLED = {
  PROCESSING: "A payment has begun. If it succeeds, it will be refunded.",
  REQUIRES_ACTION: "A payment has begun. If it succeeds, it will be refunded.",
  AUTHORIZED: "The money that is held for it is released.",
  COMPLETED: "You get back what you paid.",
  PARTIALLY_REFUNDED: "You get back the rest of what you paid.",
};

const mayCancel = (view) => may[view.order.status].includes("CANCELLED") && view.progress.overall_status !== "ROLLING_BACK";

/** Each: for which orders it is offered, and what is asked before `change(method, path, body)` is called. */
const ACTIONS = [
  {
    label: "Take what is there",
    allowed: (view) => Boolean(view.order.shortage),
    question: (view, change) => ({
      title: "Take what is there?",
      words: "We send and charge what we have of this order, and take the rest off it.",
      fields: [],
      action: "Take it",
      dismiss: "Not yet",
      act: () => change("POST", "/amend", {}),
    }),
  },
  {
    label: "Cancel the order",
    danger: true,
    allowed: mayCancel,
    question: (view, change) => ({
      title: "Cancel this order?",
      words: isFree(view) ? "There is nothing to pay." : (IF_CANCELLED[view.payment?.status] ?? "You will not be charged."),
      fields: [REASON],
      action: "Cancel the order",
      dismiss: "Keep it",
      danger: true,
      act: (values) => change("POST", "/cancel", values),
    }),
  },
  {
    label: "Change the address",
    allowed: (view) => mayCancel(view) && !view.shipment && view.order.shipping_address,
    question: (view, change) => ({
      title: "Where should it go?",
      fields: addressFields(view.order.shipping_address),
      action: "Send it there",
      act: (values) => change("PUT", "/address", values),
    }),
  },
  {
    label: "Return it",
    allowed: (view) => returnable(view).length > 0,
    question: returnQuestion,
  },
];

const addressFields = (address) =>
  ADDRESS.map(([name, label, autocomplete, most, required]) => ({
    name,
    label,
    autocomplete,
    most,
    required,
    value: address[name],
  }));

/** What the order allows now, by the labels of the buttons. */
export const actionsOf = (view) => ACTIONS.filter((action) => action.allowed(view)).map((action) => action.label);

/** The buttons; each asks about the order as it is when it is pressed. */
export function drawActions(labels, current, change) {
  const offered = ACTIONS.filter((action) => labels.includes(action.label));
  const button = ({ label, danger, question }) =>
    h("button", { class: danger ? "danger" : "", onclick: () => ask(question(current(), change)) }, label);
  return offered.length ? h("div", { class: "row actions" }, offered.map(button)) : null;
}
