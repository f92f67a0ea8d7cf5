"""An identity provider as a service sees it: a JWKS over HTTP on loopback, and tokens, good ones and made-up ones."""

import base64
import json
import time
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, HMACAlgorithm, RSAAlgorithm

from messaging_project.api.token_settings import AccessTokens

ISSUER = "https://idp.example/"
AUDIENCE = "messaging"
HS256_KEY = "a key of more than thirty-two bytes for tests only"


@cache
def rsa_key(name: str, bits: int = 2048) -> rsa.RSAPrivateKey:
    """The key of that name: making one takes a tenth of a second."""
    return rsa.generate_private_key(65_537, bits)


@cache
def ec_key(name: str) -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def rsa_jwk(key: rsa.RSAPrivateKey, **members: Any) -> dict[str, Any]:
    return RSAAlgorithm.to_jwk(key.public_key(), as_dict=True) | members


def ec_jwk(key: ec.EllipticCurvePrivateKey, **members: Any) -> dict[str, Any]:
    return ECAlgorithm.to_jwk(key.public_key(), as_dict=True) | members


def claims(**changes: Any) -> dict[str, Any]:
    """The claims of a good token; a change to None takes the claim away."""
    now = int(time.time())
    good = {"iss": ISSUER, "aud": AUDIENCE, "sub": "service-a", "iat": now, "exp": now + 600}
    return {name: value for name, value in (good | changes).items() if value is not None}


def hs256_settings(**changes: Any) -> AccessTokens:
    return {
        "ISSUER": ISSUER,
        "AUDIENCE": AUDIENCE,
        "JWKS_URL": "",
        "ALGORITHMS": ["RS256", "ES256"],
        "HS256_KEY": HS256_KEY,
        "LEEWAY_SECONDS": 30,
        "REQUIRE_AT_JWT": False,
    } | changes  # type: ignore[return-value]


class IdentityProvider:
    """Serves `jwks` (or, when set, the bytes of `answer` with `status`) and counts who asks."""

    def __init__(self) -> None:
        self.jwks: list[Any] = [
            rsa_jwk(rsa_key("first"), kid="rsa", alg="RS256", use="sig"),
            ec_jwk(ec_key("first"), kid="ec", alg="ES256", use="sig"),
        ]
        self.answer: bytes | None = None
        self.status = 200
        self.headers: dict[str, str] = {}
        self.requests = 0
        self.asked = Event()
        self.may_answer = Event()
        self.may_answer.set()
        self._port = 0
        self.start()

    def start(self) -> None:
        """Listens; after a stop(), on the same port as before."""
        self._server = ThreadingHTTPServer(("127.0.0.1", self._port), self._handler())
        self._server.daemon_threads = True
        self._port = self._server.server_port
        Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def stop(self) -> None:
        """From here on, connections are refused."""
        self._server.shutdown()
        self._server.server_close()

    def settings(self, **changes: Any) -> AccessTokens:
        return hs256_settings(HS256_KEY="", JWKS_URL=f"http://127.0.0.1:{self._port}/jwks") | changes  # type: ignore[return-value]

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                provider.requests += 1
                provider.asked.set()
                provider.may_answer.wait(10)
                body = json.dumps({"keys": provider.jwks}).encode() if provider.answer is None else provider.answer
                self.send_response(provider.status)
                for name, value in provider.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args: Any) -> None:
                pass

        return Handler


def rs256(payload: dict[str, Any], kid: str | None = "rsa", key: str = "first") -> str:
    return jwt.encode(payload, rsa_key(key), "RS256", {"kid": kid} if kid else None)


def es256(payload: dict[str, Any], kid: str | None = "ec", key: str = "first") -> str:
    return jwt.encode(payload, ec_key(key), "ES256", {"kid": kid} if kid else None)


def hs256(payload: dict[str, Any]) -> str:
    return jwt.encode(payload, HS256_KEY, "HS256")


def by_hand(header: Any, payload: Any, signature: bytes = b"") -> str:
    """A token put together without a library; bytes go in as they are, anything else as JSON."""

    def segment(part: Any) -> str:
        data = part if isinstance(part, bytes) else json.dumps(part).encode()
        return base64.urlsafe_b64encode(data).decode().rstrip("=")

    return f"{segment(header)}.{segment(payload)}.{segment(signature)}"


def hmac_signed(payload: Any, key: bytes, header: dict[str, Any] | None = None) -> str:
    """HS256 over any payload and with any key, among them those that PyJWT refuses to sign."""
    header = {"alg": "HS256", "typ": "JWT", **(header or {})}
    signing_input = by_hand(header, payload).rpartition(".")[0].encode()
    return by_hand(header, payload, HMACAlgorithm(HMACAlgorithm.SHA256).sign(signing_input, key))
