/** A client of the order-fulfillment API. `api.ts` is generated from its OpenAPI description; this is written by hand. */
export type { components, operations, paths } from "./api.js";
export { answer, connect, Refused, type Options, type OrdersClient, type Problem } from "./connection.js";
export { pages } from "./paging.js";
export { NotVerified, verified, type Event } from "./webhooks.js";
