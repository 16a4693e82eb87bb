"""Sends to services that are known by name, by `apprise`, which is loaded when it first sends.

It is an optional part: ``pip install 'pairscope[services]'``. Its retries and redirects are off: the outbox retries.
"""

from __future__ import annotations

import importlib
import logging
from functools import cache, partial
from types import ModuleType
from typing import Any

from pairscope.alerts.delivery.channel import BadChannel, Service, check_service
from pairscope.alerts.delivery.letter import Letter
from pairscope.alerts.delivery.outcome import SENT, Outcome
from pairscope.alerts.delivery.secret import BadSecret, Secrets
from pairscope.alerts.delivery.services import scheme_of
from pairscope.alerts.outbox import Notice
from pairscope.base.threads import given_up_after

CONNECT_S = 5.0
READ_S = 10.0
TALK_S = 40.0
_COLOURS = {"critical": "failure", "warning": "warning"}


class NotInstalled(Exception):
    """The optional part is not there."""


class ServiceSender:
    """Sends a letter to the service of its channel."""

    def __init__(self, secrets: Secrets) -> None:
        self._secrets = secrets

    async def send(self, letter: Letter) -> Outcome:
        """Send it once."""
        assert isinstance(letter.settings, Service)
        try:
            url = self._secrets.read(letter.settings.url)
            check_service(url)  # of one that is kept elsewhere nothing was known before
        except (BadSecret, BadChannel) as error:
            return Outcome(error.message)
        try:
            return await given_up_after(TALK_S, partial(notify, url, letter.notice))
        except TimeoutError:
            return Outcome(f"{scheme_of(url)} does not answer")


def notify(url: str, notice: Notice) -> Outcome:
    """Send by apprise and wait for it.

    What apprise and the service say is not told: it may hold the address, which is a secret.
    """
    try:
        apprise = _apprise()
    except NotInstalled:
        return Outcome("apprise is not installed: pip install 'pairscope[services]'")
    service = _service(apprise, url)
    if service is None:
        return Outcome(f"the address of {scheme_of(url)} cannot be read")
    sender = apprise.Apprise(asset=service.asset)
    sender.add(service)
    accepted = sender.notify(
        title=notice.title,
        body=notice.text or notice.title,
        notify_type=_COLOURS.get(notice.severity, "info"),
        body_format="text",
    )
    return SENT if accepted else Outcome(f"{scheme_of(url)} did not accept it, or was not reached")


def _service(apprise: Any, url: str) -> Any:
    """What speaks to the service, kept from all that the address may ask for besides."""
    asset = apprise.AppriseAsset(
        http_redirects=False,
        default_service_retry=0,
        service_timeout=TALK_S,
        async_mode=False,
        secure_logging=True,
        interpret_escapes=False,
        app_id="pairscope",
        app_desc="pairscope",
    )
    service = apprise.Apprise.instantiate(url.strip(), asset=asset)
    if service is None:
        return None
    # An address may name these too, as `?redirect=yes`: the last word is ours.
    service.redirects = False
    service.verify_certificate = True
    service.retry = 0
    service.socket_connect_timeout = CONNECT_S
    service.socket_read_timeout = READ_S
    return service


@cache
def _apprise() -> ModuleType:
    try:
        found = importlib.import_module("apprise")
    except ImportError as error:
        raise NotInstalled from error
    # Its lines name addresses and answers.
    logger = logging.getLogger("apprise")
    logger.handlers = [logging.NullHandler()]
    logger.propagate = False
    return found
