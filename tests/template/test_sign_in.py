"""How people sign in to the pages on AWS: the pool's own pages, and back to the page that takes them in."""

from typing import Any

from orders.web.callers import SHOP_SCOPE
from orders.web.routes import ROUTES
from tests.harness.cloudformation import expanded

TEMPLATE: dict[str, Any] = expanded()
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


def test_a_shop_s_system_gets_tokens_by_its_own_credentials_with_one_scope() -> None:
    server, client = (RESOURCES[name]["Properties"] for name in ("OrdersResourceServer", "ShopClient"))
    assert (
        [f"{server['Identifier']}/{scope['ScopeName']}" for scope in server["Scopes"]]
        == client["AllowedOAuthScopes"]
        == [SHOP_SCOPE]
    )
    assert (client["AllowedOAuthFlows"], client["GenerateSecret"]) == (["client_credentials"], True)
    assert RESOURCES["ShopClient"]["DependsOn"] == "OrdersResourceServer"
    # Its tokens come from the pool's domain, whether people sign in there or not.
    assert RESOURCES["UserPoolDomain"]["Condition"] == RESOURCES["ShopClient"]["Condition"] == "OwnUserPool"


def test_people_s_tokens_never_have_the_scope_of_a_shop() -> None:
    assert SHOP_SCOPE not in when_signing_in(CLIENT["AllowedOAuthScopes"])


def test_the_api_takes_the_tokens_of_both_clients() -> None:
    authorizer = RESOURCES["Api"]["Properties"]["Body"]["components"]["securitySchemes"]["Jwt"][
        "x-amazon-apigateway-authorizer"
    ]
    own = [audience["Fn::If"][1] for audience in authorizer["jwtConfiguration"]["audience"]]
    assert own == [{"Ref": "UserPoolClient"}, {"Ref": "ShopClient"}]


def test_a_second_factor_can_be_required_and_is_never_off() -> None:
    pool = RESOURCES["UserPool"]["Properties"]
    assert pool["MfaConfiguration"] == {"Ref": "Mfa"}
    assert TEMPLATE["Parameters"]["Mfa"]["AllowedValues"] == ["OPTIONAL", "ON"]
    # An app's codes: a text message can be taken over with the telephone number, and costs.
    assert pool["EnabledMfas"] == ["SOFTWARE_TOKEN_MFA"]
