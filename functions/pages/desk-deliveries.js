// What was sent to webhooks: the deliveries, with their attempts, and sending one again.

import { get, getIfAny, post } from "./api.js";
import { rows } from "./desk-list.js";
import { orderHref, shortId, word } from "./desk-words.js";
import { ask } from "./dialog.js";
import { h } from "./dom.js";
import { ago, full, moment, span } from "./format.js";

const MOOD = { SUCCEEDED: "good", PENDING: "wait", FAILED: "bad" };

/** A webhook's path; ids come from addresses. */
export const webhookPath = (id, rest = "") => `/webhooks/${encodeURIComponent(id)}${rest}`;

/** A webhook's newest deliveries. */
export const newestOf = async (webhookId) => (await get(webhookPath(webhookId, "/deliveries?limit=50"))).deliveries;

/** What the webhooks were sent of an order, as far as their newest deliveries go; null where there are no webhooks. */
export async function deliveriesOf(orderId) {
  const list = await getIfAny("/webhooks");
  if (!list?.webhooks.length) return null;
  const pages = await Promise.all(
    list.webhooks.map((webhook) => getIfAny(webhookPath(webhook.webhook_id, "/deliveries?limit=100"))),
  );
  return pages.flatMap((page) => page?.deliveries ?? []).filter((delivery) => delivery.order_id === orderId);
}

/** A list of deliveries; `done` is called when one has been sent again. */
export const drawDeliveries = (deliveries, done, empty) =>
  rows(deliveries, { kind: "deliveries", empty, row: (delivery) => drawDelivery(delivery, () => sendAgain(delivery, done)) });

/** Asks whether to send a delivery once more, and does. */
const sendAgain = (delivery, done) =>
  ask({
    title: "Send it again?",
    words: `${delivery.event_type}, with the same id as before: a receiver that has it can tell.`,
    action: "Send again",
    act: async () => {
      await post(webhookPath(delivery.webhook_id, `/deliveries/${encodeURIComponent(delivery.delivery_id)}/redeliver`));
      await done();
    },
  });

const drawDelivery = (delivery, again) => [
  h("span", { class: `pill ${MOOD[delivery.status]}` }, word(delivery.status)),
  h(
    "span",
    {},
    delivery.event_type,
    delivery.order_id && [" · ", h("a", { href: orderHref(delivery.order_id) }, shortId(delivery.order_id))],
  ),
  h(
    "time",
    { class: "small quiet", datetime: delivery.created_at, title: full(delivery.created_at) },
    ago(delivery.created_at),
  ),
  h(
    "span",
    { class: "small quiet" },
    tried(delivery.attempts),
    delivery.next_attempt_at && ` · again ${moment(delivery.next_attempt_at)}`,
  ),
  delivery.attempts.length > 0 && againButton(delivery, again),
];

const againButton = (delivery, again) =>
  h(
    "button",
    {
      class: "plain small",
      "data-key": delivery.delivery_id,
      "aria-label": `Send ${delivery.event_type} again`,
      onclick: again,
    },
    "Send again",
  );

function tried(attempts) {
  if (!attempts.length) return "not tried yet";
  const last = attempts.at(-1);
  const answer = `${last.status_code ?? (last.error ?? "no answer").replace(/\.$/, "")} after ${span(last.duration_ms / 1000)}`;
  return attempts.length === 1 ? answer : `${attempts.length} tries, the last: ${answer}`;
}
