// Money, times and addresses as the reader writes them.

import { MINOR_UNITS } from "./currencies.js";
import { locale, t } from "./language.js";

const clock = new Intl.DateTimeFormat(locale, { hour: "numeric", minute: "2-digit" });
const exact = new Intl.DateTimeFormat(locale, { hour: "numeric", minute: "2-digit", second: "2-digit" });
const weekday = new Intl.DateTimeFormat(locale, { weekday: "long" });
const day = new Intl.DateTimeFormat(locale, { weekday: "long", day: "numeric", month: "long" });
const whole = new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: "medium" });
const brief = new Intl.DateTimeFormat(locale, { day: "numeric", month: "short" });
const near = new Intl.RelativeTimeFormat(locale, { numeric: "auto" });
const past = new Intl.RelativeTimeFormat(locale, { style: "short" });

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

const formats = new Map();

function formatOf(currency, digits) {
  if (!formats.has(currency)) {
    const fraction = { minimumFractionDigits: digits, maximumFractionDigits: digits };
    formats.set(currency, new Intl.NumberFormat(locale, { style: "currency", currency, ...fraction }));
  }
  return formats.get(currency);
}

/** { amount, currency } of minor units, as people write it. */
export function money({ amount, currency }) {
  const digits = MINOR_UNITS[currency] ?? 2;
  return formatOf(currency, digits).format(amount / 10 ** digits);
}

/** An amount as people write it ("5.00"), in minor units; what is none becomes null, which the API refuses. */
export function minorUnits(text, currency) {
  const amount = Number(text.replace(",", ".")) * 10 ** (MINOR_UNITS[currency] ?? 2);
  const rounded = Math.round(amount);
  return Math.abs(amount - rounded) < 1e-6 ? rounded : null;
}

/** What an order's total has besides its lines, each by its name: nothing where the lines are all. */
export const sumsOf = (order) =>
  [
    [t("order.discount"), order.discount_total, -1],
    [t("order.shipping"), order.shipping_total, 1],
    [t("order.tax"), order.tax_total, 1],
  ]
    .filter(([, sum]) => sum?.amount)
    .map(([name, sum, sign]) => [name, money({ ...sum, amount: sign * sum.amount })]);

/** The reader's time zone, in words: "Central European Standard Time". */
export const zone = () =>
  new Intl.DateTimeFormat(locale, { timeZoneName: "long" })
    .formatToParts(new Date())
    .find((part) => part.type === "timeZoneName")?.value ?? "";

const midnight = (date) => new Date(date.getFullYear(), date.getMonth(), date.getDate());
const daysBetween = (from, to) => Math.round((midnight(to) - midnight(from)) / DAY);

/** Whether it is the reader's day of today. */
export const isToday = (text, now = new Date()) => daysBetween(now, new Date(text)) === 0;

/** Yesterday, today and tomorrow by their names; any other day has none. */
const named = (days) => (Math.abs(days) < 2 ? near.format(days, "day") : null);

/** A moment of the past or future, with as much of its date as is needed to tell the day. */
export function moment(text, now = new Date()) {
  const date = new Date(text);
  return t("time.at", { day: named(daysBetween(now, date)) ?? day.format(date), time: clock.format(date) });
}

/** A moment in the fewest words: its time if it is today, else its day with it. */
export function short(text, now = new Date()) {
  const date = new Date(text);
  return isToday(text, now) ? clock.format(date) : `${brief.format(date)}, ${clock.format(date)}`;
}

/** When it should be there, in words: near times are counted, far ones named. */
export function arrival(text, now = new Date()) {
  const date = new Date(text);
  const ahead = date - now;
  const at = clock.format(date);
  if (ahead <= 0) return t("arrival.now");
  if (ahead < 10 * SECOND) return t("arrival.soon");
  if (ahead < 50 * SECOND) return t("arrival.seconds", { count: Math.ceil(ahead / (10 * SECOND)) * 10 });
  if (ahead < 90 * SECOND) return t("arrival.minute");
  if (ahead < 50 * MINUTE) return t("arrival.minutes", { count: Math.round(ahead / MINUTE), time: at });
  const days = daysBetween(now, date);
  const known = named(days) ?? t("arrival.on", { day: (days < 7 ? weekday : day).format(date) });
  return days < 7 ? t("arrival.around", { day: known, time: at }) : known;
}

/** The day that is meant, where no time of day is: carriers give a day as its midnight in UTC. */
export function dayOf(text) {
  const [, year, month, date] = /^(\d{4})-(\d\d)-(\d\d)T00:00:00(?:\.0+)?Z$/.exec(text ?? "") ?? [];
  return year ? new Date(year, month - 1, date) : null;
}

/** Whether a day is over. */
export const isOver = (date, now = new Date()) => daysBetween(now, date) < 0;

/** A day by its name: "today", "on Wednesday". */
export function dayName(date, now = new Date()) {
  const days = daysBetween(now, date);
  return named(days) ?? t("arrival.on", { day: (days > 0 && days < 7 ? weekday : day).format(date) });
}

/** How long ago, in words. */
export function ago(text, now = new Date()) {
  const gone = now - new Date(text);
  if (gone < 5 * SECOND) return t("ago.now");
  if (gone < MINUTE) return past.format(-Math.floor(gone / SECOND), "second");
  if (gone < HOUR) return past.format(-Math.floor(gone / MINUTE), "minute");
  if (gone < DAY) return past.format(-Math.floor(gone / HOUR), "hour");
  return moment(text, now);
}

/** A length of time in seconds, in two of its largest units at most. */
export function span(seconds) {
  if (seconds < 1) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 60) return `${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;
  if (seconds < 86400) return `${Math.floor(seconds / 3600)} h ${Math.round((seconds % 3600) / 60)} min`;
  return `${Math.floor(seconds / 86400)} d ${Math.round((seconds % 86400) / 3600)} h`;
}

export const exactTime = (text) => exact.format(new Date(text));
export const full = (text) => whole.format(new Date(text));

/** An address's lines, the recipient's name first. */
export const addressLines = ({ name, company, line1, line2, postal_code: code, city, region, country }) =>
  [name, company, line1, line2, [code, city].filter(Boolean).join(" "), region, country].filter(Boolean);
