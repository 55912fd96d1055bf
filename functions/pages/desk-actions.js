// What support may do to an order now: from the transition table the API serves, each with a question first.

import { call, orderPath } from "./api.js";
import { ask } from "./dialog.js";
import { h, island } from "./dom.js";

const may = island("config").transitions;
const REASON = { name: "reason", label: "Reason (goes on the order's history)", long: true };

const BY_HAND = {
  CONFIRMED: { label: "Confirm", words: "For cash on delivery: the order is accepted and will be paid on delivery." },
  PROCESSING: {
    label: "Mark as processing",
    words: "Stock is reserved and the payment settled, as the workflow would have done.",
  },
  SHIPPED: { label: "Mark as shipped", words: "The parcel is handed to the carrier now." },
  DELIVERED: {
    label: "Mark as delivered",
    words: "The customer has the parcel; a payment on delivery is collected with it.",
    path: "/delivered",
  },
  CANCELLED: {
    label: "Cancel order",
    words: "Completed steps are undone now: the payment is refunded and the stock is released.",
    path: "/cancel",
    danger: true,
  },
  RETURNED: { label: "Return", words: "The goods are back: the payment is refunded and the stock is released.", danger: true },
};

const button = ({ label, title, words, fields = [REASON], danger, main, method = "POST", path, body = {} }, order, done) =>
  h(
    "button",
    {
      class: [main && "main", danger && "danger"].filter(Boolean).join(" ") || null,
      "data-key": label,
      onclick: () =>
        ask({
          title: title ?? `${label}?`,
          words,
          fields,
          action: label,
          danger,
          act: async (values) => {
            await call(method, orderPath(order.order_id, path), { body: { ...body, ...values } });
            await done();
          },
        }),
    },
    label,
  );

/** The two answers to a manual review. */
export const decide = (order, done) => [
  button(
    { label: "Approve", title: "Approve this order?", words: "The payment is next.", path: "/approve", main: true },
    order,
    done,
  ),
  button(
    {
      label: "Reject",
      title: "Reject this order?",
      words: "It is cancelled; nothing is charged.",
      path: "/reject",
      danger: true,
    },
    order,
    done,
  ),
];

/** The two answers to a shortage, on behalf of the customer. */
export const answerShortage = (order, done) => [
  button(
    {
      label: "Send what is there",
      title: "Send what is there?",
      words: "What is missing is taken off the order, and is not charged.",
      fields: [],
      path: "/amend",
      main: true,
    },
    order,
    done,
  ),
  button({ ...BY_HAND.CANCELLED, words: "What is reserved is released; nothing is charged." }, order, done),
];

const BACK_AGAIN = {
  label: "The parcel is back",
  words: "It came back without being delivered: the payment is refunded and the stock is released.",
  danger: true,
};

/** The operation that decides whether an order may be moved to a status by hand, where there is one for it alone. */
const OPERATIONS = { CANCELLED: "cancelOrder", DELIVERED: "markDelivered" };

const isCashLess = ({ payment }) => payment && payment.method !== "CASH_ON_DELIVERY";

function changes(view) {
  const { order, shipment } = view;
  const allowed = may[order.status].filter(
    (status) =>
      (status !== "CONFIRMED" || !isCashLess(view)) &&
      (!OPERATIONS[status] || view.allowed_actions.includes(OPERATIONS[status])),
  );
  return allowed.map((status) => {
    if (status === "RETURNED" && order.status === "SHIPPED" && shipment)
      return { ...BACK_AGAIN, path: `/shipments/${encodeURIComponent(shipment.shipment_id)}/returned` };
    const { path, ...rest } = BY_HAND[status];
    return path ? { ...rest, path } : { ...rest, path: "/status", method: "PATCH", body: { status } };
  });
}

const LOCATION = {
  label: "Set location",
  title: "Where is the parcel?",
  fields: [{ name: "location", label: "Place", required: true, most: 200 }],
  method: "PUT",
  path: "/shipment/location",
};

const SYNC = {
  label: "Repair",
  title: "Repair this order?",
  words: "A lost workflow is restarted, and missed scans are applied.",
  fields: [],
  path: "/sync",
};

const HOLD = {
  label: "Hold",
  title: "Put this order on hold?",
  words: "Nothing is charged or handed over until it is released.",
  fields: [{ name: "reason", label: "Reason", required: true, most: 500 }],
  path: "/hold",
};

const RELEASE = {
  label: "Release",
  title: "Release this order?",
  words: "It goes on where it was.",
  path: "/release",
  main: true,
};

/** The buttons for one order as it is. */
export function actionsFor(view, done) {
  const { order, shipment, progress } = view;
  const undoing = progress.overall_status === "ROLLING_BACK";
  const allows = (operation) => view.allowed_actions.includes(operation);
  return [
    allows("approveOrder") && decide(order, done),
    allows("amendOrder") && answerShortage(order, done)[0],
    allows("releaseOrder") && button(RELEASE, order, done),
    allows("holdOrder") && button(HOLD, order, done),
    !undoing && changes(view).map((change) => button(change, order, done)),
    !undoing && shipment && order.status === "SHIPPED" && button(LOCATION, order, done),
    allows("syncOrder") && button(SYNC, order, done),
  ];
}
