"""Metrics on request: every method, tests, series, correlations and clusters; all beside the plain functions."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pytest

from pairscope.alerts.reading import Known, read_rule
from pairscope.alerts.system import SYSTEM_METRICS
from pairscope.analytics.estimators import lead_lag as leading
from pairscope.analytics.estimators.clustering import cluster, correlation_matrix, distances
from pairscope.analytics.estimators.garch import BARS, fit_garch
from pairscope.analytics.estimators.hayashi_yoshida import (
    PairTicks,
    TradeSeries,
    common_span,
    hayashi_yoshida,
    series_of,
)
from pairscope.analytics.estimators.hedge import METHODS
from pairscope.analytics.estimators.readings import history_bars
from pairscope.analytics.estimators.terms import ALL_TERMS, USUAL, Terms
from pairscope.analytics.metrics.health import judge
from pairscope.analytics.registry import CATALOGUE, PAIR_BAR, PAIR_TESTS, metric_requests
from pairscope.api.columns import pair_columns, quantities
from pairscope.bars.align import align_closes, stale_limit_ms
from pairscope.base.errors import RequestError
from pairscope.base.interval import Interval
from pairscope.live.health import history_of
from pairscope.live.span import Span
from pairscope.live.windows import measure_pair, measure_symbol, measure_window, pair_series, pair_window

if TYPE_CHECKING:
    from tests.api.conftest import MadeUpMarket, Served

SECOND = Interval(1_000)
Y, X = "ETHUSDT", "BTCUSDT"
PAIR = f"/analytics/pair?y={Y}&x={X}"
WINDOW = 60
SPAN = Span(SECOND, WINDOW)


def plain(value: Any) -> Any:
    return msgspec.json.decode(msgspec.json.encode(value))


async def get(server: Served, path: str) -> Any:
    answer = await server.http.get(path)
    assert answer.status_code == 200, answer.text
    return answer.json()


def bars_of(market: MadeUpMarket, symbol: str) -> Any:
    return market.live.bars(symbol, SECOND, 10_000)


def ticks_of(market: MadeUpMarket, at_ms: int) -> PairTicks:
    since_ms = at_ms - (WINDOW - 1) * 1_000
    tapes = []
    for symbol in (Y, X):
        trades = market.store.trades(symbol, from_ms=since_ms, to_ms=at_ms + 1_000)
        tapes.append(series_of(trades.time_ms, trades.price))
    return PairTicks(*tapes)


OLS = [terms for terms in ALL_TERMS if terms.method == "ols"]


def asked(terms: Terms) -> str:
    return "&".join(f"{name}={value}" for name, value in terms.parameters.items())


@pytest.mark.parametrize("terms", ALL_TERMS, ids=lambda terms: ":".join(terms.parts))
async def test_a_pair_on_any_terms_is_what_the_functions_give(
    market: MadeUpMarket, server: Served, terms: Terms
) -> None:
    answer = await get(server, f"{PAIR}&{asked(terms)}&window={WINDOW}&limit=40")
    at_ms = market.memory.newest_open_ms(SECOND)
    legs = [bars_of(market, symbol) for symbol in (Y, X)]
    series = pair_series(legs[0], legs[1], SPAN, SPAN.rows(at_ms - 39_000, at_ms), terms)
    assert answer["series"] == plain(pair_columns(series))
    metrics = measure_pair(legs[0], legs[1], SPAN, at_ms, PAIR_BAR[terms])
    assert answer["metrics"] == plain(quantities(metrics))
    own = terms.method, terms.prices, terms.intercept, terms.remarks
    assert (answer["method"], answer["prices"], answer["intercept"], answer["remarks"]) == own
    assert answer["tests"] is None
    assert answer["metrics"]["beta"].get("flags", []) == ["ratio_of_quantities"] * (terms.prices == "level")
    assert answer["metrics"]["spread"]["unit"] == ("price" if terms.prices == "level" else "ln")


@pytest.mark.parametrize("terms", OLS, ids=lambda terms: ":".join(terms.parts))
async def test_the_past_is_what_was_live_on_any_terms_health_and_tests_too(
    new_market: MadeUpMarket, serve: Any, terms: Terms
) -> None:
    market = new_market
    market.trade(400_000)
    await market.store.flushed()
    async with serve(market.app()) as server:
        path = f"{PAIR}&{asked(terms)}&window=40&limit=3"
        at_ms = market.memory.newest_open_ms(SECOND) - 1_000  # of the last closed bar
        live = await get(server, f"{path}&tests=true&to={at_ms + 1_000}")
        market.trade(60_000)
        await market.store.flushed()
        again = await get(server, f"{path}&tests=true&to={at_ms + 1_000}")
        assert again == live
        assert again["series"]["open_time_ms"][-1] == at_ms
        one = (await get(server, f"{path}&metrics=coint_p,health,beta&to={at_ms + 1_000}"))["metrics"]
        assert {name: again["metrics"][name] for name in one} == one
        named = [f"{name}:prices={terms.prices}:intercept={str(terms.intercept).lower()}" for name in one]
        by_name = await get(server, f"{PAIR}&window=40&limit=1&metrics={','.join(named)}&to={at_ms + 1_000}")
        assert list(by_name["metrics"].values()) == list(one.values())


async def test_tests_are_the_whole_catalogue_with_health_and_curves(market: MadeUpMarket, server: Served) -> None:
    answer = await get(server, f"{PAIR}&window={WINDOW}&tests=true&limit=1")
    at_ms = market.memory.newest_open_ms(SECOND)
    legs = [bars_of(market, symbol) for symbol in (Y, X)]
    ticks = ticks_of(market, at_ms)
    history = history_of(legs[0], legs[1], SECOND, at_ms - 1_000, history_bars(WINDOW))
    one = pair_window(legs[0], legs[1], SPAN, at_ms, ticks, history)
    metrics = measure_window(one, legs, SPAN, at_ms, PAIR_TESTS[USUAL])
    assert answer["metrics"] == plain(quantities(metrics))
    assert answer["metrics"].keys() > {name for name, metric in CATALOGUE.items() if metric.scope == "pair"}
    assert answer["metrics"]["correlation_hy"]["n"] == hayashi_yoshida(ticks.y, ticks.x).n > 100
    tests = answer["tests"]
    assert tests["health"]["condition"] == answer["metrics"]["health"]["value"]
    health = judge(history, WINDOW)
    assert tests["health"]["reasons"] == list(health.reasons)
    assert tests["health"]["as_of_ms"] == health.as_of_ms == (at_ms - 1_000) // 3_000 * 3_000
    assert tests["health"]["shares"] == {name.value: share for name, share in health.shares.items()}
    assert tests["health"]["windows"] == health.windows
    assert tests["spikes"] == {"y": [], "x": []}
    assert len(tests["lead_lag"]["lags_ms"]) == len(tests["lead_lag"]["contrasts"]) == 201
    assert tests["epps"]["interval_s"][0] == 1


async def test_who_leads_is_looked_for_once_for_the_metric_and_the_curve(
    server: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[str] = []

    def counting(y: TradeSeries, x: TradeSeries) -> tuple[TradeSeries, TradeSeries]:
        looked.append("once")
        return common_span(y, x)

    monkeypatch.setattr(leading, "common_span", counting)
    answer = await get(server, f"{PAIR}&window={WINDOW}&tests=true&limit=1")
    assert "lead_lag" in answer["metrics"]
    assert "lead_lag" in answer["tests"]
    assert looked == ["once"]


async def test_health_has_the_same_bits_by_name_with_the_tests_and_from_the_past(
    market: MadeUpMarket, server: Served
) -> None:
    market.trade(400_000)
    await market.store.flushed()
    tests = (await get(server, f"{PAIR}&window=40&tests=true&limit=1"))["tests"]["health"]
    by_name = (await get(server, f"{PAIR}&window=40&metrics=health,health_share&limit=1"))["metrics"]
    assert by_name["health"]["value"] == tests["condition"]
    assert by_name["health"]["n"] == round(20 * tests["windows"]) == 100
    assert by_name["health_share"]["value"] == tests["shares"][tests["condition"]]
    at_ms = market.memory.newest_open_ms(SECOND)
    market.trade(30_000)
    await market.store.flushed()
    past = (await get(server, f"{PAIR}&window=40&tests=true&limit=1&to={at_ms}"))["tests"]["health"]
    assert past == tests


async def test_metrics_of_a_pair_are_chosen_by_name_with_parameters(server: Served) -> None:
    names = "beta:method=tls,coint_p,half_life,variance_ratio:lag=5"
    answer = await get(server, f"{PAIR}&metrics={names}&method=huber")
    assert list(answer["metrics"]) == names.split(",")
    by_method = (await get(server, f"{PAIR}&metrics=beta&method=tls"))["metrics"]["beta"]
    assert answer["metrics"]["beta:method=tls"]["value"] == by_method["value"]


async def test_trades_are_read_when_a_metric_needs_them(market: MadeUpMarket, server: Served) -> None:
    answer = await get(server, f"{PAIR}&window={WINDOW}&metrics=correlation_hy:reach_ms=0,lead_lag")
    ticks = ticks_of(market, market.memory.newest_open_ms(SECOND))
    found = answer["metrics"]["correlation_hy:reach_ms=0"]
    assert found["value"] == hayashi_yoshida(ticks.y, ticks.x, 0).correlation


async def test_the_past_gives_what_was_told_then(market: MadeUpMarket, server: Served) -> None:
    then = await get(server, f"{PAIR}&window=30&tests=true&limit=5")
    at_ms = then["series"]["open_time_ms"][-1]
    market.trade(30_000)
    await market.store.flushed()
    # The newest bar was open and has changed since; every bar before it has not.
    again = await get(server, f"{PAIR}&window=30&tests=true&limit=4&to={at_ms}")
    before = {name: column[:-1] for name, column in then["series"].items()}
    assert again["series"] == before


async def test_a_series_holds_at_each_bar_what_was_told_there(market: MadeUpMarket, server: Served) -> None:
    names = ["rsi:period=5", "sma:period=10", "volume", "trend", "adf_pvalue", "price_z"]
    answer = await get(server, f"/analytics/{X}/series?metrics={','.join(names)}&window={WINDOW}&limit=70")
    assert len(answer["open_time_ms"]) == 70
    assert list(answer["metrics"]) == names
    bars = bars_of(market, X)
    for row, at_ms in enumerate(answer["open_time_ms"]):
        known = bars[bars["open_time_ms"] <= at_ms]
        then = measure_symbol(known, SPAN, at_ms, metric_requests(names, "symbol"))
        assert {name: answer["metrics"][name][row] for name in names} == {name: then[name].value for name in names}


GARCH = "garch_forecast,garch_volatility,garch_rival,garch_alpha,garch_beta,garch_starts,garch_gain"


async def test_garch_is_of_the_bars_that_are_closed(market: MadeUpMarket, server: Served) -> None:
    market.trade(900_000)
    await market.store.flushed()
    newest_ms = market.memory.newest_open_ms(SECOND)
    closed_ms = market.memory.newest_closed_ms(SECOND)
    assert newest_ms - 2_000 <= closed_ms < newest_ms
    answer = await get(server, f"/analytics/{X}?metrics=garch_forecast,last_price")
    found = answer["metrics"]["garch_forecast"]
    assert (found["as_of_ms"], found["window"]) == (closed_ms, BARS)
    assert answer["metrics"]["last_price"]["as_of_ms"] == newest_ms
    start_ms = closed_ms - (BARS - 1) * 1_000
    _, (close,) = align_closes([bars_of(market, X)], SECOND, start_ms, closed_ms, stale_limit_ms(SECOND))
    fit = fit_garch(np.diff(np.log(close)))
    assert fit.reason is None
    assert (found["value"], found["n"]) == (fit.forecast, fit.n)


async def test_garch_of_the_past_is_what_was_told_then_to_the_last_bit(market: MadeUpMarket, server: Served) -> None:
    market.trade(900_000)
    told = {}
    for _ in range(4):
        answer = await get(server, f"/analytics/{X}?metrics={GARCH}&window={WINDOW}")
        told[answer["metrics"]["garch_gain"]["as_of_ms"]] = {
            name: one["value"] for name, one in answer["metrics"].items()
        }
        market.trade(1_700)
    await market.store.flushed()
    assert len(told) >= 4
    for at_ms, values in told.items():
        assert values["garch_gain"] is not None
        past = await get(server, f"/analytics/{X}/series?metrics={GARCH}&window=30&limit=2&to={at_ms + 1_000}")
        assert past["open_time_ms"][-1] == at_ms
        assert {name: column[-1] for name, column in past["metrics"].items()} == values


async def test_an_open_bar_repeats_the_garch_of_the_closed_ones(market: MadeUpMarket, server: Served) -> None:
    market.trade(900_000)
    now = await get(server, f"/analytics/{X}?metrics={GARCH}")
    series = await get(server, f"/analytics/{X}/series?metrics={GARCH}&limit=4")
    assert series["open_time_ms"][-1] == market.memory.newest_open_ms(SECOND)
    place = series["open_time_ms"].index(now["metrics"]["garch_gain"]["as_of_ms"])
    for name, column in series["metrics"].items():
        assert {*column[place:]} == {now["metrics"][name]["value"]}, name
    assert series["metrics"]["garch_gain"][place - 1] != series["metrics"]["garch_gain"][place]


@pytest.mark.parametrize("of", ["returns", "prices"])
async def test_correlations_are_those_of_the_pairs(market: MadeUpMarket, server: Served, of: str) -> None:
    answer = await get(server, f"/correlations?of={of}&window={WINDOW}")
    assert answer["symbols"] == ["BTCUSDT", "ETHUSDT", "SOLUSDT"]
    pair = await get(server, f"{PAIR}&window={WINDOW}&limit=1")
    name = "correlation" if of == "returns" else "correlation_levels"
    assert answer["correlation"][1][0] == answer["correlation"][0][1] == pair["metrics"][name]["value"]
    assert answer["n"][0][1] == pair["metrics"][name]["n"]
    assert answer["as_of_ms"] == market.memory.newest_open_ms(SECOND)
    assert [row[i] for i, row in enumerate(answer["correlation"])] == [1.0] * 3
    assert {reason for row in answer["reason"] for reason in row} == {None}


async def test_correlations_of_trades_are_those_of_hayashi_and_yoshida(market: MadeUpMarket, server: Served) -> None:
    answer = await get(server, f"/correlations?of=trades&window={WINDOW}&symbols={Y.lower()},{X},{Y}")
    ticks = ticks_of(market, market.memory.newest_open_ms(SECOND))
    assert answer["symbols"] == [Y, X]
    assert answer["correlation"][0][1] == hayashi_yoshida(ticks.y, ticks.x).correlation


@pytest.mark.parametrize(("old", "new"), [("returns", "returns"), ("levels", "prices"), ("hy", "trades")])
@pytest.mark.parametrize("path", ["/correlations?", "/clustering?cut=1&"])
async def test_what_correlations_are_of_answers_by_its_former_name(
    server: Served, path: str, old: str, new: str
) -> None:
    now = await get(server, f"{path}of={new}&window={WINDOW}")
    assert await get(server, f"{path}on={old}&window={WINDOW}") == now
    matrix = now.get("matrix", now)
    assert (matrix["of"], matrix["on"]) == (new, old)


async def test_a_cell_without_a_number_has_a_reason(market: MadeUpMarket, server: Served) -> None:
    market.trade(40_000, symbols=("BTCUSDT", "ETHUSDT"))
    await market.store.flushed()
    for of, reason in (("returns", "constant_series"), ("trades", "no_trades")):
        answer = await get(server, f"/correlations?of={of}&window=30")
        assert [answer["correlation"][2][0], answer["reason"][2][0]] == [None, reason]
        # Prices that are nothing but noise have a correlation bar by bar, and none beyond the noise.
        assert answer["reason"][0][1] == (None if of == "returns" else "no_variance")


async def test_clusters_stand_together_along_the_tree(market: MadeUpMarket, server: Served) -> None:
    answer = await get(server, f"/clustering?window={WINDOW}&cut=1.4")
    at_ms = market.memory.newest_open_ms(SECOND)
    legs = [bars_of(market, symbol) for symbol in ("BTCUSDT", "ETHUSDT", "SOLUSDT")]
    start_ms = at_ms - (WINDOW - 1) * 1_000
    _, closes = align_closes(legs, SECOND, start_ms, at_ms, stale_limit_ms(SECOND))
    found = correlation_matrix(np.log(closes), WINDOW, start_ms // 1_000)
    tree = cluster(distances(found.matrix), 1.4)
    assert answer["matrix"]["correlation"] == found.matrix[np.ix_(tree.order, tree.order)].tolist()
    assert answer["height"] == tree.height.tolist()
    assert answer["cluster"] == sorted(answer["cluster"])
    assert [name for group in answer["clusters"] for name in group] == answer["matrix"]["symbols"]
    nearest = [answer["matrix"]["symbols"][i] for i in (answer["left"][0], answer["right"][0])]
    best = max((found.matrix[i, j], i, j) for i in range(3) for j in range(i))
    assert {*nearest} == {("BTCUSDT", "ETHUSDT", "SOLUSDT")[i] for i in best[1:]}
    assert math.isclose(answer["height"][0], math.sqrt(2 * (1 - best[0])))


@pytest.mark.parametrize(
    ("path", "status", "cure"),
    [
        (f"/analytics/{X}?metrics=rsii", 404, "did you mean rsi?"),
        (f"/analytics/{X}?metrics=rsi:period=0", 422, "give a whole number from 1 to 10,000"),
        (f"/analytics/{X}/series?window=1", 422, "from 2 to 5,000"),
        (f"{PAIR}&metrics=rsi", 404, "it is one of a symbol: ask /analytics/{symbol}"),
        (f"{PAIR}&tests=maybe", 422, "choose from false, true"),
        (f"{PAIR}&prices=cents", 422, "choose from log, level"),
        (f"{PAIR}&intercept=maybe", 422, "choose from true, false"),
        (f"{PAIR}&prices=log&prices=level", 422, "give it once"),
        (f"{PAIR}&price=level", 422, "did you mean 'prices'?"),
        (f"{PAIR}&metrics=beta:prices=euro", 422, "choose from log, level"),
        (f"{PAIR}&metrics=correlation:prices=level", 404, "it takes none"),
        (f"{PAIR}&metrics=coint_p:intercept=1:intercept=0", 422, "give it once"),
        ("/correlations?symbols=BTCUSDT", 422, "name 2 to 300 different ones"),
        ("/correlations?symbols=BTCUSDT,ETHUSD", 404, "did you mean ETHUSDT?"),
        ("/correlations?of=nothing", 422, "choose from returns, prices, trades"),
        ("/clustering?cut=3", 422, "give a number from 0 to 2"),
        ("/clustering?cut=nan", 422, "give a number from 0 to 2"),
    ],
)
async def test_bad_questions_are_refused_with_the_cure(server: Served, path: str, status: int, cure: str) -> None:
    answer = await server.http.get(path)
    assert answer.status_code == status, answer.text
    assert cure in answer.json()["error"]["cure"]


async def test_nothing_is_known_before_the_first_trade(new_market: MadeUpMarket, serve: Any) -> None:
    async with serve(new_market.app()) as server:
        matrix = await get(server, "/correlations")
        assert {cell for row in matrix["correlation"] for cell in row} == {None}
        assert {reason for row in matrix["reason"] for reason in row} == {"too_few_observations"}
        assert {cell for row in (await get(server, "/correlations?of=trades"))["correlation"] for cell in row} == {None}
        assert len((await get(server, "/clustering"))["clusters"]) == 3
        tests = await get(server, f"{PAIR}&tests=true")
        assert tests["tests"]["health"]["condition"] == "unknown"
        assert all(one["value"] is None and one["reason"] for name, one in tests["metrics"].items() if name != "health")
        assert (await get(server, f"/analytics/{X}?metrics=all"))["metrics"]["rsi"]["value"] is None
        assert all(
            value in (None, 0.0)
            for one in (await get(server, f"/analytics/{X}/series"))["metrics"].values()
            for value in one
        )


async def test_the_catalogue_tells_parameters_and_what_is_to_be_known_of_a_choice(server: Served) -> None:
    entries = {entry["name"]: entry for entry in await get(server, "/metrics/catalogue")}
    assert list(entries) == [*CATALOGUE, *SYSTEM_METRICS]
    method, prices, intercept = entries["beta"]["parameters"]
    assert (prices["choices"], intercept["choices"]) == (["log", "level"], ["true", "false"])
    assert (entries["beta"]["unit"], entries["beta"]["unit_on_levels"]) == ("y per x", "units of x per y")
    assert (entries["ema"]["parameters"][0]["wants_each"], entries["rsi"]["parameters"][0]["wants_each"]) == (5, 10)
    assert method["choices"] == list(METHODS) == list(method["remarks"])
    assert (entries["rsi"]["parameters"][0]["low"], entries["rsi"]["cadence"]) == (1.0, "bar")
    assert entries["lead_lag"]["needs"] == "trades"


async def test_the_catalogue_tells_what_rules_may_be_read_on(server: Served) -> None:
    entries = {entry["name"]: entry for entry in await get(server, "/metrics/catalogue")}
    assert {name for name, entry in entries.items() if entry["scope"] == "system"} == set(SYSTEM_METRICS)
    age = entries["feed_age"]
    assert (age["unit"], age["cadence"], age["needs"], age["in_rules"]) == ("s", "clock", "nothing", True)
    known = Known(["A"], [("A", "B")], [Interval(1_000)], Interval(1_000), 300)
    for name, entry in entries.items():
        is_word = entry["unit"] == "word"
        assert bool(entry["words"]) == is_word
        body: dict[str, Any] = {"metric": name, "condition": ">", "threshold": 1}
        body |= {"condition": "is", "threshold": entry["words"][-1]} if is_word else {}
        on = {} if entry["scope"] == "system" else {"scope": f"all_{entry['scope']}s"}
        if entry["in_rules"]:
            assert len(read_rule(body | on, known).centred) == 1
            assert read_rule(body | on, known).centred == [entry["is_centred"]]
        else:
            with pytest.raises(RequestError, match="not read at each bar"):
                read_rule(body | on, known)
    assert not entries["lead_lag"]["in_rules"]


@pytest.mark.parametrize("path", [f"/analytics/{X}?", f"/analytics/{X}/series?", f"/analytics/pair?y={Y}&x={X}&"])
async def test_what_is_of_pairscope_itself_is_asked_of_no_symbol(server: Served, path: str) -> None:
    answer = await server.http.get(f"{path}metrics=rsi,FEED_AGE")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "unknown_metric")
    assert "rules of alerts" in answer.json()["error"]["cure"]


async def test_all_metrics_of_a_symbol_have_a_series(market: MadeUpMarket, server: Served) -> None:
    answer = await get(server, f"/analytics/{X}/series?metrics=all&window={WINDOW}&limit=5")
    assert list(answer["metrics"]) == [name for name, metric in CATALOGUE.items() if metric.scope == "symbol"]
    assert {len(column) for column in answer["metrics"].values()} == {5}
    now = (await get(server, f"/analytics/{X}?metrics=all&window={WINDOW}"))["metrics"]
    for name, column in answer["metrics"].items():
        assert column[-1] == now[name]["value"], name


async def test_an_answer_of_too_many_values_is_refused_with_the_limit_to_ask_for(server: Served) -> None:
    metrics = ",".join(f"sma:period={period}" for period in range(2, 42))
    path = f"/analytics/{X}/series?metrics={metrics}&limit="
    answer = await server.http.get(f"{path}5000")
    assert answer.status_code == 422
    error = answer.json()["error"]
    assert error["code"] == "too_many_values"
    named = int(error["cure"].split("limit=")[1].split(",")[0])
    assert named == 2_500
    assert (await server.http.get(f"{path}{named + 1}")).status_code == 422
    assert (await server.http.get(f"{path}{named}")).status_code == 200
