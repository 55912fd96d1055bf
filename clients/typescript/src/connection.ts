import retrying from "fetch-retry";
import createClient, { type Client } from "openapi-fetch";

import type { components, paths } from "./api.js";

export type OrdersClient = Client<paths>;
export type Problem = components["schemas"]["Problem"];

export interface Options {
  url: string;
  /** A token, or what is asked for one at each call, so that it can be renewed. */
  token: string | (() => string | Promise<string>);
  /** How often a call is tried again. */
  retries?: number;
  /** The first pause between two tries in milliseconds, which doubles each time; `Retry-After` comes first. */
  backoff?: number;
  /** How long one try may take, in milliseconds. */
  timeout?: number;
}

/** The API refuses a request, or failed at it after all retries. */
export class Refused extends Error {
  /** What a program goes by, such as `NOT_FOUND`; undefined where the gateway in front of the API refused. */
  readonly code: string | undefined;
  /** All that the API says about it. */
  readonly problem: Problem | undefined;

  constructor(
    readonly status: number,
    document: Partial<Problem> & { message?: string },
  ) {
    super(`${status} ${document.code ?? ""}: ${document.detail ?? document.message ?? "no reason given"}`);
    this.name = "Refused";
    this.code = document.code;
    this.problem = document.code === undefined ? undefined : (document as Problem);
  }
}

/** Not PATCH: it has no idempotency key, so that its second try may be refused because the first one succeeded. */
const RETRIED_METHODS = new Set(["GET", "PUT", "DELETE", "POST"]);
const RETRIED_STATUSES = new Set([429, 500, 502, 503, 504]);
const LONGEST = 30_000;

/** The pause before another try: what the response asks for, or one that doubles each time, with jitter. */
function pause(attempt: number, response: Response | null, backoff: number): number {
  const asked = Number(response?.headers.get("retry-after") ?? Number.NaN);
  return asked >= 0 ? asked * 1000 : Math.min(LONGEST, backoff * 2 ** attempt) * (0.5 + Math.random() / 2);
}

/** A `fetch` that tries again. A request's body can be read once, so each try sends a copy. */
function persistent({ retries = 5, backoff = 500, timeout = 30_000 }: Options): (request: Request) => Promise<Response> {
  const once = (input: RequestInfo | URL) => {
    const request = (input as Request).clone();
    return fetch(request, { signal: AbortSignal.any([request.signal, AbortSignal.timeout(timeout)]) });
  };
  const tried = retrying(once as typeof fetch);
  return (request) =>
    tried(request, {
      retryOn: (attempt, error, response) =>
        attempt < retries &&
        !request.signal.aborted &&
        RETRIED_METHODS.has(request.method) &&
        (error !== null || RETRIED_STATUSES.has(response?.status ?? 0)),
      retryDelay: (attempt, _, response) => pause(attempt, response, backoff),
    });
}

/** A client whose calls are retried; each POST has an idempotency key, made once for all of its tries. */
export function connect(options: Options): OrdersClient {
  const client = createClient<paths>({ baseUrl: options.url, fetch: persistent(options) });
  client.use({
    async onRequest({ request }) {
      const token = typeof options.token === "string" ? options.token : await options.token();
      request.headers.set("authorization", `Bearer ${token}`);
      if (request.method === "POST" && !request.headers.has("idempotency-key")) {
        request.headers.set("idempotency-key", crypto.randomUUID());
      }
      return request;
    },
    async onResponse({ response }) {
      if (response.ok) return;
      const document: unknown = await response.json().catch(() => ({}));
      throw new Refused(response.status, (document ?? {}) as Partial<Problem>);
    },
  });
  return client;
}

/** What a call responds with; a refusal was thrown before. */
export async function answer<T>(call: Promise<{ data?: T }>): Promise<NonNullable<T>> {
  return (await call).data as NonNullable<T>;
}
