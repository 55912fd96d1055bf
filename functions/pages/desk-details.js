// What support changes of an order besides its way: where it goes and the note on it; and the page that its customer sees.

import { addressFields } from "./address.js";
import { call, orderPath } from "./api.js";
import { COPY } from "./desk-words.js";
import { ask } from "./dialog.js";
import { copyButton, h } from "./dom.js";

const button = (label, question, send, done) =>
  h(
    "button",
    {
      "data-key": label,
      onclick: () =>
        ask({
          ...question,
          act: async (values) => {
            await send(values);
            await done();
          },
        }),
    },
    label,
  );

/** The buttons for one order as it is. */
export function detailButtons({ order, allowed_actions: allowed }, done) {
  const move = {
    title: "Where should it go?",
    words: "The history keeps the old address and the new one.",
    fields: addressFields(order.shipping_address ?? {}, false),
    action: "Change address",
  };
  const note = {
    title: "Note on this order",
    words: "One note stands with the order, and its customer can read it. Empty, it is taken away.",
    fields: [{ name: "note", label: "Note", long: true, most: 500, value: order.note }],
    action: "Save the note",
  };
  return [
    order.shipping_address &&
      allowed.includes("changeAddress") &&
      button("Change address", move, (body) => call("PUT", orderPath(order.order_id, "/address"), { body }), done),
    button("Note", note, (values) => call("PATCH", orderPath(order.order_id), { body: { note: values.note ?? null } }), done),
  ];
}

/** The page that the customer sees, opened or sent to them. */
export const customersPage = (url) => [
  h("a", { href: url, target: "_blank", rel: "noopener" }, "Open"),
  " ",
  copyButton(new URL(url, location.origin).href, ["Copy link", ...COPY.slice(1)], { "data-key": "copy link" }),
];
