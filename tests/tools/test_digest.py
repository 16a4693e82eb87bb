"""A digest tells every change of what is published, by its name, and nothing else."""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from tools import digest
from tools.digests import inside
from tools.digests.asks import Asker, Seen
from tools.digests.commands import Commands
from tools.digests.compare import ACCEPTED, BadRenames, Comparison, Difference, Renames, compare
from tools.digests.complete import APART, EXCEPTIONS
from tools.digests.data import World
from tools.digests.jobs import Asking
from tools.digests.shape import GONE, Texts, column, condensed
from tools.digests.updates import Followed

CLOSES = [100.0 + i / 7 for i in range(50)]


def published() -> dict[str, Any]:
    """What a small server would answer."""
    return {
        "asked": {
            "GET /analytics/pair?on=returns&x=A&y=B": {
                "status": 200,
                "body": condensed(
                    {
                        "metrics": {
                            "beta": {"value": 0.2131233, "unit": "ratio", "n": 300, "reason": None},
                            "half_life": {"value": None, "unit": "bars", "n": 300, "reason": "not_mean_reverting"},
                        },
                        "series": {"close": CLOSES, "status": ["closed"] * 49 + ["open"]},
                        "now_ms": 1,
                    }
                ),
            },
            "GET /ohlc?symbol=NOPE": {
                "status": 404,
                "body": {"error": {"code": "unknown_symbol", "message": "no symbol 'NOPE' here", "cure": ""}},
            },
        },
        "openapi": {"paths": {"/ohlc": {"get": {}}, "/health": {"get": {}}}},
        "rows": {
            "gaps": {"first_id": [7, 90], "reason": ["skipped", "restart"], "obstacle": [None, "too_old_for_rest"]}
        },
    }


def changed(change: Callable[[dict[str, Any]], object]) -> list[Difference]:
    """What is told of one change."""
    after = copy.deepcopy(published())
    change(after)
    found, _ = compare(published(), after)
    return found


def _pair(digest: dict[str, Any]) -> Any:
    return digest["asked"]["GET /analytics/pair?on=returns&x=A&y=B"]["body"]


def _metrics(digest: dict[str, Any]) -> Any:
    return _pair(digest)["metrics"]


def _error(digest: dict[str, Any]) -> Any:
    return digest["asked"]["GET /ohlc?symbol=NOPE"]["body"]["error"]


def last_bit(value: float) -> float:
    return math.nextafter(value, math.inf)


PAIR = "asked > GET /analytics/pair?on=returns&x=A&y=B > body"
METRICS = f"{PAIR} > metrics"
ERROR = "asked > GET /ohlc?symbol=NOPE > body > error"


def _series_with(closes: list[float]) -> Callable[[dict[str, Any]], object]:
    return lambda d: _pair(d)["series"].update(close=column(closes))


@pytest.mark.parametrize(
    ("change", "kind", "place"),
    [
        (lambda d: _metrics(d)["beta"].update(value=last_bit(0.2131233)), "changed", f"{METRICS} > beta > value"),
        (lambda d: _metrics(d)["beta"].update(value=None), "changed", f"{METRICS} > beta > value"),
        (lambda d: _metrics(d)["beta"].update(n=300.0), "changed", f"{METRICS} > beta > n"),
        (lambda d: _metrics(d).pop("beta"), "removed", f"{METRICS} > beta"),
        (lambda d: _metrics(d).update(gamma={}), "added", f"{METRICS} > gamma"),
        (lambda d: _metrics(d)["half_life"].update(reason="stale"), "changed", f"{METRICS} > half_life > reason"),
        (_series_with([*CLOSES[:20], last_bit(CLOSES[20]), *CLOSES[21:]]), "changed", f"{PAIR} > series > close"),
        (_series_with(CLOSES[:-1]), "changed", f"{PAIR} > series > close"),
        (_series_with([CLOSES[0], CLOSES[2], CLOSES[1], *CLOSES[3:]]), "changed", f"{PAIR} > series > close"),
        (lambda d: _error(d).update(message="no symbol 'NOPE' there"), "changed", f"{ERROR} > message"),
        (lambda d: _error(d).update(code="unknown_name"), "changed", f"{ERROR} > code"),
        (lambda d: d["openapi"]["paths"].pop("/health"), "removed", "openapi > paths > /health"),
        (lambda d: d["rows"]["gaps"].update(reason=["skipped", "start"]), "changed", "rows > gaps > reason[1]"),
        (lambda d: d["rows"]["gaps"].update(first_id=[7]), "changed", "rows > gaps > first_id"),
        (lambda d: d["rows"]["gaps"].pop("obstacle"), "removed", "rows > gaps > obstacle"),
    ],
)  # fmt: skip
def test_one_change_is_told_by_its_name(change: Callable[[dict[str, Any]], object], kind: str, place: str) -> None:
    found = changed(change)
    assert [(each.kind, each.place) for each in found] == [(kind, place)]
    assert place in str(found[0])


