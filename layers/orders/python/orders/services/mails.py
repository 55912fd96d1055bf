"""E-mails to customers about their orders, where the deployment has a sender."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from orders import logs, settings
from orders.adapters import mail_service
from orders.adapters.mail_service import MailRefused
from orders.adapters.store import mails as store
from orders.domain import languages, mails
from orders.domain.errors import NotFound
from orders.domain.identifiers import OrderId
from orders.domain.mails import UNSUBSCRIBABLE, Mail, MailKind, MailStatus, Suppression
from orders.domain.order import Order
from orders.services import keys, letters, reading, tracking_links
from orders.services.changes import Clock, utc_now

logger = logs.logger()


def send(detail: Mapping[str, Any], clock: Clock = utc_now) -> None:
    """Sends the mail that is due for a change, once: a repetition finds it sent.

    Where the process ends between sending and recording, it is sent again: a mail too many is better than none.
    """
    kind, order_id = MailKind(detail["mail"]), OrderId(detail["order_id"])
    try:
        snapshot = reading.to_show(order_id)
    except NotFound:
        return
    order, mail_id = snapshot.order, str(detail["event_id"])
    address = order.contact.email if order.contact else None
    if address is None or store.find(order_id, mail_id):
        return
    language = languages.language_of(order.contact.locale if order.contact else None)
    links = _links(order, kind, address, language)
    letter = letters.written(kind, language, mails.values_of(snapshot, links, detail), settings.shop())
    mail = Mail(mail_id, kind, MailStatus.SENT, clock(), language, address, letter.subject, letter.text)
    status, reason = _sent(mail, letter.html or "", links["unsubscribe_url"])
    store.keep(order_id, replace(mail, status=status, reason=reason))
    say = logger.info if status is MailStatus.SENT else logger.warning
    say("Mail", mail=kind, status=status, reason=reason)


def _sent(mail: Mail, html: str, unsubscribe_url: str) -> tuple[MailStatus, str | None]:
    why = store.suppressed(mails.digest_of(mail.to or ""))
    if why and why.stops(mail.kind):
        return MailStatus.SUPPRESSED, why.value
    try:
        mail_service.send(mail.to or "", mail.subject or "", mail.text or "", html, unsubscribe_url)
    except MailRefused as refusal:
        return MailStatus.REFUSED, str(refusal)
    return MailStatus.SENT, None


def _links(order: Order, kind: MailKind, address: str, language: str) -> dict[str, str]:
    """The addresses in a mail; none where the deployment does not know its own."""
    site = settings.pages_url().rstrip("/")
    token = tracking_links.seal(UNSUBSCRIBE, mails.digest_of(address), keys.signing_key()) if site else ""
    return {
        "tracking_url": f"{site}{tracking_links.tracking_path(order)}" if site else "",
        "unsubscribe_url": f"{site}/unsubscribe?token={token}&lang={language}" if site and kind in UNSUBSCRIBABLE else "",
    }


UNSUBSCRIBE = "unsubscribe"


def unsubscribe(digest: str, clock: Clock = utc_now) -> None:
    """The holder of the address wants no more mail that they can do without."""
    store.suppress(digest, Suppression.UNSUBSCRIBED, clock())


def take_report(report: Mapping[str, Any], clock: Clock = utc_now) -> None:
    """What SES says of a mail: one that came back for good, or was called spam, is the last to its address."""
    match report.get("eventType"):
        case "Bounce" if report["bounce"].get("bounceType") == "Permanent":
            found, why = report["bounce"].get("bouncedRecipients", ()), Suppression.BOUNCE
        case "Complaint":
            found, why = report["complaint"].get("complainedRecipients", ()), Suppression.COMPLAINT
        case _:
            return
    for recipient in found:
        store.suppress(mails.digest_of(recipient["emailAddress"]), why, clock())
    logger.warning("Mail came back", reason=why, addresses=len(found))


def of_order(order_id: OrderId) -> list[Mail]:
    """The mails about an order, oldest first."""
    return store.of_order(order_id)
