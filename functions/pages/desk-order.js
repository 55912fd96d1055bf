// One order, with everything there is to know about it.

import { get, getIfAny, orderPath } from "./api.js";
import { bearer } from "./auth.js";
import { actionsFor } from "./desk-actions.js";
import { viewer } from "./desk-execution.js";
import { deliveryRow, sendAgain } from "./desk-webhooks.js";
import { fact, statusPill, word } from "./desk-words.js";
import { h, parts } from "./dom.js";
import { read } from "./execution.js";
import { ago, dayName, dayOf, exactTime, full, money } from "./format.js";
import { follow } from "./live.js";
import { timeline } from "./timeline.js";
import { headline, outlook, paid, parcel, steps, whereTheMoneyIs } from "./words.js";

const OVER = ["COMPLETED", "FAILED", "ROLLED_BACK"];
const CHARGE = "Charge payment";
const BACK = "Refund payment";

export function show(host, id, desk) {
  const part = parts(host);
  let stop = () => {};
  let left = false;
  let drawMachine = null;
  let freshness = "loading";
  let view = null;

  async function load() {
    const [whole, progress, trail, execution, deliveries] = await Promise.all([
      get(orderPath(id)),
      get(orderPath(id, "/status")),
      get(orderPath(id, "/history")),
      getIfAny(orderPath(id, "/execution")),
      desk.isAdmin ? deliveriesOf(id) : null,
    ]);
    if (left) return;
    view = { ...whole, progress, history: trail.history, execution, deliveries };
    draw();
  }

  async function reload() {
    await load();
    // The row is ahead of the machine that follows it: what the change sets off is there a moment later.
    setTimeout(() => left || load().catch(() => {}), 700);
  }

  function draw() {
    const { order, payment, shipment } = view;
    part("head", { order, overall: view.progress.overall_status, said: headline(view).words, below: [outlook(view, new Date()), whereTheMoneyIs(view, new Date())].filter(Boolean).join(" "), freshness }, drawHead);
    part("steps", view.progress.steps, () => drawSteps(view));
    part("actions", { order: [order.status, order.approval], payment, shipment, overall: view.progress.overall_status }, () => h("div", { class: "row actions" }, actionsFor(view, reload)));
    part("facts", { order, payment, shipment, paid: paid(view, new Date()), parcel: shipment && parcel(view), tries: gatewayTries(view) }, drawFacts);
    part("machine", null, (_data, slot) => {
      const inside = h("div", {});
      drawMachine = viewer(inside);
      slot.replaceChildren(h("section", { class: "card" }, h("h2", {}, "Workflow"), inside));
      return undefined;
    });
    if (view.execution) drawMachine(view.execution);
    part("history", view.history, drawHistory);
    part("deliveries", view.deliveries, (found) => drawDeliveries(found, reload));
  }

  async function begin() {
    try {
      await load();
    } catch (problem) {
      part("missing", problem.message, (words) => [h("h1", {}, problem.status === 404 ? "There is no such order" : "This order cannot be shown"), h("p", {}, words), h("p", {}, h("a", { href: "#/" }, "Back to all orders"))]);
      return;
    }
    listen();
  }

  function listen() {
    if (left) return;
    stop = follow({
      request: async () => ({ url: orderPath(id, "/status/stream"), headers: { authorization: `Bearer ${await bearer()}` } }),
      seen: view.order.version,
      onNews: reload,
      poll: async () => { await load(); return OVER.includes(view.progress.overall_status); },
      onState: (state) => {
        freshness = state;
        draw();
        if (state === "over") reload().catch(() => draw());
      },
    });
  }

  begin();
  return () => {
    left = true;
    stop();
  };
}

const LIVE = { live: ["good", "Live"], polling: ["wait", "Asking every few seconds"], reconnecting: ["wait", "Reconnecting"], over: ["calm", "Final"], loading: ["calm", "Connecting"], refused: ["bad", "No longer allowed"] };

function drawHead({ order, said, below, freshness, overall }) {
  const [mood, label] = LIVE[freshness];
  return [
    h("p", { class: "small" }, h("a", { href: "#/" }, "All orders"), " ", h("span", { class: `pill ${mood}`, "data-state": freshness }, label)),
    h("h1", {}, h("code", {}, order.order_id)),
    h("p", { class: "row" }, statusPill(order.status), h("span", { class: "pill calm" }, `Saga ${word(overall).toLowerCase()}`), h("strong", {}, said), h("span", { class: "quiet" }, below)),
  ];
}

const drawSteps = (view) =>
  h("ol", { class: "saga", "aria-label": "Steps" }, steps(view).map((one) => h("li", { class: one.state }, h("strong", {}, one.label), h("span", { class: "small" }, ` ${one.said}${one.at ? `, ${exactTime(one.at)}` : ""}`))));