def test_nothing_is_told_of_what_is_the_same() -> None:
    assert changed(lambda _: None) == []


def test_a_negative_zero_is_another_number() -> None:
    found, _ = compare({"value": 0.0}, {"value": -0.0})
    assert [each.place for each in found] == ["value"]


def test_what_tells_of_the_moment_is_taken_out_and_whether_it_is_there_is_not() -> None:
    kept = condensed({"now_ms": 5, "feed": {"since_ms": 6}, "health": {"since_ms": 7}, "verified_ms": None})
    assert kept == {"now_ms": "~", "feed": {"since_ms": "~"}, "health": {"since_ms": 7}, "verified_ms": None}


def test_what_is_known_only_after_a_while_is_taken_out_also_before_that() -> None:
    assert condensed({"used_bytes": None}) == condensed({"used_bytes": 5}) == {"used_bytes": "~"}


def test_gaps_are_kept_in_the_order_of_their_ids_and_not_in_that_of_our_clock() -> None:
    gaps = [{"symbol": "B", "first_id": 9, "found_ms": 1}, {"symbol": "B", "first_id": 2, "found_ms": 2}]
    assert condensed({"gaps": gaps}) == condensed({"gaps": gaps[::-1]}) != condensed({"gaps": gaps[:1]})


def test_records_with_a_name_are_kept_by_it() -> None:
    kept = condensed([{"name": "b", "unit": "x"}, {"name": "a", "unit": "y"}])
    assert kept == {"name=b": {"name": "b", "unit": "x"}, "name=a": {"name": "a", "unit": "y"}}


def test_texts_lose_folders_ports_and_versions(tmp_path: Path) -> None:
    texts = Texts({"folder": tmp_path}, "0.2.0")
    told = {"cure": f"stop pairscope 0.2.0 on http://127.0.0.1:4711, or move {tmp_path}/tape.duckdb", "n": 1}
    cure = "stop pairscope ~version on http://127.0.0.1:~port, or move ~folder/tape.duckdb"
    assert texts.of(told) == {"cure": cure, "n": 1}


def test_a_list_of_renames_makes_a_renamed_digest_the_same() -> None:
    renames = Renames.read(
        {
            "parameters": {"on": "of"},
            "metrics": {"beta": "hedge_ratio"},
            "words": {"closed": "over", "skipped": "missed"},
            "codes": {"unknown_symbol": "no_such_symbol"},
            "fields": {"obstacle": "kept_open_by"},
            "paths": {"/ohlc": "/bars"},
        }
    )
    text = json.dumps(published()).replace("on=returns", "of=returns").replace('"beta"', '"hedge_ratio"')
    text = (
        text.replace('"closed"', '"over"').replace('"skipped"', '"missed"').replace("unknown_symbol", "no_such_symbol")
    )
    after = json.loads(text.replace('"obstacle"', '"kept_open_by"').replace("/ohlc", "/bars"))
    assert compare(published(), after, renames) == ([], [])
    assert len(compare(published(), after)[0]) > 6
    after["rows"]["gaps"]["kept_open_by"][1] = None
    assert [each.place for each in compare(published(), after, renames)[0]] == ["rows > gaps > kept_open_by[1]"]


def test_a_rename_in_a_column_of_words_does_not_hide_another_order() -> None:
    words = ["closed"] * 20 + ["open"] + ["closed"] * 9
    before, after = {"status": column(words)}, {"status": column([*words[1:], words[0]])}
    assert len(compare(before, after, Renames.read({"words": {"closed": "closed"}}))[0]) == 1


