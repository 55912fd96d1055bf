"""The simulated payment provider that is built in (``docs/simulation.md``)."""

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, ClassVar

from orders import settings
from orders.adapters.payments.protocol import Intent, PaymentGateway
from orders.adapters.random_faults import maybe_fail
from orders.adapters.store import keys, ledgers
from orders.adapters.store.ledgers import Entry
from orders.domain.errors import GatewayUnavailable
from orders.domain.payment import GatewayOutcome, NextAction, OutcomeKind
from orders.domain.statuses import PaymentMethod

HELD, CHARGED, REFUNDED = "held", "charged", "refunded"
WAITING, PENDING = "requires_action", "pending"
DECLINED, VOIDED = "declined", "voided"

_KINDS: Mapping[str, OutcomeKind] = MappingProxyType(
    {
        **dict.fromkeys((HELD, CHARGED, REFUNDED), OutcomeKind.SETTLED),
        **dict.fromkeys((DECLINED, VOIDED), OutcomeKind.DECLINED),
        WAITING: OutcomeKind.ACTION_REQUIRED,
        PENDING: OutcomeKind.PENDING,
    }
)

DAY = 86_400
HELD_FOR, HELD_AT_MOST_FOR = 7 * DAY, 3600
"""For how many seconds money is held, and for how many with the token of a hold that runs out."""

_REFUSES = re.compile(r"tok_refund_declined_(?P<times>\d+)")

Move = Callable[[Entry], Entry | None]
"""What becomes of a ledger line; ``None`` where it stays as it is."""


class SimulatedGateway:
    """Deterministic by token and method, with its ledger in the table: one line for each payment.

    Its own id of a payment is made of the key. A line has its state and its amount; of money that is held each capture, and
    each refund, by its own id. Without captures the whole amount is captured where the state says so.
    """

    _FAULT = re.compile(r"tok_(?P<kind>flaky|timeout)_(?P<times>\d+)")
    _REFUSALS: ClassVar = {"tok_declined": "The card was declined.", "tok_insufficient_funds": "Insufficient funds."}
    _STATES: ClassVar = {"tok_requires_action": WAITING, "tok_async": PENDING, **dict.fromkeys(_REFUSALS, DECLINED)}

    def open(self, intent: Intent) -> str:
        """See ``PaymentGateway.open``."""
        maybe_fail(_unavailable())
        return f"sim_{intent.key}"

    def authorize(self, intent: Intent) -> GatewayOutcome:
        """See ``PaymentGateway.authorize``."""
        time.sleep(settings.simulated_gateway_seconds())
        maybe_fail(_unavailable())
        fault = self._FAULT.fullmatch(intent.token or "")
        faults_left = fault is not None and ledgers.count_attempt(keys.charge_key(intent.key)) <= int(fault["times"])
        if fault and faults_left and fault["kind"] == "flaky":
            raise _unavailable()
        by_transfer = intent.method is PaymentMethod.BANK_TRANSFER
        state = self._STATES.get(intent.token or "", WAITING if by_transfer else _taken(intent.capture))
        entry = ledgers.open_entry(keys.charge_key(intent.key), state, _facts(intent))
        return GatewayOutcome(OutcomeKind.UNKNOWN) if faults_left else self._outcome(intent, entry)

    def capture(self, intent: Intent, capture_id: str, amount: int) -> GatewayOutcome:
        """See ``PaymentGateway.capture``."""
        maybe_fail(_unavailable())

        def captured(entry: Entry) -> Entry | None:
            captures: Mapping[str, int] = entry.facts.get("captures", {})
            if not _is_held(entry) or capture_id in captures or amount > entry.facts["amount"] - sum(captures.values()):
                return None
            if entry.facts.get("expires") or _has_run_out(entry):
                return _released(entry)
            used_up = {"released": True} if entry.facts.get("once") else {}
            return _moved(entry, CHARGED, captures={**captures, capture_id: amount}, **used_up)

        entry = _changed(intent, captured)
        if entry is None or capture_id not in entry.facts.get("captures", {}):
            return GatewayOutcome(OutcomeKind.DECLINED, reason="The money is held no longer.")
        return self._outcome(intent, entry)

    def renew(self, intent: Intent) -> GatewayOutcome:
        """See ``PaymentGateway.renew``."""
        maybe_fail(_unavailable())

        def renewed(entry: Entry) -> Entry | None:
            can_be = _is_held(entry) and not entry.facts.get("expires") and not _has_run_out(entry)
            return _moved(entry, entry.state, until=_now() + HELD_FOR) if can_be else None

        entry = _changed(intent, renewed)
        if entry is None or not _is_held(entry) or entry.facts.get("expires"):
            return GatewayOutcome(OutcomeKind.DECLINED, reason="The money cannot be held for longer.")
        return self._outcome(intent, entry)

    def void(self, intent: Intent) -> GatewayOutcome:
        """See ``PaymentGateway.void``."""
        maybe_fail(_unavailable())
        entry = ledgers.open_entry(keys.charge_key(intent.key), VOIDED, {})
        if entry.state in (HELD, WAITING, PENDING) or "captures" in entry.facts:
            entry = _changed(intent, _released) or entry
        return GatewayOutcome(OutcomeKind.SETTLED, captured=_captured(entry), refunded=_refunded(entry))

    def refund(self, intent: Intent, refund_id: str, amount: int) -> GatewayOutcome:
        """See ``PaymentGateway.refund``."""
        maybe_fail(_unavailable())

        def refunded(entry: Entry) -> Entry | None:
            refunds, left = entry.facts.get("refunds", {}), _captured(entry) - _refunded(entry)
            refused: list[str] = entry.facts.get("refused", [])
            if refund_id in refunds or refund_id in refused or not 0 < amount <= left:
                return None
            if len(refused) < entry.facts.get("refuses", 0):
                return _moved(entry, entry.state, refused=[*refused, refund_id])
            # Of money that is held more may be captured yet.
            is_all = amount == left and not _is_held(entry)
            return _moved(entry, REFUNDED if is_all else entry.state, refunds={**refunds, refund_id: amount})

        entry = _changed(intent, refunded)
        # A line that edition one refunded has no ids: it gave everything back.
        by_edition_one = entry is not None and entry.state == REFUNDED and "refunds" not in entry.facts
        if entry and refund_id in entry.facts.get("refused", []):
            return GatewayOutcome(OutcomeKind.DECLINED, reason="The customer's account is closed.")
        if entry is None or not (by_edition_one or refund_id in entry.facts.get("refunds", {})):
            return GatewayOutcome(OutcomeKind.DECLINED, reason="So much is not left to be refunded.")
        return self._outcome(intent, entry)

    def look_up(self, intent: Intent, reported: OutcomeKind | None = None) -> GatewayOutcome:
        """See ``PaymentGateway.look_up``. It believes what is reported; what was pending is settled when somebody looks."""
        entry = ledgers.entry(keys.charge_key(intent.key))
        if entry and (reported or entry.state == PENDING):
            entry = _changed(intent, _failed if reported is OutcomeKind.DECLINED else _settled)
        if entry and _is_held(entry) and _has_run_out(entry):
            entry = _changed(intent, _released)
        return self._outcome(intent, entry) if entry else GatewayOutcome(OutcomeKind.UNKNOWN)

    def _outcome(self, intent: Intent, entry: Entry) -> GatewayOutcome:
        kind = _KINDS[entry.state]
        declined = kind is OutcomeKind.DECLINED
        return GatewayOutcome(
            kind,
            captured=_captured(entry),
            refunded=_refunded(entry),
            next_action=_next_action(intent) if kind is OutcomeKind.ACTION_REQUIRED else None,
            reason=self._REFUSALS.get(intent.token or "", "The payment was cancelled.") if declined else None,
            expires_at=datetime.fromtimestamp(entry.facts["until"], UTC) if _is_held(entry) else None,
            captures_once=bool(entry.facts.get("once")),
        )