function drawFacts({ order, payment, shipment, paid, parcel, tries }) {
  const address = order.shipping_address;
  return [
    h(
      "section",
      { class: "card" },
      h("h2", {}, "Order"),
      h(
        "dl",
        { class: "facts" },
        fact("Customer", h("a", { href: `#/?${new URLSearchParams({ q: order.customer_id })}` }, order.customer_id)),
        fact("Items", h("ul", {}, order.items.map((item) => h("li", {}, `${item.quantity} × ${item.name} `, h("span", { class: "quiet" }, `${item.product_id}, ${money(item.unit_price)} each`))))),
        fact("Total", h("strong", {}, money(order.total))),
        fact("Goes to", [address.name, address.line1, address.line2, `${address.postal_code} ${address.city}`, address.country].filter(Boolean).join(", ")),
        fact("Placed", full(order.created_at)),
        fact("Version", String(order.version)),
        fact("Review", order.approval && `${word(order.approval.status)}${order.approval.decided_by ? ` by ${order.approval.decided_by}` : ""}${order.approval.reason ? `: ${order.approval.reason}` : ""}`),
        fact("Cancelled", order.cancellation && `${word(order.cancellation.reason.toUpperCase())}, by ${order.cancellation.cancelled_by}${order.cancellation.note ? `: ${order.cancellation.note}` : ""}`),
      ),
    ),
    h(
      "section",
      { class: "card" },
      h("h2", {}, "Payment"),
      payment
        ? h("dl", { class: "facts" }, fact("Status", paid), fact("Amount", money(payment.amount)), fact("Gateway's key", h("code", {}, payment.payment_id)), fact("Refused", payment.failure_reason), fact("Refunded", payment.refunded_at && full(payment.refunded_at)))
        : h("p", { class: "quiet" }, "Nothing has been asked of the gateway."),
      tries.length > 0 && [h("h3", {}, "Calls of the gateway"), h("ol", { class: "trials small" }, tries.map(drawTry))],
    ),
    h(
      "section",
      { class: "card" },
      h("h2", {}, "Shipment"),
      shipment
        ? h("dl", { class: "facts" }, fact("Parcel", parcel), fact("Carrier", shipment.carrier), fact("Tracking number", shipment.tracking_number && h("code", {}, shipment.tracking_number)), fact("Last seen", shipment.current_location), fact("Expected", shipment.estimated_delivery && (dayOf(shipment.estimated_delivery) ? dayName(dayOf(shipment.estimated_delivery)) : full(shipment.estimated_delivery))), fact("Delivered", shipment.delivered_at && full(shipment.delivered_at)), fact("To be confirmed", shipment.unconfirmed_delivery_at && `Reported as delivered ${full(shipment.unconfirmed_delivery_at)}, while on its way back`))
        : h("p", { class: "quiet" }, "No parcel yet."),
      shipment?.scans?.length > 0 && [h("h3", {}, "Scans"), timeline(shipment.scans)],
    ),
  ];
}

const drawTry = (one) => h("li", {}, `${exactTime(one.from)} ${one.what} `, h("span", { class: `status ${one.outcome}` }, one.error ?? word(one.outcome)));

/** Each try of the two states that call the gateway, from both machines. */
function gatewayTries({ execution, payment }) {
  // Cash is agreed upon in the same state, and no gateway is asked.
  if (payment?.method === "CASH_ON_DELIVERY") return [];
  const found = [execution?.fulfilment, execution?.unwinding].filter(Boolean).map(read);
  return found.flatMap((story) => [CHARGE, BACK].flatMap((name) => (story.states.get(name) ?? []).flatMap((visit) => visit.tries.map((one) => ({ from: one.from, outcome: one.outcome, error: one.error, what: name.toLowerCase() })))));
}

function drawHistory(history) {
  return h(
    "section",
    { class: "card" },
    h("h2", {}, "History"),
    h(
      "ol",
      { class: "history" },
      history.toReversed().map((event) =>
        h(
          "li",
          {},
          h("span", { class: "small quiet number" }, String(event.version)),
          h("div", {}, h("strong", {}, word(event.event_type)), " ", statusPill(event.status), h("p", { class: "small quiet" }, `by ${event.triggered_by}${event.reason ? `: ${event.reason}` : ""}`, metadata(event.metadata))),
          h("time", { class: "small quiet", datetime: event.timestamp, title: full(event.timestamp) }, `${exactTime(event.timestamp)}, ${ago(event.timestamp)}`),
        ),
      ),
    ),
  );
}

function metadata(facts) {
  const entries = Object.entries(facts);
  return entries.length ? h("span", { class: "metadata" }, entries.map(([name, value]) => h("span", {}, `${name.replaceAll("_", " ")}: ${worded(value)}`))) : null;
}

/** A fact of the audit trail in words: an amount, an address, several pieces of goods, or whatever else was noted. */
function worded(value) {
  if (Array.isArray(value)) return value.map(worded).join(", ");
  if (typeof value !== "object" || value === null) return String(value);
  if ("currency" in value && "amount" in value) return money(value);
  if ("product_id" in value) return `${value.quantity} × ${value.product_id}`;
  if ("postal_code" in value) return [value.name, value.line1, value.line2, `${value.postal_code} ${value.city}`, value.country].filter(Boolean).join(", ");
  return JSON.stringify(value);
}

/** What the webhooks were told of this order, as far as their newest deliveries go; null where there are no webhooks. */
async function deliveriesOf(id) {
  const list = await getIfAny("/webhooks");
  if (!list?.webhooks.length) return null;
  const pages = await Promise.all(list.webhooks.map((webhook) => getIfAny(`/webhooks/${encodeURIComponent(webhook.webhook_id)}/deliveries?limit=100`)));
  return pages.flatMap((page) => page?.deliveries ?? []).filter((delivery) => delivery.order_id === id);
}

function drawDeliveries(deliveries, reload) {
  if (!deliveries) return null;
  return h(
    "section",
    { class: "card" },
    h("h2", {}, "Webhooks sent"),
    deliveries.length ? h("ul", { class: "deliveries" }, deliveries.map((one) => deliveryRow(one, () => sendAgain(one, reload)))) : h("p", { class: "quiet" }, "Nothing of this order is among the newest deliveries."),
  );
}