@pytest.mark.parametrize(("before", "after"), [(0.0, -0.0), (1, 1.0), (None, False)])
def test_a_column_of_words_and_numbers_tells_numbers_apart(before: object, after: object) -> None:
    words = ["left out"] * 9
    assert len(compare({"missing": column([*words, before])}, {"missing": column([*words, after])})[0]) == 1


def test_what_the_renames_list_as_wanted_is_counted_apart() -> None:
    after = copy.deepcopy(published())
    after["openapi"]["paths"]["/jobs"] = {"get": {}}
    after["openapi"]["paths"]["/secret"] = {"get": {}}
    found, wanted = compare(published(), after, Renames.read({"added": {"openapi > paths > /jobs": "long work"}}))
    assert [each.place for each in found] == ["openapi > paths > /secret"]
    assert [each.place for each in wanted] == ["openapi > paths > /jobs"]


def test_a_line_is_renamed_as_a_whole() -> None:
    renames = Renames.read({"lines": {"give a number": "give a number, such as 5"}})
    assert compare({"err": ["give a number"]}, {"err": ["give a number, such as 5"]}, renames) == ([], [])
    assert compare({"err": ["give a number!"]}, {"err": ["give a number, such as 5!"]}, renames)[0]


RENAMED = Renames.read({"parameters": {"on": "of"}, "words": {"levels": "prices"}})


@pytest.mark.parametrize("former", [{"of": "prices", "on": "levels", "n": 5}, {"of": "prices", "on": "levels", "n": 6}])
def test_a_former_name_answers_as_the_new_one_does(former: dict[str, Any]) -> None:
    before = {"GET /correlations?on=levels": {"on": "levels", "n": 5}}
    answer = {"of": "prices", "on": "levels", "n": 5}
    found, _ = compare(before, {"GET /correlations?of=prices": answer, "GET /correlations?on=levels": former}, RENAMED)
    assert [each.place for each in found] == ([] if former == answer else ["GET /correlations?on=levels"])


def test_a_former_field_is_told_in_the_words_of_then() -> None:
    before = {"on": "levels"}
    assert compare(before, {"of": "prices", "on": "levels"}, RENAMED) == ([], [])
    found, _ = compare(before, {"of": "prices", "on": "returns"}, RENAMED)
    assert [(each.kind, each.place) for each in found] == [("added", "on")]


def test_a_word_more_in_a_list_of_words_is_told_alone() -> None:
    found, _ = compare({"required": ["symbols", "n"]}, {"required": ["symbols", "of", "n"]})
    assert [(each.kind, each.place) for each in found] == [("added", "required > of")]
    found, _ = compare({"required": ["symbols", "n"]}, {"required": ["n", "of", "symbols"]})
    assert [(each.kind, each.place) for each in found] == [("changed", "required")]
    one, other = {"$ref": "#/One"}, {"$ref": "#/Other"}
    found, _ = compare({"anyOf": [one, other]}, {"anyOf": [other]})
    assert [(each.kind, each.place) for each in found] == [("removed", "anyOf > #/One")]
    found, _ = compare({"anyOf": [one, {"type": "null"}]}, {"anyOf": [one]})
    assert [(each.kind, each.place) for each in found] == [("changed", "anyOf")]


def test_every_value_of_a_column_counts_as_compared() -> None:
    compared = Comparison({"close": column(CLOSES), "n": 1, "gone": 2}, {"close": column(CLOSES), "n": 2, "new": [1]})
    assert compared.values == len(CLOSES) + 1
    assert [each.place for each in compared.found] == ["n", "gone", "new"]


def test_a_word_that_is_called_like_a_parameter_does_not_rename_it() -> None:
    renames = Renames.read({"parameters": {"on": "of"}, "words": {"levels": "prices"}})
    assert [renames.old_parameter(name) for name in ("of", "prices")] == ["on", "prices"]


def test_a_table_of_renames_that_nobody_knows_is_refused() -> None:
    with pytest.raises(BadRenames, match="no table feilds"):
        Renames.read({"feilds": {}})


