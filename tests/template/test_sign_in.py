"""How people sign in to the pages on AWS: the pool's own pages, and back to the page that takes them in."""

from pathlib import Path
from typing import Any

from local.stack.template import expand
from orders.web.routes import ROUTES

ROOT = Path(__file__).parents[2]
TEMPLATE: dict[str, Any] = expand(ROOT / "template.yaml")
RESOURCES: dict[str, Any] = TEMPLATE["Resources"]
CLIENT = RESOURCES["UserPoolClient"]["Properties"]


def when_signing_in(value: dict[str, Any]) -> Any:
    condition, wanted, _ = value["Fn::If"]
    assert condition == "SignsInItself"
    return wanted


def test_a_sign_in_comes_back_to_a_route_there_is() -> None:
    for addresses in (CLIENT["CallbackURLs"], CLIENT["LogoutURLs"]):
        (address,) = when_signing_in(addresses)
        assert address["Fn::Sub"].startswith("${PagesUrl}/")
        assert f"GET {address['Fn::Sub'].removeprefix('${PagesUrl}')}" in ROUTES


def test_a_browser_signs_in_by_code_and_keeps_no_secret() -> None:
    assert when_signing_in(CLIENT["AllowedOAuthFlows"]) == ["code"]
    assert CLIENT["GenerateSecret"] is False


def test_the_pages_are_told_the_address_of_the_pool_s_own_pages() -> None:
    told = next(r for r in RESOURCES.values() if r["Type"] == "AWS::Lambda::Function")["Properties"]["Environment"]["Variables"]
    address = when_signing_in(told["SIGN_IN_URL"])["Fn::Sub"]
    assert address.startswith("https://${UserPoolDomain}.auth.${AWS::Region}.")
    assert RESOURCES["UserPoolDomain"]["Condition"] == "SignsInItself"


def test_a_second_factor_can_be_required_and_is_never_off() -> None:
    pool = RESOURCES["UserPool"]["Properties"]
    assert pool["MfaConfiguration"] == {"Ref": "Mfa"}
    assert TEMPLATE["Parameters"]["Mfa"]["AllowedValues"] == ["OPTIONAL", "ON"]
    # An app's codes: a text message can be taken over with the telephone number, and costs.
    assert pool["EnabledMfas"] == ["SOFTWARE_TOKEN_MFA"]
