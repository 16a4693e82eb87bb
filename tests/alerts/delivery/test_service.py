"""Services are reached by apprise, which is given nothing but what is on the list, and told to do nothing by itself."""

from __future__ import annotations

import importlib.util
import logging
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pairscope.alerts.delivery import service
from pairscope.alerts.delivery.channel import Service
from pairscope.alerts.delivery.letter import Letter
from pairscope.alerts.delivery.outcome import Outcome
from pairscope.alerts.delivery.secret import Secrets
from pairscope.alerts.delivery.service import ServiceSender
from pairscope.alerts.delivery.services import SERVICES
from tests.alerts.delivery.desk import notice

SECRET = "s3cr3t"
URL = f"tgram://123:{SECRET}/-45"


@pytest.fixture(autouse=True)
def loaded_anew() -> Iterator[None]:
    service._apprise.cache_clear()
    yield
    service._apprise.cache_clear()


async def send(url: str, folder: Path = Path(), **environment: str) -> Outcome:
    sender = ServiceSender(Secrets(folder, environment))
    return await sender.send(Letter(id="msg-1", channel="phone", settings=Service(url), notice=notice(1)))


# --- with a stand-in for the library ---


class Plugin:
    redirects = True
    verify_certificate = False
    retry = 5
    socket_connect_timeout = 99.0
    socket_read_timeout = 99.0

    def __init__(self, url: str, asset: Any) -> None:
        self.url, self.asset = url, asset


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> Any:
    """What is asked of the library is kept in it; ``accepts`` is its answer."""
    module: Any = types.ModuleType("apprise")
    module.accepts, module.asked = True, []

    class Asset:
        def __init__(self, **options: Any) -> None:
            module.asset = options

    class Apprise:
        def __init__(self, asset: Any) -> None: ...

        @staticmethod
        def instantiate(url: str, asset: Any) -> Plugin | None:
            return None if "odd" in url else Plugin(url, asset)

        def add(self, plugin: Plugin) -> None:
            module.plugin = plugin

        def notify(self, **told: Any) -> bool:
            module.asked.append(told)
            if isinstance(module.accepts, Exception):
                raise module.accepts
            return bool(module.accepts)

    module.AppriseAsset, module.Apprise = Asset, Apprise
    monkeypatch.setitem(sys.modules, "apprise", module)
    return module


async def test_a_message_is_sent_with_its_title_and_its_own_retries_and_redirects_off(stand_in: Any) -> None:
    assert (await send(f"{URL}?redirect=yes&retry=5&verify=no")).is_sent
    assert stand_in.asset["http_redirects"] is False
    plugin = stand_in.plugin
    assert (plugin.redirects, plugin.verify_certificate, plugin.retry) == (False, True, 0)
    assert (plugin.socket_connect_timeout, plugin.socket_read_timeout) == (service.CONNECT_S, service.READ_S)
    (told,) = stand_in.asked
    assert (told["title"], told["body"]) == ("alert 1", "spread_z of ETHUSDT/BTCUSDT is 2.1")
    assert (told["notify_type"], told["body_format"]) == ("warning", "text")


async def test_one_that_is_not_accepted_is_told_without_its_address(stand_in: Any) -> None:
    stand_in.accepts = False
    assert (await send(URL)).error == "tgram did not accept it, or was not reached"
    assert (await send("tgram://odd")).error == "the address of tgram cannot be read"


async def test_one_that_hangs_is_left(stand_in: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import threading

    ends = threading.Event()
    monkeypatch.setattr(service, "TALK_S", 0.05)
    monkeypatch.setattr(stand_in.Apprise, "notify", lambda *_, **__: ends.wait())
    assert (await send(URL)).error == "tgram does not answer"
    ends.set()


async def test_a_service_that_is_not_on_the_list_is_refused_though_it_is_kept_elsewhere(stand_in: Any) -> None:
    outcome = await send("env:PAIRSCOPE_SECRET_URL", PAIRSCOPE_SECRET_URL="json://127.0.0.1/")
    assert outcome.error == "no service is written json://"
    assert stand_in.asked == []
    assert (await send("env:PAIRSCOPE_SECRET_URL", PAIRSCOPE_SECRET_URL=URL)).is_sent
    assert (await send("env:PAIRSCOPE_SECRET_URL")).error == "the variable PAIRSCOPE_SECRET_URL is not set"


async def test_without_the_library_it_is_told_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "apprise", None)
    assert (await send(URL)).error == "apprise is not installed: pip install 'pairscope[services]'"


def test_the_library_is_loaded_when_it_is_first_sent_by_and_not_before() -> None:
    if importlib.util.find_spec("apprise") is None:
        pytest.skip("apprise is not installed: pip install apprise")
    source = "import sys, pairscope.alerts.delivery.delivery; print('apprise' in sys.modules)"
    from tests import prepared
    from tests.patience import COMMAND_S

    assert prepared.run("-c", source, seconds=COMMAND_S, fresh=True).stdout.strip() == "False"


# --- with the library itself, where it is installed ---