def test_the_command_prints_what_differs_and_ends_with_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before, after = tmp_path / "before.json", tmp_path / "after.json"
    before.write_text(json.dumps(published()))
    other = copy.deepcopy(published())
    _error(other)["cure"] = "did you mean it?"
    after.write_text(json.dumps(other))
    assert digest.main(["--compare", str(before), str(before)]) == 0
    assert capsys.readouterr().out == "120 values compared: no differences\n"
    assert digest.main(["--compare", str(before), str(after)]) == 1
    told = capsys.readouterr().out
    assert f"changed  {ERROR} > cure: '' -> 'did you mean it?'" in told
    renames = tmp_path / "renames.json"
    renames.write_text(json.dumps({"changed": {f"{ERROR} > cure": "a cure was added"}}))
    assert digest.main(["--compare", str(before), str(after), "--renames", str(renames)]) == 0
    told = capsys.readouterr().out
    assert "0 differences, and 1 that the renames list" in told
    assert "listed, and not so" not in told
    renames.write_text(json.dumps({"removed": {"nothing of the kind": "a reason"}}))
    assert digest.main(["--compare", str(before), str(before), "--renames", str(renames)]) == 0
    assert "listed, and not so: removed nothing of the kind" in capsys.readouterr().out
    renames.write_text('{"nothing": {}}')
    assert digest.main(["--compare", str(before), str(after), "--renames", str(renames)]) == 2


def bars(*rows: tuple[int, float]) -> dict[str, Any]:
    return {"open_time_ms": [at_ms for at_ms, _ in rows], "close": [close for _, close in rows]}


def followed(*messages: dict[str, Any]) -> dict[str, Any]:
    """What is kept of a topic, of messages a second apart."""
    topic = Followed()
    for number, message in enumerate(messages):
        topic.take({"topic": "symbol:A:1s", "seq": number} | message, float(number))
    kept: dict[str, Any] = topic.kept(by_moment=True)
    return kept


def snapshot(*rows: tuple[int, float]) -> dict[str, Any]:
    return {"type": "symbol_snapshot", "bars": bars(*rows), "metrics": {"vwap": {"value": 1.5, "reason": None}}}


def newest_bar(close: float) -> dict[str, Any]:
    return {"type": "symbol_bar", "bar": bars((2_000, close))}


def test_what_a_page_knows_in_the_end_is_the_same_whenever_its_snapshot_came() -> None:
    late = followed(snapshot((0, 6.0)), snapshot((1_000, 7.0), (2_000, 8.5)))
    early = followed(snapshot((1_000, 7.0)), {"type": "symbol_bar", "bar": bars((2_000, 8.0))}, newest_bar(8.5))
    assert compare(late["known"], early["known"]) == ([], [])
    assert compare(late, early)[0], "how it came to know it is kept too"


def test_a_value_that_differs_in_one_row_or_one_message_is_named_by_it() -> None:
    one, other = (followed(snapshot((1_000, 7.0)), newest_bar(close)) for close in (8.5, last_bit(8.5)))
    places = [each.place for each in compare(one, other)[0]]
    assert places == ["messages > 1.000 s, symbol_bar > bar.close", "known > rows > rows > 2000 > close"]


def test_changes_of_an_open_bar_add_up_and_those_of_another_do_not() -> None:
    def change(**fields: Any) -> dict[str, Any]:
        return {"type": "symbol", **fields}

    first = change(open_time_ms=1_000, bar={"open": 7.0, "close": 7.5, "missing": 0.5}, values={"vwap": 1.5})
    one = followed(snapshot(), first, change(bar={"close": 8.0}))["known"]["now"]
    assert one == {
        "open_time_ms": 1_000,
        "bar": {"open": 7.0, "close": 8.0, "missing": 0.5},
        "values": {"vwap": 1.5},
    }
    over = change(open_time_ms=1_000, status="closed", bar={"open": 7.0})
    known = followed(snapshot(), first, over, change(open_time_ms=2_000, bar={"open": 9.0}))["known"]
    assert known["rows"]["over"] == {"1000": {"status": "closed", "bar": {"open": 7.0}}}
    assert known["now"]["bar"] == {"open": 9.0}


def test_jobs_are_kept_by_what_was_asked_for_and_not_by_numbers_of_our_clock() -> None:
    asking = Asking(None, Texts({}, "0.4.0"), Seen())  # type: ignore[arg-type]  # nothing is asked
    asking._names = {1_790_000_000_000: "held"}
    job = {"id": 1_790_000_000_000, "state": "running", "share": 0.2, "words": "compares A", "asked_ms": 5}
    assert asking._kept(job) == {"id": "~held", "state": "running", "share": GONE, "words": GONE, "asked_ms": GONE}
    done = {"id": 7, "state": "done", "share": 1.0, "words": "done", "error": None}
    assert asking._kept(done) == done
    assert asking._kept({"message": "job 1790000000000 is done"}) == {"message": "job ~held is done"}


