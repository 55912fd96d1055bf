// The tracking page's parts, each drawn from the order as it is.

import { copyButton, h, outside } from "./dom.js";
import { addressLines, ago, exactTime, full, money, short, sumsOf, zone } from "./format.js";
import { TABLES, language, number, pieces, t } from "./language.js";
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
  const line = same ? slot.querySelector("ol") : h("ol", { class: "steps", "aria-label": t("steps") });
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
    one.at && one.state !== "skipped" && h("time", { datetime: one.at, title: full(one.at) }, short(one.at)),
  );

export const stepsOf = steps;

/** When the page was updated, and whether it is live. */
export function drawFreshness({ state, updated, heard }, now) {
  const calm = ["over", "loading"].includes(state) ? "calm" : state === "live" ? "good" : "wait";
  return h(
    "p",
    { class: "freshness small quiet" },
    h(
      "span",
      { class: `pill ${calm}`, "data-state": state },
      state === "live" && h("span", { class: "beat", "aria-hidden": "true" }),
      t(`fresh.${state}`),
    ),
    h("span", {}, pieces("fresh.updated", { time: h("time", { datetime: updated, title: full(updated) }, ago(updated, now)) })),
    heard && state !== "over" && h("span", {}, t("fresh.checked", { time: exactTime(heard) })),
  );
}

/** What is asked of the customer: about a shortage, or to pay, and where; null where nothing is. */
export const payOf = ({ order, payment, isOwn }) =>
  order.shortage
    ? { shortage: order.shortage, items: order.items, isOwn }
    : payment?.next_action && order.status === "PENDING"
      ? { ...payment.next_action, amount: payment.amount }
      : null;

/** The question about a shortage, or the payment that is still to be made. */
export function drawPay(data) {
  if (!data) return null;
  if (data.shortage) return drawShortage(data);
  const { type, url, amount } = data;
  const asked = type === "bank_transfer" ? "pay.transfer" : "pay.confirm";
  return h("p", { class: "card" }, `${t(asked, { amount: money(amount) })} `, outside(url, t("pay.link")));
}

const follow = (url) => outside(url, t("delivery.follow"), "_blank");

function drawShortage({ shortage, items, isOwn }) {
  const nameOf = (id) => items.find((one) => one.line_id === id)?.name ?? t("shortage.item");
  const named = ({ line_id: id, quantity }) => `${number(quantity)} × ${nameOf(id)}`;
  return h(
    "p",
    { class: "card" },
    `${t("shortage.words", { items: shortage.missing.map(named).join(", ") })} `,
    pieces(isOwn ? "shortage.own" : "shortage.answer", {
      time: h("time", { datetime: shortage.expires_at }, full(shortage.expires_at)),
    }),
  );
}

/** Where the money is. */
export function drawEnding(words) {
  return words && h("p", { class: "card ending" }, h("strong", {}, t("money")), " ", words);
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
    h("h2", {}, t("delivery")),
    h(
      "dl",
      { class: "facts" },
      shipment && [h("dt", {}, t("delivery.parcel")), h("dd", {}, parcelNow)],
      shipment && [h("dt", {}, t("delivery.carrier")), h("dd", {}, h("bdi", {}, shipment.carrier))],
      shipment?.tracking_number && [
        h("dt", {}, t("delivery.number")),
        h(
          "dd",
          {},
          h("code", { dir: "ltr" }, shipment.tracking_number),
          " ",
          copyNumber(shipment.tracking_number),
          " ",
          follow(shipment.tracking_url),
        ),
      ],
      shipment?.current_location && [h("dt", {}, t("delivery.seen")), h("dd", {}, h("bdi", {}, shipment.current_location))],
      h("dt", {}, t(ended ? "delivery.meant" : "delivery.goes")),
      h("dd", {}, h("address", {}, drawAddress(address))),
    ),
    every.length > 0 && [h("h3", {}, t("delivery.all")), drawParcels(every)],
    shipment?.scans?.length > 0 && [h("h3", {}, t("delivery.way")), timeline(shipment.scans)],
    !shipment && !ended && h("p", { class: "small quiet" }, t("delivery.later")),
  );
}

const drawParcels = (every) =>
  h(
    "ol",
    { class: "small" },
    every.map(({ now, carrier, tracking, url, holds }) =>
      h(
        "li",
        {},
        [h("bdi", {}, holds), `: ${now}, `, h("bdi", {}, carrier)],
        tracking && [" ", h("code", { dir: "ltr" }, tracking)],
        [" ", follow(url)],
      ),
    ),
  );

function drawAddress(address) {
  if (!address) return t("delivery.digital");
  const [name, ...rest] = addressLines(address);
  return [h("bdi", {}, name), rest.map((line) => [h("br"), h("bdi", {}, line)])];
}

const copyNumber = (text) => copyButton(text, [t("copy"), t("copied"), t("copy.refused")], { "aria-label": t("copy.number") });

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
    h("h2", {}, t("order")),
    h(
      "ul",
      { class: "items" },
      order.items.map((item) =>
        h(
          "li",
          {},
          h("span", { class: "count" }, `${number(item.quantity)}\u2009×`),
          h("span", { class: "name" }, h("bdi", {}, item.name)),
          h("span", { class: "price" }, money({ ...item.unit_price, amount: item.unit_price.amount * item.quantity })),
        ),
      ),
    ),
    order.sums.map(([name, amount]) => h("p", { class: "sum" }, h("span", {}, name), h("span", {}, amount))),
    h("p", { class: "total" }, h("span", {}, t("order.total")), h("strong", {}, money(order.total))),
    h("p", { class: "small quiet" }, paidHow),
  );
}

/** The footer. */
export function drawFooter({ id, placed }) {
  return h(
    "p",
    { class: "small quiet footer" },
    pieces("footer", { order: h("code", { dir: "ltr" }, id), placed: full(placed), zone: zone() }),
  );
}

/** The other languages, each by its own name: the same page in it. */
export const drawLanguages = () =>
  h(
    "nav",
    { class: "small footer", "aria-label": t("language") },
    Object.entries(TABLES.languages)
      .filter(([code]) => code !== language)
      .map(([code, name]) => h("a", { href: inLanguage(code), lang: code, hreflang: code }, name)),
  );

function inLanguage(code) {
  const query = new URLSearchParams(location.search);
  query.set("lang", code);
  return `?${query}`;
}
