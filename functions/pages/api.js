// Talking to the API: JSON in, JSON out, and every refusal as one kind of error.

import { bearer, forget } from "./auth.js";

/** A refusal, as application/problem+json tells it. */
export class Problem extends Error {
  constructor(status, document) {
    super(document?.detail ?? "The service did not answer. Try again in a moment.");
    this.status = status;
    this.code = document?.code ?? "UNAVAILABLE";
    this.fields = document?.errors ?? [];
  }
}

async function told(response) {
  const type = response.headers.get("content-type") ?? "";
  return type.includes("json") ? response.json() : null;
}

/** Calls the API as whoever is signed in (or as nobody), and answers what it says. Throws Problem. */
export async function call(method, path, { body, headers, anonymous } = {}) {
  const token = anonymous ? null : await bearer();
  const sent = { accept: "application/json", ...headers };
  if (token) sent.authorization = `Bearer ${token}`;
  if (body !== undefined) sent["content-type"] = "application/json";
  let response;
  try {
    response = await fetch(path, { method, headers: sent, body: body === undefined ? undefined : JSON.stringify(body) });
  } catch {
    throw new Problem(0, { detail: "There is no connection to the service." });
  }
  if (response.ok) return told(response);
  if (response.status === 401 && token) forget();
  throw new Problem(response.status, await told(response).catch(() => null));
}

export const get = (path, options) => call("GET", path, options);
export const post = (path, body = {}) => call("POST", path, { body });

/** What is at the path, or null where this deployment has none of it, or not for this person. */
export async function getIfAny(path) {
  try {
    return await get(path);
  } catch (problem) {
    if ([403, 404, 405].includes(problem.status)) return null;
    throw problem;
  }
}

/** An order's path; ids come from people and addresses. */
export const orderPath = (id, rest = "") => `/orders/${encodeURIComponent(id)}${rest}`;
