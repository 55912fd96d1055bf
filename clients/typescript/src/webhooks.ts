import { Webhook, WebhookVerificationError } from "standardwebhooks";

import type { components } from "./api.js";

export type Event = components["schemas"]["OrderStatusChanged"] | components["schemas"]["StepChanged"];
export { WebhookVerificationError as NotVerified };

/**
 * The event in a webhook's request: `body` as it came, not parsed, and its headers as Node or `Headers` have them.
 * Throws where the signature, or its time, is not right: respond with 401.
 */
export function verified(
  secret: string,
  body: string | Buffer,
  headers: Headers | Record<string, string | string[] | undefined>,
): Event {
  const pairs = headers instanceof Headers ? [...headers] : Object.entries(headers).map(([name, value]) => [name, String(value)]);
  return new Webhook(secret).verify(body, Object.fromEntries(pairs)) as Event;
}
