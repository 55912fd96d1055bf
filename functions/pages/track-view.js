// The tracking page's parts, each drawn from the order as it is.

import { h } from "./dom.js";
import { addressLines, ago, exactTime, full, money, sumsOf, time, zone } from "./format.js";
import { timeline } from "./timeline.js";
import { headline, isComing, outlook, paid, parcel, parcels, steps, whereTheMoneyIs } from "./words.js";

const MARKS = { done: "✓", failed: "✕", undone: "↺", undoing: "↺", skipped: "–" };

/** The sentence of the moment. Its place is a live region: a screen reader hears what changes. */
export function drawHeadline({ mood, words }, slot) {
  slot.setAttribute("role", "status");
  return h("h1", { class: mood }, words);
}

export const headlineOf = headline;

/** The sentence below it, which counts down and is not read out each time. */
export const drawOutlook = (words) => (words ? h("p", { class: "outlook" }, words) : null);

export const outlookOf = outlook;

/** The progress line. The list is updated in place, so that the line moves smoothly. */
export function drawSteps(list, slot) {
  const reached = list.findLastIndex((one) => ["done", "doing", "failed", "undoing", "undone"].includes(one.state));
  const share = list.length > 1 ? Math.max(0, reached) / (list.length - 1) : 0;
  const same = slot.querySelectorAll("li").length === list.length;
  const line = same ? slot.querySelector("ol") : h("ol", { class: "steps", "aria-label": "Steps" });
  line.style.setProperty("--share", share);
  line.style.setProperty("--count", list.length);
  line.classList.toggle(
    "broken",
    list.some((one) => ["failed", "undoing", "undone"].includes(one.state)),
  );
  line.replaceChildren(...list.map(drawStep));
  return same ? undefined : line;
}

const drawStep = (one) =>
  h(
    "li",
    { class: `step ${one.state}`, "aria-current": one.state === "doing" ? "step" : null },
    h("span", { class: "dot", "aria-hidden": "true" }, MARKS[one.state] ?? ""),
    h("span", { class: "label" }, one.label, h("span", { class: "unseen" }, `, ${one.said}`)),
    one.at && one.state !== "skipped" && h("time", { datetime: one.at, title: full(one.at) }, time(one.at)),
  );

export const stepsOf = steps;

/** When the page was updated, and whether it is live. */
export function drawFreshness({ state, updated, heard }, now) {
  const words = {
    live: "Live",
    polling: "Checking every few seconds",
    reconnecting: "Reconnecting",
    over: "Final",
    refused: "This link no longer opens the order",
    loading: "Connecting",
  }[state];
  const calm = ["over", "loading"].includes(state) ? "calm" : state === "live" ? "good" : "wait";
  return h(
    "p",
    { class: "freshness small quiet" },
    h(
      "span",
      { class: `pill ${calm}`, "data-state": state },
      state === "live" && h("span", { class: "beat", "aria-hidden": "true" }),
      words,
    ),
    h("span", {}, "Last updated ", h("time", { datetime: updated, title: full(updated) }, ago(updated, now))),
    heard && state !== "over" && h("span", {}, `checked ${exactTime(heard)}`),
  );
}

/** What is asked of the customer: about a shortage, or to pay, and where; null where nothing is. */
export const payOf = ({ order, payment }) =>
  order.shortage
    ? { shortage: order.shortage, items: order.items }
    : payment?.next_action && order.status === "PENDING"
      ? { ...payment.next_action, amount: payment.amount }
      : null;

/** The question about a shortage, or the payment that is still to be made. */
export function drawPay(data) {
  if (!data) return null;
  if (data.shortage) return drawShortage(data);
  const { type, url, amount } = data;
  const asked = type === "bank_transfer" ? "Please transfer" : "Please confirm your payment of";
  return h(
    "p",
    { class: "card" },
    `${asked} ${money(amount)}. `,
    url?.startsWith("https://") && h("a", { href: url, rel: "noopener noreferrer" }, "Go to the payment page"),
  );
}

