// Talking to the API: JSON in, JSON out, and every refusal as one kind of error.

import { bearer, forget } from "./auth.js";
import { has, language, t } from "./language.js";

// API Gateway's own refusals are a bare { message }: these are their codes.
const GATEWAY = {
  401: "UNAUTHENTICATED",
  403: "PERMISSION_DENIED",
  404: "NOT_FOUND",
  413: "TOO_LARGE",
  429: "RESOURCE_EXHAUSTED",
  500: "INTERNAL",
};
const SILENT = "UNAVAILABLE";

/** A refusal in words: the API's own where they are in the reader's language, else what its code means. */
function wordsOf(code, detail) {
  if (detail && language === "en") return detail;
  return t(has(`problem.${code}`) ? `problem.${code}` : "problem.INTERNAL");
}

/** A refusal: a problem (application/problem+json), or API Gateway's own message. */
export class Problem extends Error {
  constructor(status, document) {
    const code = document?.code ?? GATEWAY[status] ?? SILENT;
    super(document?.shown ?? wordsOf(code, document?.detail));
    this.status = status;
    this.code = code;
    this.fields = document?.errors ?? [];
  }
}

async function bodyOf(response) {
  const type = response.headers.get("content-type") ?? "";
  return type.includes("json") ? response.json() : null;
}

/** Calls the API as the signed-in person, or without a token, and returns the body of its response. Throws Problem. */
export async function call(method, path, { body, headers, anonymous } = {}) {
  const token = anonymous ? null : await bearer();
  const sent = { accept: "application/json", ...headers };
  if (token) sent.authorization = `Bearer ${token}`;
  if (body !== undefined) sent["content-type"] = "application/json";
  let response;
  try {
    response = await fetch(path, { method, headers: sent, body: body === undefined ? undefined : JSON.stringify(body) });
  } catch {
    throw new Problem(0, { shown: t("error.connection") });
  }
  if (response.ok) return bodyOf(response);
  if (response.status === 401 && token) forget();
  throw new Problem(response.status, await bodyOf(response).catch(() => null));
}

export const get = (path, options) => call("GET", path, options);
export const post = (path, body = {}) => call("POST", path, { body });

/** The resource at the path, or null where it does not exist or this person may not read it. */
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
