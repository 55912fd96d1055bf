// What the desk shows of one order, each part drawn from the order as it is.

import { drawDeliveries as deliveryList } from "./desk-deliveries.js";
import { customersPage } from "./desk-details.js";
import { read } from "./desk-execution-history.js";
import { drawMoney, moneyOf } from "./desk-money.js";
import { fact, numberOf, statusPill, word } from "./desk-words.js";
import { h } from "./dom.js";
import { addressLines, ago, dayName, dayOf, exactTime, full, money, sumsOf } from "./format.js";
import { TABLES } from "./language.js";
import { timeline } from "./timeline.js";
import { headline, isFree, outlook, paid, parcel, steps, whereTheMoneyIs } from "./words.js";

const FRESHNESS = {
  live: ["good", "Live"],
  polling: ["wait", "Checking every few seconds"],
  reconnecting: ["wait", "Reconnecting"],
  over: ["calm", "Final"],
  loading: ["calm", "Connecting"],
  refused: ["bad", "No longer allowed"],
};

/** What the head depends on. */
export const headOf = (view, freshness) => ({
  order: view.order,
  overall: view.progress.overall_status,
  said: headline(view).words,
  below: [outlook(view, new Date()), whereTheMoneyIs(view, new Date())].filter(Boolean).join(" "),
  freshness,
});

/** Which order it is, and what is happening to it. */
export function drawHead({ order, said, below, freshness, overall }) {
  const [mood, label] = FRESHNESS[freshness];
  return [
    h(
      "p",
      { class: "small" },
      h("a", { href: "#/" }, "All orders"),
      " ",
      h("span", { class: `pill ${mood}`, "data-state": freshness }, label),
    ),
    h("h1", {}, h("code", {}, order.order_id)),
    h(
      "p",
      { class: "row" },
      statusPill(order.status),
      h("span", { class: "pill calm" }, `Saga ${word(overall).toLowerCase()}`),
      h("strong", {}, said),
      h("span", { class: "quiet" }, below),
    ),
  ];
}

/** The steps, in one row. */
export const drawSteps = (view) =>
  h(
    "ol",
    { class: "saga", "aria-label": "Steps" },
    steps(view).map((one) =>
      h(
        "li",
        { class: one.state },
        h("strong", {}, one.label),
        h("span", { class: "small" }, ` ${one.said}${one.at ? `, ${exactTime(one.at)}` : ""}`),
      ),
    ),
  );

const NOT_CALLED = "The payment gateway has not been called.";

/** The cards of an order, its payment and its shipment, side by side. */
export const drawFacts = ({ page, order, payment, shipment, paidHow, parcelNow, tries, moved }) => [
  card("Order", orderFacts(order, page)),
  card(
    "Payment",
    payment ? paymentFacts(payment, paidHow) : nothing(isFree({ order, payment }) ? "Nothing to pay." : NOT_CALLED),
    drawMoney(moved),
    tries.length > 0 && [h("h3", {}, "Calls to the gateway"), h("ol", { class: "trials small" }, tries.map(drawTry))],
  ),
  card(
    "Shipment",
    shipment ? shipmentFacts(shipment, parcelNow) : nothing("No parcel yet."),
    shipment?.scans?.length > 0 && [h("h3", {}, "Scans"), timeline(shipment.scans)],
  ),
];

/** What the three cards depend on. */
export const factsOf = (view) => ({
  page: view.tracking_url,
  order: view.order,
  payment: view.payment,
  shipment: view.shipment,
  paidHow: paid(view, new Date()),
  parcelNow: view.shipment && parcel(view),
  tries: gatewayTries(view),
  moved: moneyOf(view),
});

const card = (title, ...content) => h("section", { class: "card" }, h("h2", {}, title), content);
const nothing = (words) => h("p", { class: "quiet" }, words);

function orderFacts({ approval, cancellation, hold, ...order }, page) {
  const customer = `#/?${new URLSearchParams({ q: order.customer_id })}`;
  return h(
    "dl",
    { class: "facts" },
    fact("Customer", h("a", { href: customer }, order.customer_id)),
    fact("Customer's page", page && customersPage(page)),
    fact("Items", h("ul", {}, order.items.map(drawItem))),
    sumsOf(order).map(([name, amount]) => fact(name, amount)),
    fact("Total", h("strong", {}, money(order.total))),
    fact("Goes to", order.shipping_address && addressLines(order.shipping_address).join(", ")),
    fact("Billed to", order.billing_address && addressLines(order.billing_address).join(", ")),
    fact("Contact", order.contact && Object.values(order.contact).join(", ")),
    fact("External id", order.external_id),
    fact("Note", order.note),
    Object.entries(order.metadata ?? {}).map(([name, value]) => fact(name, value)),
    fact("Placed", full(order.created_at)),
    fact("Version", String(order.version)),
    fact("Review", approval && decided(word(approval.status), " by ", approval.decided_by, approval.reason)),
    fact("On hold", hold && decided(full(hold.held_at), ", by ", hold.held_by, hold.reason)),
    fact(
      "Cancelled",
      cancellation && decided(word(cancellation.reason.toUpperCase()), ", by ", cancellation.cancelled_by, cancellation.note),
    ),
  );
}

