// What the statuses mean, in a customer's words. Everything here is derived from the order; nothing talks to anybody.

import { arrival, moment, money } from "./format.js";

const isUndoing = (view) => view.progress.overall_status === "ROLLING_BACK";
const step = (view, name) => view.progress.steps.find((one) => one.name === name);

const CANCELLED = {
  customer: "The order was cancelled at the customer's request.",
  staff: "The shop cancelled this order.",
  payment_failed: "The payment did not go through, so we could not send the order.",
  approval_rejected: "We looked at this order and could not accept it.",
  approval_timeout: "The order needed a check that nobody could make in time.",
  out_of_stock: "Something in this order was sold out just before it was yours.",
  shipping_failed: "The carrier could not take the parcel to this address.",
  expired: "The order could not be completed in time.",
};

const ON_THE_WAY = {
  OUT_FOR_DELIVERY: "Your parcel is out for delivery",
  FAILED: "The carrier could not hand over your parcel, and will try again",
  RETURNED_TO_SENDER: "The carrier is bringing your parcel back to us",
};

/** What is happening now, in one sentence, with its mood: "good", "bad" or "busy". */
export function headline(view) {
  const { order, shipment, progress } = view;
  if (order.status === "CANCELLED") return { mood: "bad", words: "This order was cancelled" };
  if (order.status === "RETURNED") return { mood: "bad", words: isUndoing(view) ? "We are taking your return" : "This order was returned" };
  if (order.status === "DELIVERED") return { mood: "good", words: "Your parcel has arrived" };
  if (isUndoing(view)) return { mood: "bad", words: "This order cannot be completed" };
  if (order.status === "SHIPPED") return { mood: "busy", words: ON_THE_WAY[shipment?.status] ?? "Your parcel is on its way" };
  if (order.status !== "PENDING") return { mood: "busy", words: shipment ? "We are handing your parcel to the carrier" : "We are packing your order" };
  if (step(view, "Manual Review").status === "IN_PROGRESS") return { mood: "busy", words: "We are looking over your order" };
  if (progress.overall_status === "QUEUED") return { mood: "busy", words: "We have your order" };
  return { mood: "busy", words: "We have your order, and your payment is next" };
}

/** The sentence below it: when it comes, or why it does not. */
export function outlook(view, now) {
  const { order, shipment, progress } = view;
  if (order.status === "CANCELLED") return CANCELLED[order.cancellation?.reason] ?? "The order was cancelled.";
  if (order.status === "RETURNED") return "The goods are back with us.";
  if (order.status === "DELIVERED") return `Delivered ${moment(step(view, "Delivery").completed_at ?? order.updated_at, now)}.`;
  if (isUndoing(view)) return failure(view) ?? "We are undoing what was done so far.";
  const expected = (order.status === "SHIPPED" && shipment?.estimated_delivery) || progress.estimated_completion;
  return expected ? `It should be with you ${arrival(expected, now)}.` : "";
}

const failure = (view) => view.progress.steps.find((one) => one.status === "FAILED")?.error_message;

/** Where the money is, for an order that ended without its goods; null for any other. */
export function whereTheMoneyIs({ order, payment, progress }) {
  if (!["CANCELLED", "RETURNED"].includes(order.status) && progress.overall_status !== "ROLLING_BACK") return null;
  const total = money(order.total);
  if (payment?.status === "REFUNDED") {
    const where = payment.method === "CASH_ON_DELIVERY" ? "in cash" : `to your ${METHODS[payment.method]}`;
    return `${total} went back ${where}. Banks take a few days to show it.`;
  }
  if (payment && ["PROCESSING", "COMPLETED"].includes(payment.status)) return `Your ${total} are on their way back to you.`;
  if (payment?.failure_reason) return `You were not charged: ${payment.failure_reason.replace(/\.$/, "")}.`;
  return "You were not charged.";
}

export const METHODS = {
  CREDIT_CARD: "card",
  BANK_TRANSFER: "bank account",
  DIGITAL_WALLET: "wallet",
  CASH_ON_DELIVERY: "cash on delivery",
};

/** How it was paid, in a few words. */
export function paid(payment) {
  if (!payment) return "Not charged yet";
  const by = payment.method === "CASH_ON_DELIVERY" ? "in cash on delivery" : `by ${METHODS[payment.method]}`;
  return {
    PENDING: `To be paid ${by}`,
    PROCESSING: `Being paid ${by}`,
    COMPLETED: `Paid ${by}`,
    FAILED: "Not charged",
    REFUNDED: "Refunded",
  }[payment.status];
}

const STEP_WORDS = {
  "Inventory Reservation": { todo: "Reserve", doing: "Reserving", done: "Reserved", undone: "Released", failed: "Sold out" },
  "Manual Review": { todo: "Check", doing: "Being checked", done: "Checked", undone: "Checked", failed: "Not accepted" },
  "Payment Processing": { todo: "Pay", doing: "Paying", done: "Paid", undone: "Refunded", failed: "Payment failed" },
  "Shipping Arrangement": { todo: "Pack", doing: "Packing", done: "Shipped", undone: "Recalled", failed: "Not shipped" },
  Delivery: { todo: "Deliver", doing: "On its way", done: "Delivered", undone: "Taken back", failed: "Sent back" },
};

const STEP_STATE = {
  PENDING: ["todo", "todo"],
  IN_PROGRESS: ["doing", "doing"],
  COMPLETED: ["done", "done"],
  FAILED: ["failed", "failed"],
  COMPENSATING: ["undone", "undoing"],
  COMPENSATED: ["undone", "undone"],
  SKIPPED: ["todo", "skipped"],
};

const STATE_WORDS = { failed: "failed", undoing: "being undone", skipped: "not needed", todo: "still to come", doing: "now", done: "done", undone: "undone" };

/** The steps as they are shown: [{ name, label, state, said, at }]; a review nobody needed is left out. */
export function steps(view) {
  const cash = view.payment?.method === "CASH_ON_DELIVERY";
  return view.progress.steps
    .filter((one) => !(one.name === "Manual Review" && one.status === "SKIPPED"))
    .map((one) => {
      const [form, state] = STEP_STATE[one.status];
      const waits = cash && one.name === "Payment Processing" && state === "skipped" && view.order.status !== "CANCELLED";
      const label = waits ? "Pay at the door" : STEP_WORDS[one.name][form];
      return { name: one.name, label, state: waits ? "later" : state, said: waits ? "on delivery" : STATE_WORDS[state], at: one.completed_at ?? one.started_at ?? null };
    });
}

/** The carrier's latest word on a parcel. */
export const PARCEL = {
  CREATED: "Handed over",
  IN_TRANSIT: "In transit",
  OUT_FOR_DELIVERY: "Out for delivery",
  DELIVERED: "Delivered",
  FAILED: "Delivery attempt failed",
  RETURNED_TO_SENDER: "Returned to sender",
};
