// What the statuses mean, in a customer's words: which sentence of the table is true of an order, filled with the reader's
// money and times. Everything here is derived from the order, without requests.

import { arrival, dayName, dayOf, isOver, isToday, moment, money } from "./format.js";
import { TABLES, filled, t, told } from "./language.js";

const STEP = TABLES.names;
const NONE = "NONE";
const GRACE = 10 * 60 * 1000;
const COMING_BACK = ["LOST", "RETURNING", "RETURNED_TO_SENDER"];

const step = (view, name) => view.progress.steps.find((one) => one.name === name);
const isUndoing = (view) => view.progress.overall_status === "ROLLING_BACK";
const isUndone = (view) => isUndoing(view) || ["CANCELLED", "RETURNED"].includes(view.order.status);

function wayOf(view) {
  if (isUndone(view)) return "undone";
  return view.order.status !== "DELIVERED" && COMING_BACK.includes(view.shipment?.status) ? "back" : "on";
}

/** Whether the order goes to the customer, or is there already. */
export const isComing = (view) => wayOf(view) === "on";

/** Whether a parcel has come to its end: at the customer's, or at its sender's again. */
export const isParcelOver = (shipment) => ["DELIVERED", "RETURNED_TO_SENDER"].includes(shipment.status);

/** Whether there is nothing to pay. */
export const isFree = (view) => !view.payment && view.order.total.amount === 0;

/** What the rows of the table depend on. */
const factsOf = (view) => ({
  order: view.order.status,
  overall: view.progress.overall_status,
  way: wayOf(view),
  reviewing: step(view, STEP.review)?.status === "IN_PROGRESS" ? "yes" : "no",
  free: isFree(view) ? "yes" : "no",
  payment: view.payment?.status ?? NONE,
  method: view.payment?.method ?? NONE,
  parcel: view.shipment?.status ?? NONE,
  reason: view.order.cancellation?.reason ?? NONE,
  own: view.isOwn ? "yes" : "no",
});

/** What the sentences are filled with; a sentence whose value is not known is not said. */
function valuesOf(view, now) {
  const { order, payment, shipment } = view;
  const pay = step(view, STEP.payment);
  const method = TABLES.methods[payment?.method] ?? {};
  return {
    ...timesOf(view, now),
    total: money(order.total),
    account: method.account,
    by: method.by,
    failure: told(view.progress.steps.find((one) => one.status === "FAILED")?.error_message),
    declined: pay?.status === "FAILED" ? told(sentence(pay.error_message)) : undefined,
    delivered_at: said(deliveredAt(order, shipment, step(view, STEP.delivery)), now),
    refunded_at: said(payment?.refunded_at, now),
  };
}

const deliveredAt = (order, shipment, delivery) =>
  shipment?.delivered_at ?? (order.status === "DELIVERED" ? (delivery?.completed_at ?? order.updated_at) : null);

function timesOf({ order, shipment, progress }, now) {
  const expected = (order.status === "SHIPPED" && shipment?.estimated_delivery) || progress.estimated_completion;
  const seen = shipment?.scans?.at(-1)?.at;
  const today = !seen || isToday(seen, now) ? dayName(now, now) : undefined;
  const day = dayOf(expected);
  if (day) return { arrival: isOver(day, now) ? undefined : dayName(day, now), expected: dayName(day, now), today };
  const isAhead = expected && now - new Date(expected) < GRACE;
  return {
    arrival: isAhead ? arrival(expected, now) : undefined,
    arrival_today: expected && new Date(expected) > now && isToday(expected, now) ? arrival(expected, now) : undefined,
    expected: said(expected, now),
    today,
  };
}

const said = (time, now) => (time ? moment(time, now) : undefined);
const sentence = (text) => text && `${text.replace(/\.$/, "")}.`;

const find = (table, facts, values) =>
  table.find(
    (row) =>
      Object.entries(row.when).every(([axis, allowed]) => allowed.includes(facts[axis])) &&
      mentions(row.says).every((name) => values[name]),
  );

const mentions = (says) => [...says.matchAll(/\{(\w+)\}/g)].map((found) => found[1]);

const fill = (row, values) => row && filled(row.says, values);

const say = (table, view, now, more = {}) => {
  const values = valuesOf(view, now);
  return fill(find(table, { ...factsOf(view), ...more }, values), values);
};

/**
 * What is happening now, in one sentence, with its mood: "good", "bad" or "busy". An unknown status is shown
 * as it is.
 */
export function headline(view) {
  const row = find(TABLES.headlines, factsOf(view), {});
  return row ? { mood: row.mood, words: row.says } : { mood: "busy", words: t("order.unknown", { status: view.order.status }) };
}

/** The sentence below it: when it comes, or why it does not. */
export const outlook = (view, now) => say(TABLES.outlooks, view, now) ?? "";

/** Where the money is, for an order that does not come; null for any other. */
export const whereTheMoneyIs = (view, now) => say(TABLES.money, view, now) ?? null;

/** How it was paid, in a few words. */
export const paid = (view, now) => say(TABLES.paid, view, now) ?? view.payment.status;

/** The carrier's latest word on the parcel. */
export const parcel = (view) => fill(find(TABLES.parcels, factsOf(view), {})) ?? view.shipment.status;

/** The parcels of an order that leaves in several: what is in each, and the carrier's latest word on it. */
export const parcels = (view) =>
  (view.shipments?.length ?? 0) < 2
    ? []
    : view.shipments.map((shipment) => ({
        now: parcel({ ...view, shipment }),
        carrier: shipment.carrier,
        tracking: shipment.tracking_number,
        url: shipment.tracking_url,
        holds: shipment.items.map((packed) => `${packed.quantity} × ${nameOf(view.order, packed.line_id)}`).join(", "),
      }));

const nameOf = (order, lineId) => order.items.find((line) => line.line_id === lineId)?.name ?? t("line", { line: lineId });

/** How a return stands, in the table's words. */
export const returned = (status) => fill(find(TABLES.returns, { sent_back: status }, {})) ?? status;

/** One scan of a parcel, in the table's words. */
export const scanned = (status) => fill(find(TABLES.scans, { parcel: status }, {})) ?? status;

/** When a step came to be as it is shown: the carrier's own times, and of what was undone the payment's only. */
function timeOf(one, state, view) {
  if (one.name === STEP.payment && view.payment?.status === "REFUNDED") return view.payment.refunded_at ?? null;
  if (["skipped", "undoing", "undone", "later"].includes(state)) return null;
  if (one.name === STEP.delivery && state === "done") return deliveredAt(view.order, view.shipment, one);
  if (one.name === STEP.delivery && state === "doing") return view.shipment?.scans?.at(-1)?.at ?? one.started_at;
  return one.completed_at ?? one.started_at ?? null;
}

/** The steps as they are shown: [{ name, label, state, said, at }]; a review that was not needed is left out. */
export function steps(view) {
  return view.progress.steps
    .filter((one) => !(one.name === STEP.review && one.status === "SKIPPED" && !one.started_at))
    .map((one) => {
      const facts = { ...factsOf(view), step: one.name, state: one.status };
      const later =
        one.name === STEP.payment && one.status === "SKIPPED" && facts.method === "CASH_ON_DELIVERY" && facts.way === "on";
      const shown = later ? TABLES.later : (TABLES.states[one.status] ?? { state: "todo", says: one.status });
      const label = fill(find(TABLES.steps, facts, {})) ?? one.name;
      return { name: one.name, label, state: shown.state, said: shown.says, at: timeOf(one, shown.state, view) };
    });
}