with_it = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # its own, when it is loaded
# By the scheme: an address of it, and the host that is asked.
KNOWN = {
    "brevo": ("brevo://abcdefghijk:me@b.example/you@b.example", "api.brevo.com"),
    "bulksms": ("bulksms://id:secret@15551234567", "api.bulksms.com"),
    "clicksend": ("clicksend://user:abc@15551234567", "rest.clicksend.com"),
    "dingtalk": ("dingtalk://abcdefabcdef", "oapi.dingtalk.com"),
    "discord": (f"discord://{'1' * 18}/{'a' * 64}", "discord.com"),
    "feishu": ("feishu://abcdefabcdef", "open.feishu.cn"),
    "gchat": ("gchat://space/key/token", "chat.googleapis.com"),
    "ifttt": ("ifttt://abcdef@event", "maker.ifttt.com"),
    "lark": ("lark://abcdefabcdef", "open.larksuite.com"),
    "line": ("line://abcdefabcdef/user", "api.line.me"),
    "msgbird": (f"msgbird://{'a' * 25}/15551234567/15557654321", "rest.messagebird.com"),
    "opsgenie": ("opsgenie://12345678-1234-1234-1234-123456789012", "api.opsgenie.com"),
    "pagerduty": (f"pagerduty://{'a' * 20}@{'b' * 20}", "events.pagerduty.com"),
    "pbul": ("pbul://abcdefabcdef", "api.pushbullet.com"),
    "pover": (f"pover://{'u' * 30}@{'a' * 30}", "api.pushover.net"),
    "prowl": (f"prowl://{'a' * 40}", "api.prowlapp.com"),
    "resend": ("resend://abcdefgh:me@b.example/you@b.example", "api.resend.com"),
    "sendgrid": ("sendgrid://abcdefgh:me@b.example/you@b.example", "api.sendgrid.com"),
    "seven": ("seven://abcdef/15551234567", "gateway.seven.io"),
    "signl4": ("signl4://secret", "connect.signl4.com"),
    "slack": ("slack://T12345678/B12345678/abcdefghijklmnopqrstuvwx", "hooks.slack.com"),
    "splunk": ("splunk://route@12345678-1234-1234-1234-123456789012", "alert.victorops.com"),
    "tgram": ("tgram://123456789:abcdefghijklmnopqrstuvwxyz012345678/-45", "api.telegram.org"),
    "threema": (f"threema://*THEGWID@{'s' * 10}/ABCDEFGH", "msgapi.threema.ch"),
    "twilio": (f"twilio://AC{'a' * 32}:{'b' * 32}@15551234567/15557654321", "api.twilio.com"),
    "victorops": ("victorops://route@12345678-1234-1234-1234-123456789012", "alert.victorops.com"),
    "vonage": (f"vonage://AC{'a' * 8}:{'b' * 16}@15551234567/15557654321", "rest.nexmo.com"),
    "wecombot": ("wecombot://botkey-abcdef", "qyapi.weixin.qq.com"),
    "wxteams": (f"wxteams://{'a' * 80}", "api.ciscospark.com"),
}


def test_of_each_service_on_the_list_it_is_known_whom_it_asks() -> None:
    assert tuple(KNOWN) == SERVICES


@with_it
@pytest.mark.parametrize("scheme", KNOWN)
def test_a_service_asks_its_own_host_over_tls_and_follows_no_redirect(
    scheme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the address asks for besides."""
    pytest.importorskip("apprise", reason="apprise is not installed: pip install apprise")
    import requests  # type: ignore[import-untyped, unused-ignore]

    asked: list[tuple[str, dict[str, Any]]] = []

    def ask(_: object, method: str, url: str, **options: Any) -> Any:
        asked.append((url, options))
        raise requests.ConnectionError(SECRET)

    monkeypatch.setattr(requests.Session, "request", ask)
    url, host = KNOWN[scheme]
    outcome = service.notify(f"{url}?redirect=yes&retry=3&wait=5&verify=no&cto=500&rto=500", notice(1))
    assert outcome.error == f"{scheme} did not accept it, or was not reached"
    assert asked
    for place, options in asked:
        assert place.startswith(f"https://{host}/"), scheme
        assert options["allow_redirects"] is False
        assert options["verify"] is True
        assert options["timeout"] == (service.CONNECT_S, service.READ_S)
    assert len(asked) == 1, "it does not try again by itself"


@with_it
@pytest.mark.parametrize("scheme", SERVICES)
def test_the_library_knows_what_is_on_the_list(scheme: str) -> None:
    apprise = pytest.importorskip("apprise", reason="apprise is not installed: pip install apprise")
    assert scheme in {
        each
        for kind in apprise.Apprise().details()["schemas"]
        for each in (*(kind["protocols"] or ()), *(kind["secure_protocols"] or ()))
    }


@with_it
def test_the_library_writes_nothing_to_the_log(
    capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    pytest.importorskip("apprise", reason="apprise is not installed: pip install apprise")
    with caplog.at_level(logging.DEBUG):
        assert not service.notify(f"slack://T1/{SECRET}/odd", notice(1)).is_sent
    assert SECRET not in caplog.text + "".join(capfd.readouterr())
