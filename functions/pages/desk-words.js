// How the desk shows statuses.

import { h, island, outside } from "./dom.js";

const { transitions, payment_statuses: ofPayments } = island("config");

export const STATUSES = Object.keys(transitions);
export const PAYMENT_STATUSES = ofPayments;

const MOOD = {
  PENDING: "wait",
  CONFIRMED: "",
  PROCESSING: "",
  SHIPPED: "",
  DELIVERED: "good",
  CANCELLED: "bad",
  RETURNED: "calm",
};

const words = (text) => text.charAt(0) + text.slice(1).toLowerCase().replaceAll("_", " ");

/** A constant of the API as a word: OUT_FOR_DELIVERY as "Out for delivery". */
export const word = words;

export const statusPill = (status) =>
  h("span", { class: `pill ${MOOD[status] ?? "calm"}`, "data-status": status }, words(status));

/** What a button says that copies something: before, after, and where the browser does not allow it. */
export const COPY = ["Copy", "Copied", "The browser does not allow it"];

/** The address of an order at the desk. */
export const orderHref = (id) => `#/order/${encodeURIComponent(id)}`;

/** A UUID is identified by its end; a chosen id is shown whole. */
export const shortId = (id) => (/^[0-9a-f-]{36}$/.test(id) ? `…${id.slice(-12)}` : id);

/** A parcel's number, which leads to its carrier's page where that is known. */
export function numberOf({ tracking_number: number, tracking_url: url }) {
  const shown = h("code", {}, number);
  return outside(url, shown) || shown;
}

/** A term and its value, for a list of facts; left out when there is none. */
export const fact = (term, ...value) =>
  value.some((one) => one !== null && one !== undefined && one !== false && one !== "")
    ? [h("dt", {}, term), h("dd", {}, value)]
    : [];
