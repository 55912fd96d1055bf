"""What is owed to a subscriber, when it is tried again, and when nobody tries any more."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orders.domain.webhooks import (
    FAILING_LIMIT,
    LONGEST_HOLD,
    OVERLAP,
    RETRY_DELAYS,
    Attempt,
    Delivery,
    DeliveryStatus,
    Secret,
    Webhook,
    WebhookStatus,
    after_attempt,
    attempted,
    hold,
    new_secret,
    rotated,
)
from orders.web.webhook_views import delivery_view, webhook_view
from tests.harness.orders import START, later

WEBHOOK = Webhook("wh-1", "https://receiver.test/", (), (Secret("whsec_b2xk"),), START)
DELIVERY = Delivery("wh-1", "evt-1", "OrderStatusChanged", "{}", START)
FAILED, TAKEN, GONE = Attempt(START, 12, 500), Attempt(START, 12, 204), Attempt(START, 12, 410)
SECONDS = (5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)


def test_the_delays_are_those_of_the_standard() -> None:
    assert tuple(delay.total_seconds() for delay in RETRY_DELAYS) == SECONDS


def test_a_delivery_is_tried_ten_times_over_three_days_and_then_given_up() -> None:
    delivery, now, waited = DELIVERY, START, []
    while True:
        delivery = attempted(delivery, replace(FAILED, at=now))
        if delivery.next_attempt_at is None:
            break
        waited.append((delivery.next_attempt_at - now).total_seconds())
        now = delivery.next_attempt_at
        assert delivery.status is DeliveryStatus.PENDING
    assert tuple(waited) == SECONDS
    assert delivery.status is DeliveryStatus.FAILED
    assert len(delivery.attempts) == 10
    assert now - START == timedelta(seconds=sum(SECONDS))


@pytest.mark.parametrize("failures", range(10))
def test_a_success_ends_it_whenever_it_comes(failures: int) -> None:
    delivery = DELIVERY
    for _ in range(failures):
        delivery = attempted(delivery, FAILED)
    done = attempted(delivery, TAKEN)
    assert (done.status, done.next_attempt_at) == (DeliveryStatus.SUCCEEDED, None)
    assert len(done.attempts) == failures + 1


@pytest.mark.parametrize("code", [199, 300, 302, 400, 404, 429, 500, 503, None])
def test_anything_but_a_2xx_is_a_failure(code: int | None) -> None:
    attempt = Attempt(START, 1, code, None if code else "No answer in time.")
    assert not attempt.succeeded
    assert attempted(DELIVERY, attempt).status is DeliveryStatus.PENDING


def test_410_ends_the_delivery_and_the_subscription() -> None:
    assert attempted(DELIVERY, GONE).status is DeliveryStatus.FAILED
    result = after_attempt(WEBHOOK, GONE)
    assert result.status is WebhookStatus.DISABLED
    assert not result.wants("OrderStatusChanged")
    assert webhook_view(result)["disabled_reason"]


def test_five_days_of_failure_without_a_success_end_the_subscription() -> None:
    webhook = after_attempt(WEBHOOK, FAILED)
    assert webhook.failing_since == START
    almost = after_attempt(webhook, replace(FAILED, at=START + FAILING_LIMIT - timedelta(seconds=1)))
    assert almost.status is WebhookStatus.ACTIVE
    assert after_attempt(almost, replace(FAILED, at=START + FAILING_LIMIT)).status is WebhookStatus.DISABLED
    healthy = after_attempt(almost, TAKEN)
    assert healthy.failing_since is None
    assert after_attempt(healthy, replace(FAILED, at=START + FAILING_LIMIT)).status is WebhookStatus.ACTIVE


@given(st.integers(0, 90_000_000))
def test_a_queue_holds_it_in_goes_that_it_can_hold_and_never_wakes_it_early(milliseconds: int) -> None:
    due = START + timedelta(milliseconds=milliseconds)
    delivery, now, goes = replace(DELIVERY, next_attempt_at=due), START, 0
    while seconds := hold(delivery, now):
        assert 0 < seconds <= LONGEST_HOLD.total_seconds() <= 900
        now += timedelta(seconds=seconds)
        goes += 1
    assert due <= now < due + timedelta(seconds=1)
    assert goes <= milliseconds / 900_000 + 1


def test_what_was_never_tried_is_due_at_once() -> None:
    assert hold(DELIVERY, START) == 0


def test_for_a_day_after_a_rotation_both_secrets_sign() -> None:
    webhook = rotated(WEBHOOK, "whsec_bmV3", START)
    assert webhook.signing(START) == ("whsec_bmV3", "whsec_b2xk")
    assert webhook.signing(START + OVERLAP - timedelta(seconds=1)) == ("whsec_bmV3", "whsec_b2xk")
    assert webhook.signing(START + OVERLAP) == ("whsec_bmV3",)
    twice = rotated(webhook, "whsec_bmV3ZXN0", later(60))
    assert twice.signing(later(61)) == ("whsec_bmV3ZXN0", "whsec_bmV3", "whsec_b2xk")
    assert twice.signing(START + OVERLAP) == ("whsec_bmV3ZXN0", "whsec_bmV3"), "each for a day of its own"


def test_a_secret_is_shown_when_it_is_made_and_never_again() -> None:
    secret = new_secret(bytes(range(24)))
    assert secret.startswith("whsec_")
    assert webhook_view(WEBHOOK, secret)["secret"] == secret
    assert "secret" not in str(webhook_view(WEBHOOK)).replace("secrets", "")
    assert "whsec_" not in str(webhook_view(WEBHOOK))


def test_a_subscriber_gets_what_it_asked_for() -> None:
    assert WEBHOOK.wants("STEP_STARTED")
    some = replace(WEBHOOK, events=("OrderStatusChanged",))
    assert some.wants("OrderStatusChanged")
    assert not some.wants("STEP_STARTED")


def test_each_attempt_is_listed_with_what_became_of_it() -> None:
    delivery = attempted(attempted(DELIVERY, FAILED), Attempt(later(5), 10_000, None, "No answer in time."))
    view = delivery_view(delivery)
    assert [(one["status_code"], one["duration_ms"], one["error"]) for one in view["attempts"]] == [
        (500, 12, None),
        (None, 10_000, "No answer in time."),
    ]
    assert view["next_attempt_at"] == "2026-11-20T12:05:05.000Z"
    assert "payload" not in view
