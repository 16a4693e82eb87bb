"""REST answers handed in without a socket: what is made of each of them."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import msgspec
import pytest

from pairscope.base.clock import ManualClock
from pairscope.base.errors import FeedUnavailable
from pairscope.feed.binance.rest import BinanceRest
from pairscope.feed.venue import RequestRefusedError, TooOldError

ROW = {"a": 7, "p": "1.5", "q": "2", "f": 1, "l": 2, "T": 1_790_000_000_000, "m": True}
INFO = {
    "rateLimits": [{"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 6_000}],
    "symbols": [
        {
            "symbol": "BTCUSDT",
            "status": "TRADING",
            "filters": [
                {"filterType": "PRICE_FILTER", "tickSize": "0.10"},
                {"filterType": "LOT_SIZE", "stepSize": "0.001"},
            ],
        }
    ],
}


def rest(answer: Callable[[httpx.Request], httpx.Response]) -> BinanceRest:
    return BinanceRest("http://exchange", ManualClock(1_790_000_000_000), transport=httpx.MockTransport(answer))


def saying(status: int, content: object, **headers: str) -> BinanceRest:
    body = content if isinstance(content, bytes) else msgspec.json.encode(content)
    return rest(lambda _: httpx.Response(status, content=body, headers=headers))


async def test_a_page_is_columns_and_tells_that_it_came_by_rest() -> None:
    page = (await saying(200, [ROW]).page("BTCUSDT", 3, 7)).rows
    assert (page.id.tolist(), page.price.tolist(), page.symbol_id.tolist(), page.origin.tolist()) == (
        [7],
        [1.5],
        [3],
        [1],
    )


async def test_the_limit_and_what_was_used_come_from_the_exchange() -> None:
    here = saying(200, INFO, **{"X-MBX-USED-WEIGHT-1M": "5500"})
    assert (await here.instruments())["BTCUSDT"].tick_size == 0.1
    assert here.budget.own_limit == 3_000
    assert here.budget._wait_s(20) > 0  # others have used nearly all of it


@pytest.mark.parametrize("body", [b"", b"<html>sign in</html>", b"{}", b"[1]", b'[{"a":"x"}]', b"null"])
async def test_a_page_that_is_none_is_told_and_not_raised_through(body: bytes) -> None:
    here = saying(200, body)
    for question in (here.page("BTCUSDT", 0, 1), here.first_id_from("BTCUSDT", 0), here.newest_trade("BTCUSDT")):
        with pytest.raises(FeedUnavailable) as raised:
            await question
        assert raised.value.code == "unreadable"


@pytest.mark.parametrize(
    "body", [b"", b"<html>sign in</html>", b"[]", b"null", b'{"symbols":[{"filters":3}]}', b'{"symbols":3}']
)
async def test_a_list_of_symbols_that_is_none_is_told_and_not_raised_through(body: bytes) -> None:
    with pytest.raises(FeedUnavailable) as raised:
        await saying(200, body).instruments()
    assert raised.value.code == "unreadable"


async def test_too_old_and_unknown_are_no_failures_of_the_exchange() -> None:
    with pytest.raises(TooOldError):
        await saying(400, {"code": -4166, "msg": "too old"}).page("BTCUSDT", 0, 1)
    with pytest.raises(RequestRefusedError):
        await saying(400, {"code": -1121, "msg": "Invalid symbol."}).page("GONEUSDT", 0, 1)


@pytest.mark.parametrize("status", [403, 418, 429, 451, 500, 503])
async def test_a_refusal_tells_its_status(status: int) -> None:
    with pytest.raises(FeedUnavailable) as raised:
        await saying(status, {"code": 0, "msg": ""}).ping()
    assert raised.value.code == f"http_{status}"
    assert f"HTTP {status}" in raised.value.message


async def test_a_ban_lasts_as_long_as_its_text_says() -> None:
    text = b'{"code":-1003,"msg":"IP banned until 1790000300000."}'
    here = saying(418, text)
    with pytest.raises(FeedUnavailable):
        await here.ping()
    assert here.budget._wait_s(1) == pytest.approx(300.25)


@pytest.mark.parametrize(
    ("status", "told", "wait_s"),
    [
        (429, "300", 300.25),
        (429, "1", 60.25),  # not before the next minute of the exchange either
        (418, "7200", 7_200.25),
        (503, "30", 30.25),
        (503, "Mon, 21 Sep 2026 14:14:20 GMT", 60.25),
        (500, "soon", 0.0),
        (429, "-5", 60.25),
        (503, "99999999999", 3 * 86_400.0),
    ],
)
async def test_retry_after_is_obeyed_in_seconds_and_as_a_date(status: int, told: str, wait_s: float) -> None:
    headers = {"Retry-After": told, "Date": "Mon, 21 Sep 2026 14:13:20 GMT"}
    here = saying(status, {"code": 0, "msg": ""}, **headers)
    with pytest.raises(FeedUnavailable) as raised:
        await here.ping()
    assert here.budget.door.wait_s == pytest.approx(wait_s, abs=20 if told in ("1", "-5") else 0.01)
    assert raised.value.retry_after_s == (here.budget.door.wait_s or None)
    if wait_s:
        with pytest.raises(FeedUnavailable, match="asked again at 2026-09-2") as later:
            await here.within(1.0).ping()
        assert later.value.code == "asked_to_wait"


async def test_where_the_exchange_does_not_serve_a_proxy_is_among_the_cures() -> None:
    with pytest.raises(FeedUnavailable, match="--proxy"):
        await saying(451, {}).ping()


async def test_the_time_of_the_newest_trade_comes_with_its_id() -> None:
    assert await saying(200, [ROW]).newest_trade("BTCUSDT") == (7, 1_790_000_000_000)
    assert await saying(200, []).newest_trade("BTCUSDT") is None


async def test_an_exchange_that_cannot_be_reached_is_told_as_such() -> None:
    def torn(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    with pytest.raises(FeedUnavailable) as raised:
        await rest(torn).ping()
    assert raised.value.code == "unreachable"
