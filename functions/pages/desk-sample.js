// A sample order, to see the whole process.

import { get, post } from "./api.js";
import { orderHref } from "./desk-words.js";
import { ask } from "./dialog.js";
import { h, island } from "./dom.js";

const STORIES = {
  "Everything goes well": { method: "CREDIT_CARD", token: "tok_ok" },
  "The card is declined": { method: "CREDIT_CARD", token: "tok_declined" },
  "The gateway fails twice, then works": { method: "CREDIT_CARD", token: "tok_flaky_2" },
  "It needs a review": { method: "CREDIT_CARD", token: "tok_ok", review: true },
  "Cash on delivery": { method: "CASH_ON_DELIVERY" },
  "The carrier refuses the address": { method: "CREDIT_CARD", token: "tok_ok", postal: "refused" },
};

const ADDRESS = {
  name: "Sample Customer",
  line1: "1 Market Square",
  city: "Utrecht",
  postal_code: "3511 AA",
  country: "Netherlands",
};

async function place(story) {
  const { products } = await get("/products?limit=10");
  const items = products
    .filter((product) => product.stock > 1)
    .slice(0, 2)
    .map((product, index) => ({ product_id: product.product_id, quantity: 2 - index }));
  if (!items.length) throw new Error("The catalog has nothing in stock: an admin adds products by PUT /products/{id}.");
  const { method, token, review, postal } = STORIES[story];
  const { order } = await post("/orders", {
    items,
    payment: { method, ...(token ? { token } : {}) },
    shipping_address: { ...ADDRESS, ...(postal ? { postal_code: postal } : {}) },
    ...(review ? { require_approval: true } : {}),
  });
  location.hash = orderHref(order.order_id);
}

/** The button that asks for a scenario and places its order; none where real money or parcels would move. */
export const offerSample = (kind, words) =>
  island("config").simulated &&
  h(
    "div",
    { class: "row" },
    words && h("p", {}, words),
    h(
      "button",
      {
        class: kind,
        onclick: () =>
          ask({
            title: "Place a sample order",
            words: "It is processed like every order, with the simulated payment gateway and carrier.",
            fields: [{ name: "story", label: "What should happen?", choices: Object.keys(STORIES) }],
            action: "Place it",
            act: ({ story }) => place(story),
          }),
      },
      "Place a sample order",
    ),
  );
