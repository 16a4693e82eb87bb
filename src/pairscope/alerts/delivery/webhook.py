"""Sends to webhooks: one connection to the very address that was checked, one answer, no redirects.

Signed as Standard Webhooks describe it: ``webhook-signature`` is ``v1,`` and base64 of HMAC-SHA256 with the channel's
key over ``id.timestamp.body``, so that the receiver knows who sent it, that it is whole and that it is new.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import ssl
from collections.abc import Callable, Mapping

import httpx

from pairscope import __version__
from pairscope.alerts.delivery.addresses import AddressRefused, Destinations
from pairscope.alerts.delivery.channel import BadChannel, Webhook, read_key, read_url
from pairscope.alerts.delivery.letter import Letter, payload
from pairscope.alerts.delivery.outcome import SENT, Outcome
from pairscope.alerts.delivery.secret import BadSecret, Secrets
from pairscope.base.clock import Clock, now_ms
from pairscope.base.net import UnknownHost
from pairscope.feed.access import certificates
from pairscope.feed.retry_after import retry_after_s

CONNECT_S = 5.0
ANSWER_S = 15.0  # until the next byte of it
WHOLE_S = 20.0  # all of one attempt, for one who tells a byte now and then
MOST_ADDRESSES = 3  # of one host that are tried, one after the other
GONE = 410


class Poster:
    """Makes requests to addresses that are allowed, and to no other."""

    def __init__(
        self, destinations: Destinations, clock: Clock, trusted: Callable[[], ssl.SSLContext] = certificates
    ) -> None:
        self._destinations = destinations
        self._clock = clock
        self._trusted = trusted

    async def ask(self, method: str, url: httpx.URL, headers: Mapping[str, str], body: bytes) -> Outcome:
        """Ask once, and tell what came of it; the text of the answer is not read.

        Each address of the host is tried until one is connected to; nothing is sent twice.
        """
        port = url.port or (443 if url.scheme == "https" else 80)
        try:
            addresses = await self._destinations.of(url.host, port)
        except AddressRefused as error:
            return Outcome(error.message)
        except (UnknownHost, TimeoutError):
            return Outcome("its host cannot be looked up")
        outcome = Outcome("it cannot be reached")
        for address in addresses[:MOST_ADDRESSES]:
            try:
                async with asyncio.timeout(WHOLE_S):
                    return await self._ask_at(address, method, url, headers, body)
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                outcome = Outcome(_unconnected(error))
            except (httpx.TimeoutException, TimeoutError):
                return Outcome("no answer in time")
            except httpx.HTTPError:
                return Outcome("the connection ended without an answer that is HTTP")
        return outcome

    async def _ask_at(
        self, address: str, method: str, url: httpx.URL, headers: Mapping[str, str], body: bytes
    ) -> Outcome:
        # Neither a proxy of the environment, which would look the name up for itself, nor a redirect.
        async with httpx.AsyncClient(
            verify=self._trusted() if url.scheme == "https" else False,
            trust_env=False,
            follow_redirects=False,
            timeout=httpx.Timeout(ANSWER_S, connect=CONNECT_S),
        ) as client:
            # The certificate is that of the name, whichever address it is asked at.
            request = client.build_request(
                method,
                url.copy_with(host=address),
                headers={"Host": url.netloc.decode("ascii"), "User-Agent": f"pairscope/{__version__}", **headers},
                content=body,
                extensions={"sni_hostname": url.host},
            )
            answer = await client.send(request, stream=True)
            try:
                return _outcome(answer, now_ms(self._clock))
            finally:
                await answer.aclose()


class WebhookSender:
    """Sends a letter to the webhook of its channel."""

    def __init__(self, poster: Poster, secrets: Secrets, clock: Clock) -> None:
        self._poster = poster
        self._secrets = secrets
        self._clock = clock

    async def send(self, letter: Letter) -> Outcome:
        """Post it once."""
        assert isinstance(letter.settings, Webhook)
        try:
            url = read_url(self._secrets.read(letter.settings.url))
            key = read_key(self._secrets.read(letter.settings.secret))
        except (BadSecret, BadChannel) as error:
            return Outcome(error.message)
        body = payload(letter)
        headers = {"Content-Type": "application/json", "Idempotency-Key": letter.id}
        headers |= signed(key, letter.id, now_ms(self._clock) // 1_000, body)
        return await self._poster.ask("POST", url, headers, body)


def signed(key: bytes, message: str, time_s: int, body: bytes) -> dict[str, str]:
    """The three headers that a receiver checks."""
    content = b".".join((message.encode(), str(time_s).encode(), body))
    signature = base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()
    return {"webhook-id": message, "webhook-timestamp": str(time_s), "webhook-signature": f"v1,{signature}"}


def _outcome(answer: httpx.Response, at_ms: int) -> Outcome:
    status = answer.status_code
    if 200 <= status < 300:
        return SENT
    wish_s = retry_after_s(answer.headers, at_ms)
    if status == GONE:
        return Outcome("it wants no more messages (410)", is_gone=True)
    if 300 <= status < 400:
        return Outcome(f"it redirects ({status}), which is not followed", retry_after_s=wish_s)
    return Outcome(f"it answered {status}", retry_after_s=wish_s)


def _unconnected(error: httpx.TransportError) -> str:
    if isinstance(error, httpx.ConnectTimeout):
        return "no connection in time"
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return "its certificate is not trusted"
        cause = cause.__cause__ or cause.__context__
    return "no connection"
