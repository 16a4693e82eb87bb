"""A secret that is named is found where it may lie, and nothing else can be named."""

from __future__ import annotations

from pathlib import Path

import pytest

from pairscope.alerts.delivery.secret import BadSecret, Secrets, check


@pytest.fixture
def secrets(tmp_path: Path) -> Secrets:
    folder = tmp_path / "secrets"
    folder.mkdir()
    (folder / "hook").write_text("of the file\n")
    (folder / "empty").write_text("\n")
    (folder / "binary").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "outside").write_text("of somebody else")
    (folder / "link").symlink_to(folder / "hook")
    return Secrets(folder, {"PAIRSCOPE_SECRET_A": "of the environment", "HOME": "/root", "PAIRSCOPE_SECRET_E": ""})


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("env:PAIRSCOPE_SECRET_A", "of the environment"),
        ("file:hook", "of the file"),
        ("file:link", "of the file"),
        ("whsec_abc", "whsec_abc"),
        ("https://hooks.example/env:X", "https://hooks.example/env:X"),
        ("tgram://1:a/2", "tgram://1:a/2"),
    ],
)
def test_a_secret_is_found_where_it_is_named_or_is_the_text_itself(secrets: Secrets, text: str, found: str) -> None:
    assert secrets.read(text) == found


@pytest.mark.parametrize(
    "text",
    [
        *("env:HOME", "env:PATH", "env:PAIRSCOPE_DATA_DIR", "env:PAIRSCOPE_SECRET_", "env:", "env: PAIRSCOPE_SECRET_A"),
        *("env:PAIRSCOPE_SECRET_A\n", "env:pairscope_secret_a", "env:PAIRSCOPE_SECRET_Ä", "env:XPAIRSCOPE_SECRET_A"),
        *("file:../outside", "file:/etc/passwd", "file:..", "file:.", "file:", "file:a/b", "file:.hidden", "file:a\\b"),
        *("file:hook\x00", "file:~/x", "file:%2e%2e/outside", "file:\u2025/outside"),
    ],
)
def test_no_other_variable_and_no_other_file_can_be_named(secrets: Secrets, text: str) -> None:
    with pytest.raises(BadSecret) as refused:
        secrets.read(text)
    assert refused.value.cure
    with pytest.raises(BadSecret):
        check(text)


@pytest.mark.parametrize(
    "text", ["env:PAIRSCOPE_SECRET_B", "env:PAIRSCOPE_SECRET_E", "file:nothing", "file:empty", "file:binary"]
)
def test_one_that_is_not_there_is_told_with_what_to_do(secrets: Secrets, text: str) -> None:
    check(text)
    with pytest.raises(BadSecret) as refused:
        secrets.read(text)
    assert refused.value.cure


def test_a_folder_is_no_secret_and_a_long_file_is_read_up_to_its_bound(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "long").write_text("x" * 1_000_000)
    secrets = Secrets(tmp_path, {})
    assert len(secrets.read("file:long")) == 65_536
    with pytest.raises(BadSecret):
        secrets.read("file:folder")