def _settled(entry: Entry) -> Entry | None:
    """The customer has done what was asked of them; the money of a transfer arrives even if nobody waits for it any more."""
    is_late = entry.state in (DECLINED, VOIDED) and entry.facts.get("transfer")
    is_open = entry.state in (WAITING, PENDING)
    held = {"until": _now() + HELD_FOR} if "captures" in entry.facts else {}
    return _moved(entry, _taken("captures" not in entry.facts), **held) if is_open or is_late else None


def _failed(entry: Entry) -> Entry | None:
    return _moved(entry, DECLINED) if entry.state in (WAITING, PENDING) else None


def _unavailable() -> GatewayUnavailable:
    return GatewayUnavailable("The payment gateway did not answer.")


def _taken(capture: bool) -> str:
    return CHARGED if capture else HELD


def _facts(intent: Intent) -> Mapping[str, Any]:
    facts: dict[str, Any] = {"amount": intent.amount.amount, "currency": intent.amount.currency}
    facts |= {} if intent.capture else _facts_of_hold(intent.token)
    refuses = _REFUSES.fullmatch(intent.token or "")
    facts |= {"refuses": int(refuses["times"])} if refuses else {}
    return facts | ({"transfer": True} if intent.method is PaymentMethod.BANK_TRANSFER else {})


def _facts_of_hold(token: str | None) -> Mapping[str, Any]:
    expires, once = token == "tok_hold_expires", token == "tok_capture_once"  # noqa: S105 - tests' tokens
    until = {"captures": {}, "until": _now() + (HELD_AT_MOST_FOR if expires else HELD_FOR)}
    return until | ({"expires": True} if expires else {}) | ({"once": True} if once else {})


def _now() -> int:
    return int(time.time())


def _is_held(entry: Entry) -> bool:
    return entry.state in (HELD, CHARGED) and "captures" in entry.facts and not entry.facts.get("released")


def _has_run_out(entry: Entry) -> bool:
    return bool(entry.facts["until"] <= time.time())


def _next_action(intent: Intent) -> NextAction:
    kind = "bank_transfer" if intent.method is PaymentMethod.BANK_TRANSFER else "redirect"
    return NextAction(kind, f"https://bank.example/{kind}/{intent.key}")


def _captured(entry: Entry) -> int:
    if "captures" in entry.facts:
        return sum(entry.facts["captures"].values())
    return int(entry.facts["amount"]) if entry.state in (CHARGED, REFUNDED) else 0


def _refunded(entry: Entry) -> int:
    return _captured(entry) if entry.state == REFUNDED else sum(entry.facts.get("refunds", {}).values())


def _released(entry: Entry) -> Entry | None:
    """The line with which no more is taken; what was captured stays."""
    if entry.state not in (HELD, WAITING, PENDING) and (entry.facts.get("released") or "captures" not in entry.facts):
        return None
    is_kept = _captured(entry) > _refunded(entry)
    return _moved(entry, CHARGED if is_kept else REFUNDED if _captured(entry) else VOIDED, released=True)


def _moved(entry: Entry, state: str, **facts: Any) -> Entry:
    return replace(entry, state=state, facts={**entry.facts, **facts})


def _changed(intent: Intent, move: Move) -> Entry | None:
    return ledgers.move(keys.charge_key(intent.key), move)


GATEWAY: PaymentGateway = SimulatedGateway()
