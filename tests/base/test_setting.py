"""Each setting tells its topic, what it may be, and a value that works."""

from __future__ import annotations

import re
from itertools import groupby
from pathlib import Path

import pytest

from pairscope.base.errors import SettingsError
from pairscope.base.setting import SettingTopic, example_of, kinds_of, limits_of, topic_of, what_it_may_be
from pairscope.base.settings import Settings
from pairscope.base.settings_sources import load_settings, variable_of

FIELDS = Settings.model_fields
# Without which a setting is refused.
BESIDE: dict[str, dict[str, object]] = {"tape": {"source": "tape"}, "most_symbols": {"symbols": "BTCUSDT"}}
# Of every kind that a flag, a file or a variable can carry. What pydantic would turn into a number is no number either.
WRONG: tuple[object, ...] = (
    "",
    "\x00",
    "x y",
    "nan",
    "-inf",
    "9" * 400,
    -1,
    2**70,
    -1.5,
    float("nan"),
    True,
    [],
    [5],
    {"a": 1},
    "0x10",
)


@pytest.mark.parametrize("name", FIELDS)
def test_the_example_of_a_setting_works(name: str) -> None:
    if name == "source":
        pytest.skip("its default is its example")
    load_settings({name: example_of(FIELDS[name]) or "tapes", **BESIDE.get(name, {})}, {})


@pytest.mark.parametrize("name", FIELDS)
@pytest.mark.parametrize("wrong", WRONG, ids=[str(place) for place in range(len(WRONG))])
def test_what_a_setting_cannot_be_is_refused_with_what_it_may_be(name: str, wrong: object) -> None:
    refusal = refusal_of(name, wrong)
    if refusal is None:  # taken: then it is a text, a path or a yes, never a number out of its limits
        assert not limits_of(FIELDS[name])
        return
    assert refusal.cure
    assert "input should" not in str(refusal).lower()
    assert len(str(refusal)) < 500
    if str(refusal).startswith("setting '"):
        assert refusal.message.startswith(f"setting '{name}' cannot be ")
        assert refusal.cure == f"give {what_it_may_be(FIELDS[name])}"


def refusal_of(name: str, value: object) -> SettingsError | None:
    try:
        load_settings({name: value, **BESIDE.get(name, {})}, {})
    except SettingsError as error:
        return error
    return None


@pytest.mark.parametrize("name", [name for name, field in FIELDS.items() if limits_of(field)])
def test_a_number_on_its_limit_is_taken_and_one_beyond_is_refused_with_the_range(name: str) -> None:
    limits = limits_of(FIELDS[name])
    assert len(limits) == 2, "a range has two ends"
    example = getattr(load_settings({name: example_of(FIELDS[name])}, {}), name)
    for side, end in limits.items():
        beyond = end - 1 if side in ("ge", "gt") else end + 1
        if side != "gt":
            assert getattr(load_settings({name: end, **BESIDE.get(name, {})}, {}), name) == end
        refusal = refusal_of(name, beyond)
        assert refusal is not None
        assert str(end) in refusal.cure
        assert ("whole" in refusal.cure) == isinstance(example, int)


NUMBERS = [name for name, field in FIELDS.items() if limits_of(field)]
WHOLE = [name for name in NUMBERS if float not in kinds_of(FIELDS[name].annotation)]
NO_NUMBERS = ("-1", "-0.5", "-1e5", "1e400", "9" * 30, "five", "1,5", "5 %", "1.2.3", "inf", "true")
OURS = re.compile(r"give (a (whole )?number (from|above) \S+ (up )?to \d+, such as [\d.]+|bars from 2 to 5,000, or .*)")


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("text", NO_NUMBERS)
def test_what_is_no_number_for_a_setting_is_refused_in_the_same_words_wherever_it_comes_from(
    name: str, text: str, tmp_path: Path
) -> None:
    file = tmp_path / "settings.toml"
    file.write_text(f'{name} = "{text}"')
    told = []
    for flags, environment, path in (({name: text}, {}, None), ({}, {variable_of(name): text}, None), ({}, {}, file)):
        with pytest.raises(SettingsError) as refused:
            load_settings(flags, environment, path)
        told.append(str(refused.value))
        assert f"'{name}' cannot be '{text}'" in refused.value.message
        assert OURS.fullmatch(refused.value.cure)
        assert ("whole" in refused.value.cure or "bars" in refused.value.cure) == (name in WHOLE)
    assert len(set(told)) == 1


@pytest.mark.parametrize("name", NUMBERS)
def test_a_fraction_is_taken_where_one_is_meant_and_else_a_whole_number_is_asked_for(name: str) -> None:
    low = max(limits_of(FIELDS[name]).get("ge", 0), 1)
    for fraction in (low + 0.5, f"{low + 0.5}"):
        refusal = refusal_of(name, fraction)
        assert (refusal is not None) == (name in WHOLE)
        if refusal is not None:
            assert "give a whole number" in refusal.cure or refusal.cure.startswith("give bars")


def test_the_words_of_a_range_fit_its_kind() -> None:
    assert what_it_may_be(FIELDS["replay_speed"]) == "a number from 0 to 10000, such as 1.0"
    assert what_it_may_be(FIELDS["simulator_seed"]) == "a whole number from 0 to 4294967295, such as 1"
    assert what_it_may_be(FIELDS["stale_s"]) == "a number above 0, up to 3600, such as 5.0"
    assert what_it_may_be(FIELDS["log_level"]) == "one of 'debug', 'info', 'warning', 'error'"
    assert what_it_may_be(FIELDS["open"]) == "true or false"


def test_settings_of_one_topic_stand_together_in_the_order_of_topics() -> None:
    assert [topic for topic, _ in groupby(FIELDS.values(), topic_of)] == list(SettingTopic)
