"""A production stack takes no simulated payments and ships with no simulated carrier, unless it is told to by name."""

import json

import pytest

from local.stack.parameters import broken_rules
from local.stack.template import TemplateInvalid, expand
from orders import settings
from orders.adapters.carriers.registry import parcel_carrier
from orders.domain.steps import ShippingRefused
from tests.harness.cloudformation import TEMPLATE
from tests.harness.events import http_event, invoke
from tests.harness.orders import CUP, HOME
from tests.harness.world import World


@pytest.fixture
def production(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setenv("DEPLOYMENT_STAGE", "prod")
    return monkeypatch


REAL = {"PaymentProvider": "stripe", "CarrierProvider": "none", "PreparationMode": "warehouse"}


@pytest.mark.parametrize(
    "given", [{}, {"PaymentProvider": "stripe"}, {"CarrierProvider": "none", "PreparationMode": "warehouse"}]
)
def test_the_template_refuses_simulated_parties_in_production(given: dict[str, str]) -> None:
    with pytest.raises(TemplateInvalid, match="AllowSimulated=true"):
        expand(TEMPLATE, {"Stage": "prod", **given})


def test_no_timer_ships_where_there_is_no_carrier() -> None:
    with pytest.raises(TemplateInvalid, match="PreparationMode warehouse"):
        expand(TEMPLATE, {"CarrierProvider": "none"})


def test_production_is_deployed_with_real_parties() -> None:
    values = expand(TEMPLATE, {"Stage": "prod", **REAL})["Parameters"]
    assert {name: values[name]["Default"] for name in REAL} == REAL


def test_rules_let_through_what_they_are_not_about() -> None:
    rule = {"RuleCondition": {"Fn::Equals": [{"Ref": "A"}, "1"]}, "Assertions": [{"Assert": False, "AssertDescription": "no"}]}
    declared = {"A": {"Type": "String", "Default": "2"}}
    assert broken_rules({"Parameters": declared, "Rules": {"One": rule}}) == []
    assert broken_rules({"Parameters": {"A": declared["A"] | {"Default": "1"}}, "Rules": {"One": rule}}) == ["no"]


def test_functions_refuse_simulated_parties_in_production(production: pytest.MonkeyPatch) -> None:
    for ask in (settings.payment_provider, settings.carrier_provider):
        with pytest.raises(settings.NotInProduction):
            ask()
    production.setenv("PAYMENT_PROVIDER", "stripe")
    production.setenv("CARRIER_PROVIDER", "none")
    assert (settings.payment_provider(), settings.carrier_provider()) == ("stripe", "none")


def test_a_rehearsal_says_so_by_name(production: pytest.MonkeyPatch) -> None:
    production.setenv("ALLOW_SIMULATED", "true")
    assert (settings.payment_provider(), settings.carrier_provider()) == ("simulated", "simulated")


def test_health_and_the_desk_say_who_is_in_use(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAYMENT_PROVIDER", "stripe")
    monkeypatch.setenv("CARRIER_PROVIDER", "none")
    health = json.loads(invoke("show_docs", http_event("GET /health"))["body"])
    assert health == {"status": "ok", "payment_provider": "stripe", "carrier_provider": "none"}
    assert "Payments: stripe, carrier: none" in invoke("show_pages", http_event("GET /admin"))["body"]


def test_without_a_carrier_a_parcel_brings_its_own_tracking_number(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CARRIER_PROVIDER", "none")
    with pytest.raises(ShippingRefused, match="tracking_number"):
        parcel_carrier().book("ship-1", HOME, (CUP,))
    world.place()
    world.step("reserve_stock")
    world.step("charge_payment")
    key = "POST /orders/{id}/shipments"
    refused = world.support(key, "order-1", {})
    assert (refused.status, refused.code) == (409, "FAILED_PRECONDITION")
    assert world.order().status == "PROCESSING"
    handed = world.support(key, "order-1", {"tracking_number": "1Z999", "carrier": "UPS"})
    assert handed.order["status"] == "SHIPPED"
    assert handed.body["shipment"]["tracking_number"] == "1Z999"
