"""What a request may look like before anybody reads its body: known without loading the models of bodies."""

LARGEST_BODY = 64 * 1024
LARGEST_CARRIER_BODY = LARGEST_PROVIDER_BODY = 256 * 1024

IDEMPOTENCY_KEY = r"^[\x21-\x7e]([\x20-\x7e]{0,253}[\x21-\x7e])?$"
ORDER_ID = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"

RFC_3339 = r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)"

LONGEST_FOREIGN_ID = 128
PRINTED = r"[^\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]"
"""One character that is printed: no control character, no line break, none that makes a text read otherwise than it is."""
FOREIGN_ID = r"[^\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]{1,128}"
"""An id that others give: any printable characters. Halves of characters and those that XML, and so SQS, refuses are none."""
UNROUTED = frozenset("/?#")
"""What API Gateway takes for the end of a path's part, percent-encoded or not."""

LONGEST_EMAIL, LONGEST_TRACKING_NUMBER = 254, 100
EMAIL_PART = PRINTED[:-1] + r"@\s]"
EMAIL = rf"^{EMAIL_PART}+@{EMAIL_PART}+$"
"""What a mail server may take for an address: only sending to it tells more."""

MOST_METADATA, LARGEST_METADATA = 50, 16 * 1024
METADATA_NAME = FOREIGN_ID.replace("128", "40")
"""A shop's own data on an order: so many entries, so many bytes as JSON, and the names they may have."""

MOST_PARCELS = 90
"""How many parcels an order may have: a transaction that erases what is personal in it has an action for each."""
