// The parts of an order: pieces that are shipped or cancelled by themselves, and what may be done with each of several parcels.

import { call, orderPath } from "./api.js";
import { ask } from "./dialog.js";
import { numberOf } from "./desk-words.js";
import { h } from "./dom.js";
import { isParcelOver, parcels } from "./words.js";

const REASON = { name: "reason", label: "Reason (goes on the order's history)", long: true };

/** The lines of which pieces are neither cancelled nor handed over, with how many. */
const linesLeft = (order) =>
  order.items
    .map((item) => ({ ...item, left: item.quantity - item.quantity_cancelled - item.quantity_shipped }))
    .filter((item) => item.left > 0);

const pieceFields = (lines) =>
  lines.map((line) => ({
    name: `pieces of ${line.line_id}`,
    label: `${line.name}: how many of ${line.left}`,
    type: "number",
    min: 0,
    max: line.left,
    value: "0",
  }));

const piecesOf = (lines, values) =>
  lines
    .map((line) => ({ line_id: line.line_id, quantity: Number(values[`pieces of ${line.line_id}`] ?? 0) }))
    .filter((item) => item.quantity > 0);

const SHIP = {
  label: "Ship items",
  title: "Ship some of the items?",
  words: "They are handed over as a parcel: at the configured carrier, or under the tracking number that it has.",
  operation: "handOver",
  path: "/shipments",
  fields: [
    { name: "carrier", label: "Carrier, if it has a number already", most: 100 },
    { name: "tracking_number", label: "Tracking number, if it has one", most: 100 },
  ],
};

const CANCEL = {
  label: "Cancel items",
  title: "Cancel some of the items?",
  words: "They are in stock again, and what was paid for them is given back; the rest goes on.",
  operation: "cancelOrder",
  path: "/cancel",
  fields: [REASON],
  danger: true,
};

/** The buttons for pieces of an order: none where only the whole of what is left can be meant. */
export function partButtons(view, done) {
  const { order } = view;
  const lines = linesLeft(order);
  const several = lines.reduce((sum, line) => sum + line.left, 0) > 1;
  return [SHIP, CANCEL]
    .filter(({ operation }) => several && view.allowed_actions.includes(operation))
    .map((verb) =>
      h(
        "button",
        {
          class: verb.danger ? "danger" : null,
          "data-key": verb.label,
          onclick: () =>
            ask({
              ...verb,
              fields: [...pieceFields(lines), ...verb.fields],
              action: verb.label,
              act: async (values) => {
                const rest = Object.fromEntries(
                  verb.fields.flatMap(({ name }) => (values[name] ? [[name, values[name]]] : [])),
                );
                await call("POST", orderPath(order.order_id, verb.path), { body: { items: piecesOf(lines, values), ...rest } });
                await done();
              },
            }),
        },
        verb.label,
      ),
    );
}

const VERBS = [
  {
    label: "Set its location",
    title: "Where is the parcel?",
    fields: [{ name: "location", label: "Place", required: true, most: 200 }],
    method: "PUT",
    path: "/location",
  },
  { label: "It was delivered", words: "The customer has this parcel.", fields: [REASON], path: "/delivered" },
  {
    label: "It is back",
    words: "It came back without being delivered: its items are refunded, and in stock again.",
    fields: [REASON],
    path: "/returned",
    danger: true,
  },
];

const parcelButton = (verb, shipment, order, done) =>
  h(
    "button",
    {
      class: verb.danger ? "danger" : null,
      onclick: () =>
        ask({
          title: `${verb.label}?`,
          ...verb,
          action: verb.label,
          act: async (values) => {
            const path = `/shipments/${encodeURIComponent(shipment.shipment_id)}${verb.path}`;
            await call(verb.method ?? "POST", orderPath(order.order_id, path), { body: values });
            await done();
          },
        }),
    },
    verb.label,
  );

/** What the list of parcels depends on. */
export const parcelsOf = (view) => ({ shipments: view.shipments, order: view.order, said: parcels(view) });

/** The parcels of an order that leaves in several, each with what may be done to it. */
export const drawParcels = ({ shipments, order, said }, done) =>
  said.length > 0 &&
  h(
    "section",
    { class: "card" },
    h("h2", {}, "Parcels"),
    h(
      "ul",
      { class: "list parcels" },
      said.map(({ now, carrier, tracking, holds }, place) => {
        const shipment = shipments[place];
        const isUnderWay = shipment.shipped_at && !isParcelOver(shipment);
        return h(
          "li",
          {},
          h("p", {}, h("strong", {}, holds), ` ${now}`),
          h("p", { class: "small quiet" }, carrier, tracking && [" ", numberOf(shipment)]),
          isUnderWay &&
            h(
              "div",
              { class: "row" },
              VERBS.map((verb) => parcelButton(verb, shipment, order, done)),
            ),
        );
      }),
    ),
  );
