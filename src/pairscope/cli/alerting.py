"""``pairscope alerts``: the rules and channels of a running server, a test of channels, and sending again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from pairscope.api import wire
from pairscope.base.errors import DataFolderError
from pairscope.base.logs import set_up_logs
from pairscope.base.settings import Settings
from pairscope.cli.answers import AlertsDocument, Answer, Misused
from pairscope.cli.common import settings_from, tapes_of
from pairscope.cli.exit_codes import EXIT_DONE, EXIT_FOUND
from pairscope.client import Client
from pairscope.store.data_folder import read_announcement

_RULES = ("rule", "is", "what", "last fired", "fires a day", "sent to")
_CHANNELS = ("channel", "is", "where", "waiting", "given up", "last sent")
LONGEST = 70  # characters of what a rule is


def alerts(parsed: dict[str, Any]) -> Answer:
    action, names, messages, url = (parsed.pop(name) for name in ("action", "names", "messages", "url"))
    if action == "list" and names:
        raise Misused("a list is of all there is", cure="leave out the names, or say test or replay")
    if messages and (action != "replay" or names):
        raise Misused("messages are sent again by themselves", cure="write: pairscope alerts replay --messages ID,ID")
    settings = settings_from(parsed)
    set_up_logs("warning", None)
    with Client(url or _server_of(settings)) as client:
        found = AlertsDocument(client.url)
        if action == "test":
            return _test(client, names, found)
        if action == "replay":
            return _replay(client, names, messages, found)
        return _list(client, found)


def _server_of(settings: Settings) -> str:
    """The server that runs on the data folder.

    Raises:
        DataFolderError: when there is none, or more than one.
    """
    running = [each.url for each in map(read_announcement, tapes_of(settings)) if each is not None]
    if len(running) == 1:
        return running[0]
    if running:
        raise DataFolderError(f"{len(running)} servers run on it: {', '.join(running)}", cure="name one: --url ADDRESS")
    where = settings.database_path or settings.data_dir
    raise DataFolderError(f"no server runs on {where}", cure="start one: pairscope run; or name one: --url ADDRESS")


def _list(client: Client, found: AlertsDocument) -> Answer:
    told, delivery = client.alert_rules(), client.alert_channels()
    found.rules, found.channels = told.rules, delivery.channels
    print(f"alerts of {client.url}: {_engine(told.engine)}")
    for mute in told.mutes:
        of = "all rules are" if mute.rule is None else f"rule {mute.rule} is"
        print(f"  {of} muted until {_time(mute.until_ms)}{f': {mute.note}' if mute.note else ''}")
    print("\n".join(_table([_RULES, *map(_rule, told.rules)])) if told.rules else "  no rule")
    if delivery.channels:
        print("\n".join(_table([_CHANNELS, *map(_channel, delivery.channels)])))
    return Answer(EXIT_DONE, found)


def _test(client: Client, names: Sequence[str], found: AlertsDocument) -> Answer:
    for name in names or _all(client):
        tried = client.test_alert_channel(name)
        found.tried.append(tried)
        print(f"{name}: {tried.error or 'accepted'} ({tried.took_ms:,} ms)")
    failed = any(each.error is not None for each in found.tried)
    return Answer(EXIT_FOUND if failed else EXIT_DONE, found)


def _replay(client: Client, names: Sequence[str], messages: str | None, found: AlertsDocument) -> Answer:
    if messages:
        found.waiting = client.replay_alerts(ids=[part.strip() for part in messages.split(",") if part.strip()]).waiting
    else:
        found.waiting = sum(client.replay_alerts(channel=name).waiting for name in names or _all(client))
    print(f"{found.waiting:,} messages wait to be sent again")
    return Answer(EXIT_DONE, found)


def _all(client: Client) -> list[str]:
    names = [each.name for each in client.alert_channels().channels]
    if not names:
        raise Misused("there is no channel yet", cure="make one on the page, or by POST /alerts/channels")
    return names


def _engine(engine: wire.AlertEngine) -> str:
    if engine.error is not None:
        return f"not written: {engine.error}"
    behind = f", {engine.behind_ms / 1_000:,.0f} s behind" if engine.behind_ms else ""
    return f"{engine.state.replace('_', ' ')}, {engine.firing} firing{behind}"


def _rule(rule: wire.AlertRuleInfo) -> tuple[str, ...]:
    told = rule.name if rule.name == rule.sentence else f"{rule.name}: {rule.sentence}"
    counts = rule.counts
    per_day = None if counts is None else counts.fires_a_day
    return (
        str(rule.id),
        _standing(rule),
        told if len(told) <= LONGEST else f"{told[: LONGEST - 1]}…",
        _time(None if counts is None else counts.last_fired_ms),
        "-" if per_day is None else f"{per_day:.1f}",
        ", ".join(rule.channels) or "the page",
    )


def _standing(rule: wire.AlertRuleInfo) -> str:
    """How a rule is, in a word or two."""
    if not rule.enabled:
        return "off"
    of_many = [f"{count} {stage}" for stage, count in rule.stages.items() if count and stage != "inactive"]
    unknown = [f"{rule.unknown} unknown"] if rule.unknown else []
    told = ", ".join([*of_many, *unknown]) or "quiet"
    return f"{told}, muted" if rule.muted_until_ms is not None else told


def _channel(channel: wire.AlertChannel) -> tuple[str, ...]:
    state = f"off ({channel.off_reason})" if channel.off_reason else channel.error or "on"
    return (channel.name, state, channel.place, str(channel.waiting), str(channel.dead), _time(channel.sent_ms))


def _table(rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    for row in rows:
        yield "  " + "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()


def _time(time_ms: int | None) -> str:
    return "-" if time_ms is None else f"{datetime.fromtimestamp(time_ms / 1_000, UTC):%Y-%m-%d %H:%M:%S}"