function drawShortage({ shortage, items }) {
  const named = ({ line_id: id, quantity }) => `${quantity} × ${items.find((one) => one.line_id === id)?.name ?? "an item"}`;
  return h(
    "p",
    { class: "card" },
    `We are out of ${shortage.missing.map(named).join(", ")}. Sign in to take the rest, or to cancel the order. `,
    "Without an answer it is cancelled ",
    h("time", { datetime: shortage.expires_at, title: full(shortage.expires_at) }, full(shortage.expires_at)),
    ".",
  );
}

/** Where the money is. */
export function drawEnding(words) {
  return words && h("p", { class: "card ending" }, h("strong", {}, "Your money: "), words);
}

export const endingOf = whereTheMoneyIs;

/** What is drawn of the delivery. */
export const deliveryOf = (view) => ({
  shipment: view.shipment,
  parcelNow: view.shipment && parcel(view),
  every: parcels(view),
  address: view.order.shipping_address,
  ended: !isComing(view),
});

/** The parcel and where it goes. */
export function drawDelivery({ shipment, parcelNow, every, address, ended }) {
  return h(
    "section",
    { class: "card" },
    h("h2", {}, "Delivery"),
    h(
      "dl",
      { class: "facts" },
      shipment && [h("dt", {}, "Parcel"), h("dd", {}, parcelNow)],
      shipment && [h("dt", {}, "Carrier"), h("dd", {}, shipment.carrier)],
      shipment?.tracking_number && [
        h("dt", {}, "Tracking number"),
        h("dd", {}, h("code", {}, shipment.tracking_number), " ", copyButton(shipment.tracking_number)),
      ],
      shipment?.current_location && [h("dt", {}, "Last seen"), h("dd", {}, shipment.current_location)],
      h("dt", {}, ended ? "Meant for" : "Goes to"),
      h("dd", {}, h("address", {}, drawAddress(address))),
    ),
    every.length > 0 && [h("h3", {}, "All parcels"), drawParcels(every)],
    shipment?.scans?.length > 0 && [h("h3", {}, "Where it has been"), timeline(shipment.scans)],
    !shipment &&
      !ended &&
      h("p", { class: "small quiet" }, "The carrier's tracking number appears here once the parcel is handed over."),
  );
}

const drawParcels = (every) =>
  h(
    "ol",
    { class: "small" },
    every.map(({ now, carrier, number, holds }) =>
      h("li", {}, `${holds}: ${now}, ${carrier}`, number && [" ", h("code", {}, number)]),
    ),
  );

function drawAddress(address) {
  if (!address) return "Nothing is sent: what you ordered is digital.";
  const [name, ...rest] = addressLines(address);
  return [name, rest.map((line) => [h("br"), line])];
}

function copyButton(text) {
  const button = h("button", { class: "plain small", type: "button", "aria-label": "Copy the tracking number" }, "Copy");
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(text);
    button.textContent = "Copied";
  });
  return button;
}

/** What is drawn of the order. */
export const orderOf = (view, now) => ({
  order: { items: view.order.items, total: view.order.total, sums: sumsOf(view.order) },
  paidHow: paid(view, now),
});

/** What was ordered, and what was paid. */
export function drawOrder({ order, paidHow }) {
  return h(
    "section",
    { class: "card" },
    h("h2", {}, "What you ordered"),
    h(
      "ul",
      { class: "items" },
      order.items.map((item) =>
        h(
          "li",
          {},
          h("span", { class: "count" }, `${item.quantity}\u2009×`),
          h("span", { class: "name" }, item.name),
          h("span", { class: "price" }, money({ ...item.unit_price, amount: item.unit_price.amount * item.quantity })),
        ),
      ),
    ),
    order.sums.map(([name, amount]) => h("p", { class: "sum" }, h("span", {}, name), h("span", {}, amount))),
    h("p", { class: "total" }, h("span", {}, "Total"), h("strong", {}, money(order.total))),
    h("p", { class: "small quiet" }, paidHow),
  );
}

/** The footer. */
export function drawFooter({ id, placed }) {
  return h(
    "p",
    { class: "small quiet footer" },
    "Order ",
    h("code", {}, id),
    `, placed ${full(placed)}. Times are yours: ${zone()}.`,
  );
}
