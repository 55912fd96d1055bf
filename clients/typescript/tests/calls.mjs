// What tests/e2e/test_documents.py tries retries, paging and webhooks with: `calls.mjs URL`, requests on its input.
import { readFileSync } from "node:fs";
import { answer, connect, pages, Refused } from "orders-client";

import { receive } from "./shop-hooks.js";

const orders = connect({ url: process.argv[2], token: async () => "token-1", backoff: 10 });
const body = { items: [{ product_id: "prod-001", quantity: 2 }], payment: { method: "CREDIT_CARD", token: "tok_ok" } };

const placed = await answer(orders.POST("/orders", { body }));
console.log(placed.order.order_id);
await orders.POST("/orders", { body, params: { header: { "Idempotency-Key": "cart-1" } } });
try {
  await orders.PATCH("/orders/{id}", { params: { path: { id: "order-1" } }, body: { note: "By hand" } });
} catch (refusal) {
  if (!(refusal instanceof Refused)) throw refusal;
  console.log(refusal.status, refusal.code ?? "None");
}
let found = 0;
const list = (cursor) => answer(orders.GET("/orders", { params: { query: { limit: 1, ...cursor } } }));
for await (const page of pages(list)) found += page.orders.length;
console.log(found, "orders");
for (const one of JSON.parse(readFileSync(0, "utf8"))) console.log(receive(one.body, new Headers(one.headers)));
