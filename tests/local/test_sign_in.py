"""The local stand-in for the hosted sign-in: authorization code with PKCE, and nobody is sent anywhere else."""

import base64
import hashlib
import json
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from local.api_gateway.keys import AUDIENCE, Issuer, new_key
from local.api_gateway.sign_in import AUTHORIZE, CODE_SECONDS, LOGOUT, TOKEN, SignIn

HOME = "http://127.0.0.1:3000/signed-in"
VERIFIER = "a verifier of the page's own"
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
HOST = {"host": "127.0.0.1:3000"}
ASKED = {
    "response_type": "code",
    "client_id": AUDIENCE,
    "redirect_uri": HOME,
    "state": "state-1",
    "code_challenge": CHALLENGE,
    "code_challenge_method": "S256",
}
KEY = new_key()


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def issuer() -> Issuer:
    return Issuer("http://127.0.0.1:3000", KEY)


@pytest.fixture
def sign_in(issuer: Issuer, clock: Clock) -> SignIn:
    return SignIn(issuer, clock)


def get(sign_in: SignIn, path: str, asked: dict[str, str], host: str = HOST["host"]) -> tuple[int, dict[str, str], str]:
    reply = sign_in.answer("GET", path, urlencode(asked), {"host": host}, b"")
    assert reply
    return reply[0], dict(reply[1]), reply[2].decode()


def code_for(sign_in: SignIn, person: str) -> str:
    status, headers, _ = get(sign_in, AUTHORIZE, ASKED | {"person": person})
    back = urlsplit(headers["location"])
    assert (status, f"{back.scheme}://{back.netloc}{back.path}") == (302, HOME)
    answer = parse_qs(back.query)
    assert answer["state"] == ["state-1"]
    return answer["code"][0]


def change(sign_in: SignIn, code: str, origin: str | None = None, **instead: str) -> tuple[int, dict[str, str], dict[str, str]]:
    grant = {"grant_type": "authorization_code", "code": code, "code_verifier": VERIFIER, "redirect_uri": HOME} | instead
    headers = HOST | ({"origin": origin} if origin else {})
    reply = sign_in.answer("POST", TOKEN, "", headers, urlencode(grant).encode())
    assert reply
    return reply[0], dict(reply[1]), json.loads(reply[2])


def test_a_person_who_is_chosen_gets_a_token_of_their_own(sign_in: SignIn, issuer: Issuer) -> None:
    _, _, page = get(sign_in, AUTHORIZE, ASKED)
    assert "Sam" in page
    status, headers, answer = change(sign_in, code_for(sign_in, "sam"))
    claims = issuer.claims(answer["id_token"], [AUDIENCE])
    assert (status, headers["cache-control"]) == (200, "no-store")
    assert (claims["sub"], claims["cognito:groups"]) == ("sam", ["support"])


def test_anybody_else_is_a_customer(sign_in: SignIn, issuer: Issuer) -> None:
    _, _, answer = change(sign_in, code_for(sign_in, "somebody"))
    claims = issuer.claims(answer["id_token"], [AUDIENCE])
    assert claims["sub"] == "somebody"
    assert "cognito:groups" not in claims


def test_a_code_is_good_once_soon_and_with_its_verifier(sign_in: SignIn, clock: Clock) -> None:
    code = code_for(sign_in, "ada")
    assert change(sign_in, code)[0] == 200
    assert change(sign_in, code)[2] == {"error": "invalid_grant"}
    assert change(sign_in, code_for(sign_in, "ada"), code_verifier="another")[0] == 400
    assert change(sign_in, code_for(sign_in, "ada"), redirect_uri=f"{HOME}/")[0] == 400
    late = code_for(sign_in, "ada")
    clock.now += CODE_SECONDS + 1
    assert change(sign_in, late)[0] == 400


@pytest.mark.parametrize(
    "instead",
    [
        {"redirect_uri": "https://elsewhere.example/signed-in"},
        {"redirect_uri": "http://127.0.0.1:3001/signed-in"},
        {"redirect_uri": "http://127.0.0.1:3000.elsewhere.example/"},
        {"redirect_uri": "http://127.0.0.1:3000@elsewhere.example/"},
        {"redirect_uri": "javascript://127.0.0.1:3000/"},
        {"redirect_uri": "javascript:alert(1)"},
        {"redirect_uri": "//elsewhere.example/signed-in"},
        {"redirect_uri": "/\\elsewhere.example/signed-in"},
        {"redirect_uri": "https:elsewhere.example"},
        {"redirect_uri": "//127.0.0.1:3000/signed-in"},
        {"redirect_uri": "http://127.0.0.1:3000\\@elsewhere.example/signed-in"},
        {"redirect_uri": "http://127.0.0.1:3000/\\elsewhere.example"},
        {"redirect_uri": "\thttp://127.0.0.1:3000/signed-in"},
        {"redirect_uri": "http://127.0.0.1:3000/signed-in\r\nset-cookie: a=b"},
        {"redirect_uri": "http://127.0.0.1:3000/signed-in\n"},
        {"redirect_uri": "http://127.0.0.1:3000//elsewhere.example"},
        {"redirect_uri": "http://127.0.0.1:3000/signed-in?next=x"},
        {"redirect_uri": "http://127.0.0.1:3000/admin"},
        {"redirect_uri": ""},
        {"client_id": "another"},
        {"code_challenge": ""},
        {"code_challenge_method": "plain"},
    ],
)
def test_nobody_is_sent_elsewhere_or_let_in_without_a_challenge(sign_in: SignIn, instead: dict[str, str]) -> None:
    assert get(sign_in, AUTHORIZE, ASKED | instead | {"person": "alex"})[0] == 400


def test_signing_out_comes_back_here_and_nowhere_else(sign_in: SignIn) -> None:
    assert get(sign_in, LOGOUT, {"logout_uri": HOME})[1]["location"] == HOME
    for elsewhere in (
        "https://elsewhere.example/",
        "//elsewhere.example",
        "/\\elsewhere.example",
        f"{HOME}\r\nx: y",
        f"{HOME}/",
    ):
        assert get(sign_in, LOGOUT, {"logout_uri": elsewhere})[0] == 400


def test_a_page_of_another_origin_gets_no_token(sign_in: SignIn) -> None:
    assert change(sign_in, code_for(sign_in, "alex"), origin="https://elsewhere.example")[0] == 400
    status, headers, _ = change(sign_in, code_for(sign_in, "alex"), origin="http://localhost:3000")
    assert (status, headers["access-control-allow-origin"]) == (200, "http://localhost:3000")


def test_a_name_that_somebody_has_resolved_to_this_machine_is_not_answered(sign_in: SignIn) -> None:
    assert sign_in.answer("GET", AUTHORIZE, urlencode(ASKED), {"host": "elsewhere.example:3000"}, b"") is None


def test_what_is_asked_cannot_become_markup(sign_in: SignIn) -> None:
    _, headers, page = get(sign_in, AUTHORIZE, ASKED | {"state": '"><script>alert(1)</script>'})
    assert "<script" not in page
    assert "default-src 'none'" in headers["content-security-policy"]
