// The reader's language, which the page was sent in: its texts, by their keys, and its numbers.

const root = document.documentElement;

/** The language alone: "de". */
export const language = root.lang.split("-")[0] || "en";

// A reader's own way of writing dates and numbers comes first, if it is one of the page's language.
const own = navigator.languages?.find((tag) => tag.split("-")[0] === language);

/** The language with its region, for dates and numbers: "de-AT". */
export const locale = own ?? (language === "en" ? "en-GB" : root.lang);

const { TABLES, TEXTS, MESSAGES } = await import(`./catalog-${language}.js`);

/** The table of sentences in the reader's language. */
export { TABLES };

const plurals = new Intl.PluralRules(language);
const numbers = new Intl.NumberFormat(locale);
const isolates = root.dir === "rtl" ? ["\u2068", "\u2069"] : ["", ""];

/** A number as the reader writes it. */
export const number = (value) => numbers.format(value);

/** A text with its values; from right to left, each keeps the direction that it is written in. */
export const filled = (text, values) =>
  text.replaceAll(/\{(\w+)\}/g, (_, name) => `${isolates[0]}${values[name]}${isolates[1]}`);

/** A text of the catalog, filled; one with a `count` in the form that the number asks for. */
export function t(key, values = {}) {
  const text = TEXTS[key];
  const form = typeof text === "string" ? text : text[plurals.select(values.count)];
  return filled(form, "count" in values ? { ...values, count: number(values.count) } : values);
}

/** A text of the catalog in pieces, with elements in the places of its values. */
export const pieces = (key, elements) =>
  TEXTS[key].split(/\{(\w+)\}/).map((piece, place) => (place % 2 ? elements[piece] : piece));

/** A sentence of the API in the reader's language, which is English or one of those that are known; else undefined. */
export const told = (sentence) => (MESSAGES ? MESSAGES[sentence] : sentence);

/** Whether the catalog has a text. */
export const has = (key) => key in TEXTS;