def test_errors_in_the_document_of_a_command_count_as_seen(tmp_path: Path) -> None:
    commands = Commands(tmp_path, Texts({}, "0.4.0"), Seen())
    document = {"tapes": [{"error": {"code": "not_answered", "message": "m", "cure": "c"}}, {"code": "none"}]}
    commands._keep(("doctor", ["doctor", "--json"], {}, "settings"), 1, json.dumps(document), "")
    assert commands._seen.codes == {"not_answered"}


# --- what is asked ------------------------------------------------------------------------------------

OF = {"name": "of", "in": "query", "required": False, "schema": {"enum": ["returns", "prices"]}, "x-aliases": ["on"]}
PERIODS = {"name": "period", "kind": "int", "choices": None, "default": 14, "low": 1, "high": None}
SERVED = {
    "/openapi.json": {"paths": {"/correlations": {"get": {"parameters": [OF]}}}},
    "/metrics/catalogue": [
        {"name": name, "scope": "symbol", "parameters": [PERIODS]} for name in ("rsi", "atr")
    ],
}  # fmt: skip
WORLD = World("world", ("A", "B"), 0, 60_000, ("1s", "5s"), ("15s",), (60,))


def asker() -> Asker:
    """Of a server that answers everything."""
    served = httpx.MockTransport(lambda request: httpx.Response(200, json=SERVED.get(request.url.path, {})))
    client = httpx.Client(transport=served, base_url="http://localhost")
    return Asker(client, WORLD, Texts({}, "0.4.0"), Seen(), RENAMED)


def test_a_renamed_parameter_is_asked_by_its_former_name_in_the_words_of_then() -> None:
    asking = asker()
    asking.everything(writes=False)
    new = ["GET /correlations?of=returns", "GET /correlations?of=prices"]
    assert [*asking.found] == ["GET /correlations", *new, "GET /correlations?on=returns", "GET /correlations?on=levels"]


def test_what_rules_do_is_not_asked_for_because_it_tells_of_the_moment() -> None:
    asking = asker()
    paths = asking.openapi["paths"]
    paths["/alerts/rules"] = {"get": {"parameters": []}, "post": {"parameters": []}}
    paths["/correlations"]["get"]["parameters"].append(
        {"name": "alerts", "in": "query", "required": False, "schema": {"type": "boolean"}}
    )
    for writes in (False, True):
        asking.everything(writes=writes)
    assert not [key for key in asking.found if "alerts" in key]
    assert asking.found


def test_arguments_of_each_metric_are_asked_by_themselves_so_that_a_new_metric_changes_no_question() -> None:
    asking = asker()
    asking._with_arguments()
    assert [key.partition("metrics=")[2].partition("%3A")[0] for key in asking.found] == ["rsi", "atr"]
    assert asking._seen.arguments == {"symbol rsi:period", "symbol atr:period"}


# --- what is never seen, and what is meant to differ --------------------------------------------------


def test_every_code_that_is_excepted_is_one_there_is() -> None:
    known = {code for codes in inside.error_classes().values() for code in codes}
    excepted = {name.removeprefix("code ") for name in EXCEPTIONS if name.startswith("code ")}
    assert excepted - known == set()


def test_a_room_that_is_passed_over_is_one_there_is_and_has_tests_of_its_own() -> None:
    assert inside.codes_of(APART)
    for room in APART:
        assert list((digest.ROOT / "tests" / room).glob("test_*.py"))
        assert list((digest.ROOT / "src" / "pairscope" / room).glob("*.py"))


@pytest.mark.parametrize(
    "path", sorted((digest.ROOT / "tools" / "digests").glob("renames-*.json")), ids=lambda p: p.name
)
def test_every_difference_that_is_meant_has_its_reason(path: Path) -> None:
    given = json.loads(path.read_text())
    renames = Renames.read(given)
    assert all(reason.strip() for kind in ACCEPTED for reason in renames.accepted[kind].values())
    too_wide = [pattern for kind in ACCEPTED for pattern in given.get(kind, {}) if not pattern.strip("*> .")]
    assert too_wide == []