/** Something that was decided, by whom, and the reason they gave. */
const decided = (what, by, whom, why) => `${what}${whom ? by + whom : ""}${why ? `: ${why}` : ""}`;

const drawItem = (item) =>
  h(
    "li",
    {},
    `${item.quantity} × ${item.name} `,
    h("span", { class: "quiet" }, `${item.product_id}, ${money(item.unit_price)} each`),
  );

const disputeNow = ({ status, reason, amount }) =>
  `${word(status)}${amount ? `, ${money(amount)}` : ""}${reason ? `: ${reason}` : ""}`;

const paymentFacts = (payment, paidHow) =>
  h(
    "dl",
    { class: "facts" },
    fact("Status", paidHow),
    fact("Amount", money(payment.amount)),
    fact("Captured", payment.amount_captured.amount > 0 && money(payment.amount_captured)),
    fact("Held until", payment.authorization_expires_at && full(payment.authorization_expires_at)),
    fact("Given back", payment.amount_refunded.amount > 0 && money(payment.amount_refunded)),
    fact("Provider", payment.provider),
    fact("Gateway's key", h("code", {}, payment.payment_id)),
    fact("Provider's id", payment.provider_reference && h("code", {}, payment.provider_reference)),
    fact("Waits for", payment.next_action && word(payment.next_action.type.toUpperCase())),
    fact("Refused", payment.failure_reason),
    fact("Disputed", payment.dispute && disputeNow(payment.dispute)),
    fact("Refunded", payment.refunded_at && full(payment.refunded_at)),
  );

function shipmentFacts(shipment, parcelNow) {
  const { tracking_number: number, estimated_delivery: expected, unconfirmed_delivery_at: unconfirmed } = shipment;
  const day = dayOf(expected);
  return h(
    "dl",
    { class: "facts" },
    fact("Parcel", parcelNow),
    fact("Carrier", shipment.carrier),
    fact("Tracking number", number && numberOf(shipment)),
    fact("Last seen", shipment.current_location),
    fact("Expected", expected && (day ? dayName(day) : full(expected))),
    fact("Delivered", shipment.delivered_at && full(shipment.delivered_at)),
    fact("To be confirmed", unconfirmed && `Reported as delivered ${full(unconfirmed)}, while on its way back`),
  );
}

const drawTry = (one) =>
  h(
    "li",
    {},
    `${exactTime(one.from)} ${one.what} `,
    h("span", { class: `status ${one.outcome}` }, one.error ?? word(one.outcome)),
  );

/** Each try of the two states that call the gateway, from both machines. */
function gatewayTries({ execution, payment }) {
  // Cash on delivery is confirmed in the same state, without a call to the gateway.
  if (payment?.method === "CASH_ON_DELIVERY") return [];
  const found = [execution?.fulfilment, execution?.unwinding].filter(Boolean).map(read);
  return found.flatMap((story) =>
    TABLES.charging.flatMap((name) =>
      (story.states.get(name) ?? []).flatMap((visit) =>
        visit.tries.map((one) => ({ from: one.from, outcome: one.outcome, error: one.error, what: name.toLowerCase() })),
      ),
    ),
  );
}

/** The audit trail, the latest first. */
export const drawHistory = (history) => card("History", h("ol", { class: "history" }, history.toReversed().map(drawEvent)));

const drawEvent = (event) =>
  h(
    "li",
    {},
    h("span", { class: "small quiet number" }, String(event.version)),
    h(
      "div",
      {},
      h("strong", {}, word(event.event_type)),
      " ",
      statusPill(event.status),
      h("p", { class: "small quiet" }, decided("", "by ", event.triggered_by, event.reason), metadata(event.metadata)),
    ),
    h(
      "time",
      { class: "small quiet", datetime: event.timestamp, title: full(event.timestamp) },
      `${exactTime(event.timestamp)}, ${ago(event.timestamp)}`,
    ),
  );

function metadata(facts) {
  const entries = Object.entries(facts).map(([name, value]) => h("span", {}, `${name.replaceAll("_", " ")}: ${worded(value)}`));
  return entries.length ? h("span", { class: "metadata" }, entries) : null;
}

/** A fact of the audit trail in words: an amount, an address, several pieces of goods, or whatever else was noted. */
function worded(value) {
  if (Array.isArray(value)) return value.map(worded).join(", ");
  if (typeof value !== "object" || value === null) return String(value);
  if ("currency" in value && "amount" in value) return money(value);
  if ("product_id" in value) return `${value.quantity} × ${value.product_id}`;
  if ("line1" in value) return addressLines(value).join(", ");
  return JSON.stringify(value);
}

/** The mails to the order's customer; null where nobody was sent one. */
export const drawMails = (mails) =>
  mails?.length > 0 &&
  card(
    "Mails sent",
    mails.map(({ subject, text, to, at, status, reason }) =>
      h(
        "details",
        {},
        h("summary", {}, `${subject} (${status.toLowerCase()}${reason ? `: ${reason}` : ""})`),
        h("p", { class: "small quiet" }, `${to}, ${exactTime(at)}`),
        h("pre", { class: "small" }, text),
      ),
    ),
  );

/** What the webhooks were sent of this order; null where there are no webhooks. */
export const drawDeliveries = (sent, reload) =>
  sent && card("Webhooks sent", deliveryList(sent, reload, "Nothing of this order is among the newest deliveries."));
