// The fields of an address, for whoever changes where a parcel goes.

import { t } from "./language.js";

const PARTS = [
  ["name", "name", 100, true],
  ["company", "organization", 100, false],
  ["line1", "address-line1", 200, true],
  ["line2", "address-line2", 200, false],
  ["city", "address-level2", 100, false],
  ["region", "address-level1", 100, false],
  ["postal_code", "postal-code", 20, false],
  ["country", "country-name", 56, true],
  ["phone", "tel", 32, false],
];

/** The fields with what the address has now; `own` is whether it is that of the person who fills them in. */
export const addressFields = (address, own = true) =>
  PARTS.map(([name, autocomplete, most, required]) => ({
    name,
    label: t(`address.${name}`),
    autocomplete: own ? autocomplete : "off",
    most,
    required,
    value: address[name],
  }));
