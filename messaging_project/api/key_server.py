"""An identity provider's public keys: fetched from its JWKS (RFC 7517), cached, and renewed at a bounded rate."""

import json
import logging
from collections.abc import Sequence
from functools import lru_cache
from math import inf
from threading import Event, Lock, Thread
from time import monotonic
from typing import Any

from jwt import PyJWK, PyJWTError

from messaging_project.api.limited_fetch import fetch

logger = logging.getLogger(__name__)

WAIT_SECONDS = 3  # for a fetch, by whoever needs its keys; it may go on without them
FRESH_SECONDS = 300  # after which the keys are fetched again
USABLE_SECONDS = 3_600  # for how long keys are trusted while the key server can't be reached
PAUSE_SECONDS = 5  # between two fetches, whether or not the first succeeded


class KeysUnavailable(Exception):
    """The key server can't be reached, or its answer isn't a set of keys. Try again in PAUSE_SECONDS."""


class KeyServer:
    """The signing keys behind one JWKS address, shared by all threads of the process.

    PyJWKClient would make each request of an outage wait for the timeout in turn, and drop good keys the moment they
    are FRESH_SECONDS old. It also reads answers of any size, for any time.
    """

    def __init__(self, url: str, algorithms: Sequence[str]) -> None:
        self._url = url
        self._algorithms = algorithms
        self._starting = Lock()
        self._idle = Event()  # no fetch is under way
        self._idle.set()
        self._keys: dict[tuple[str | None, str], PyJWK] = {}
        self._fetched_at = self._tried_at = -inf
        self._failing = False

    def key(self, kid: str | None, algorithm: str) -> PyJWK | None:
        """The key with the id `kid` for `algorithm`, or None if the provider has no such key.

        Without a `kid`, the only key for that algorithm. Fetches when the keys are old or lack this one. Waits for
        another's fetch only when there is no key to go on with, and the last fetch was no failure; for any fetch
        WAIT_SECONDS at most. Raises KeysUnavailable when the answer can't be known.
        """
        key = self._find(kid, algorithm)
        if key is None or monotonic() - self._fetched_at > FRESH_SECONDS:
            self._renew(wait=key is None)
            key = self._find(kid, algorithm)
        if key is None and (self._failing or not self._idle.is_set()):
            raise KeysUnavailable
        return key

    def has_keys(self) -> bool:
        """Whether any token can be checked; fetches and waits as key() does."""
        if not self._are_usable():
            self._renew(wait=True)
        return self._are_usable()

    def _are_usable(self) -> bool:
        return monotonic() - self._fetched_at <= USABLE_SECONDS

    def _find(self, kid: str | None, algorithm: str) -> PyJWK | None:
        if not self._are_usable():
            return None
        if kid is not None:
            return self._keys.get((kid, algorithm))
        candidates = [key for (_, name), key in self._keys.items() if name == algorithm]
        return candidates[0] if len(candidates) == 1 else None

    def _renew(self, *, wait: bool) -> None:
        with self._starting:
            # Tokens with made-up key ids all come here, and so do those that waited for the fetch just done.
            is_mine = self._idle.is_set() and monotonic() - self._tried_at >= PAUSE_SECONDS
            if is_mine:
                self._idle.clear()
                Thread(target=self._fetch, daemon=True).start()
        if is_mine or (wait and not self._failing):
            self._idle.wait(WAIT_SECONDS)

    def _fetch(self) -> None:
        try:
            self._keys = usable_keys(json.loads(fetch(self._url)), self._algorithms)
            self._fetched_at = monotonic()
            self._failing = False
        except Exception as error:  # whatever the provider answers must not become a 500
            self._failing = True
            logger.warning("The keys of JWT_JWKS_URL can't be fetched: %s: %s", type(error).__name__, error)
        finally:
            self._tried_at = monotonic()
            self._idle.set()


def usable_keys(document: dict[str, Any], algorithms: Sequence[str]) -> dict[tuple[str | None, str], PyJWK]:
    """The keys of a JWK set by key id and algorithm, for signatures and `algorithms` only.

    A key without `alg` (optional in RFC 7517, section 4.4) serves each algorithm that its type allows. Unusable keys
    are left out; a set without any usable key raises ValueError.
    """
    keys: dict[tuple[str | None, str], PyJWK] = {}
    for jwk in document["keys"]:
        if jwk.get("use", "sig") != "sig":
            continue
        for algorithm in algorithms:
            if jwk.get("alg", algorithm) == algorithm and (key := _usable_key(jwk, algorithm)):
                keys.setdefault((jwk.get("kid"), algorithm), key)
    if not keys:
        raise ValueError(f"the answer has no usable signing key for {', '.join(algorithms)}")
    return keys


def _usable_key(jwk: dict[str, Any], algorithm: str) -> PyJWK | None:
    """None for a key of another type or curve, an unreadable one, and one that is too short to trust."""
    try:
        key = PyJWK(jwk, algorithm)
        too_short = key.Algorithm.check_key_length(key.Algorithm.prepare_key(key.key))
    except PyJWTError:
        return None
    return None if too_short else key


@lru_cache
def key_server(url: str, algorithms: tuple[str, ...]) -> KeyServer:
    """The process's only KeyServer for these settings."""
    return KeyServer(url, algorithms)
