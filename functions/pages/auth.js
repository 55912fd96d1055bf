// Signing in by OAuth 2 authorization code with PKCE, at Cognito's hosted pages or a server with the same addresses.
// The token lives as long as the tab does.

import { island } from "./dom.js";
import { language, t } from "./language.js";

const SESSION = "session";
const PENDING = "sign-in";
const EARLY_SECONDS = 60;

const config = island("config")?.sign_in ?? null;
const home = `${location.origin}/signed-in`;

const read = (name) => JSON.parse(sessionStorage.getItem(name) ?? "null");
const keep = (name, value) => sessionStorage.setItem(name, JSON.stringify(value));

const base64url = (bytes) =>
  btoa(String.fromCharCode(...new Uint8Array(bytes)))
    .replace(/\+/g, "-")
    .replace(/\//g, "_")
    .replace(/=+$/, "");
const chance = () => base64url(crypto.getRandomValues(new Uint8Array(32)));

function claimsOf(token) {
  const text = atob(token.split(".")[1].replace(/-/g, "+").replace(/_/g, "/"));
  return JSON.parse(new TextDecoder().decode(Uint8Array.from(text, (character) => character.charCodeAt(0))));
}

/** Whether this deployment offers sign-in. */
export const canSignIn = () => config !== null;

/** Who is signed in: { name, subject, groups }, or null. */
export function person() {
  const session = read(SESSION);
  if (!session) return null;
  const claims = claimsOf(session.token);
  const groups = claims[config?.groups_claim];
  return { subject: claims.sub, name: claims.email ?? claims.sub, groups: Array.isArray(groups) ? groups : [] };
}

/** The bearer token of the person signed in, renewed when it is about to expire; null when no one is signed in. */
export async function bearer() {
  const session = read(SESSION);
  if (!session) return null;
  if (session.until - EARLY_SECONDS > Date.now() / 1000) return session.token;
  if (session.refresh) {
    const renewed = await ask({ grant_type: "refresh_token", refresh_token: session.refresh });
    if (renewed) return store({ refresh_token: session.refresh, ...renewed });
  }
  forget();
  return null;
}

export const forget = () => sessionStorage.removeItem(SESSION);

/** Opens the sign-in, which returns to the current page. */
export async function signIn() {
  const pending = { state: chance(), verifier: chance(), back: location.pathname + location.search + location.hash };
  keep(PENDING, pending);
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(pending.verifier));
  const asked = {
    response_type: "code",
    client_id: config.client_id,
    redirect_uri: home,
    scope: "openid email",
    state: pending.state,
    code_challenge: base64url(digest),
    code_challenge_method: "S256",
  };
  location.assign(`${config.url}/oauth2/authorize?${new URLSearchParams(asked)}`);
}

/** Signs out here and at the sign-in's own page, and comes back to where we are. */
export function signOut() {
  forget();
  keep(PENDING, { back: location.pathname + location.search });
  location.assign(`${config.url}/logout?${new URLSearchParams({ client_id: config.client_id, logout_uri: home })}`);
}

/** A kept address if it is on this site, else the desk's; with its host, as a path that begins with "//" names another. */
function onThisSite(kept) {
  const url = typeof kept === "string" && kept.startsWith("/") ? new URL(kept, location.origin) : null;
  return url?.origin === location.origin ? url.href : `${location.origin}/admin`;
}

/** On /signed-in: exchanges the code for a token and returns where to go on. Throws with words for people. */
export async function comeBack() {
  const answer = new URLSearchParams(location.search);
  const pending = read(PENDING);
  sessionStorage.removeItem(PENDING);
  // What was kept came from location itself, and is checked all the same.
  const back = onThisSite(pending?.back);
  if (answer.has("error")) throw new Error((language === "en" && answer.get("error_description")) || t("sign_in.bad.refused"));
  if (!answer.has("code")) return back;
  if (!pending?.state || answer.get("state") !== pending.state) throw new Error(t("sign_in.bad.other_tab"));
  const grant = {
    grant_type: "authorization_code",
    code: answer.get("code"),
    code_verifier: pending.verifier,
    redirect_uri: home,
  };
  const token = await ask(grant);
  if (!token) throw new Error(t("sign_in.bad.late"));
  store(token);
  return back;
}

async function ask(grant) {
  const body = new URLSearchParams({ client_id: config.client_id, ...grant });
  try {
    const response = await fetch(`${config.url}/oauth2/token`, { method: "POST", body });
    return response.ok ? await response.json() : null;
  } catch {
    return null;
  }
}

function store(answer) {
  const token = answer.id_token;
  keep(SESSION, { token, until: claimsOf(token).exp, refresh: answer.refresh_token ?? null });
  return token;
}
