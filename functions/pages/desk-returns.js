// What support does with the returns of an order.

import { call, orderPath } from "./api.js";
import { ask } from "./dialog.js";
import { h } from "./dom.js";
import { returnPath } from "./returns.js";

const NOTE = { name: "reason", label: "Note (for staff)", long: true };

const VERBS = {
  approve: {
    label: "Approve the return",
    words: "The customer may send the goods back. Nothing is refunded before they arrive.",
    of: ["REQUESTED"],
    main: true,
  },
  decline: { label: "Decline the return", words: "The customer keeps the goods.", of: ["REQUESTED"], danger: true },
  cancel: { label: "Cancel the return", words: "Nothing of it comes back.", of: ["APPROVED"], danger: true },
};

/** The buttons for one return as it is. */
export const returnButtons = (one, order, done) =>
  Object.entries(VERBS)
    .filter(([, verb]) => verb.of.includes(one.status))
    .map(([name, { label, words, danger, main }]) =>
      h(
        "button",
        {
          class: main ? "main" : danger ? "danger" : null,
          onclick: () =>
            ask({
              title: `${label}?`,
              words,
              fields: [NOTE],
              action: label,
              danger,
              act: async (values) => {
                await call("POST", orderPath(order.order_id, returnPath(one, name)), { body: values });
                await done();
              },
            }),
        },
        label,
      ),
    );
