"""What a request may look like before anybody reads its body: known without loading the models of bodies."""

LARGEST_BODY = 64 * 1024
LARGEST_CARRIER_BODY = 256 * 1024

IDEMPOTENCY_KEY = r"^[\x21-\x7e]([\x20-\x7e]{0,253}[\x21-\x7e])?$"
ORDER_ID = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
