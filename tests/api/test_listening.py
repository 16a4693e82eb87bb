from __future__ import annotations

import errno
import socket
import sys
import webbrowser

import pytest

from pairscope.api import listening
from pairscope.api.listening import address_of, exposure, listen, wants_browser
from pairscope.base.errors import SettingsError


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "0.0.0.0", "::1", "::"])
def test_what_is_listened_on_is_reached_by_the_address_that_is_told(host: str) -> None:
    if ":" in host and not socket.has_ipv6:
        pytest.skip("this machine has no IPv6")
    port = free_port()
    with listen(host, port):
        name = address_of(host, port).removeprefix("http://").rpartition(":")[0].strip("[]")
        with socket.create_connection((name, port), timeout=5) as reached:
            assert reached.getpeername()[1] == port


@pytest.mark.parametrize(
    ("host", "cure"), [("192.0.2.1", "0.0.0.0"), ("no-such-name.invalid", "0.0.0.0"), ("a" * 300, "0.0.0.0")]
)
def test_a_host_that_is_not_of_this_machine_is_refused_with_a_cure_that_fits(host: str, cure: str) -> None:
    with pytest.raises(SettingsError) as error:
        listen(host, free_port())
    assert cure in error.value.cure
    assert "port" not in error.value.cure


def test_a_port_that_is_taken_is_told_with_the_flag_that_sets_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SettingsError, match=f"127.0.0.1:{port}") as error:
            listen("127.0.0.1", port, "--frontend-port")
    assert "--frontend-port" in error.value.cure


def test_a_port_of_the_system_is_told_as_such() -> None:
    denied = OSError(errno.EACCES, "Permission denied")
    assert "below 1024" in listening._cure(denied, 80, "--port")


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://localhost:80"),
        ("0.0.0.0", "http://localhost:80"),
        ("::", "http://localhost:80"),
        ("::1", "http://[::1]:80"),
        ("fe80::1%eth0", "http://[fe80::1%25eth0]:80"),
        ("desk.example", "http://desk.example:80"),
    ],
)
def test_an_address_can_be_clicked(host: str, url: str) -> None:
    assert address_of(host, 80) == url


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_this_machine_alone_needs_no_word(host: str) -> None:
    assert exposure(host, 80, ()) is None


def test_listening_beyond_this_machine_says_what_it_means_and_what_allowed_hosts_is() -> None:
    everywhere = exposure("0.0.0.0", 8123, ())
    assert everywhere is not None
    assert "port 8123" in everywhere
    assert f"--allowed-hosts {socket.gethostname()}" in everywhere
    named = exposure("::", 8123, ("desk.example",))
    assert named is not None
    assert "desk.example" in named
    assert "--allowed-hosts" not in named
    one = exposure("10.0.0.7", 8123, ())
    assert one is not None
    assert "10.0.0.7" in one


class Terminal:
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("asked", "display", "wanted"),
    [(None, "", False), (None, ":0", True), (True, "", True), (False, ":0", False)],
)
def test_a_browser_is_opened_as_asked_else_where_a_person_sits(
    asked: bool | None, display: str, wanted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdout", Terminal())
    monkeypatch.setattr(sys, "platform", "linux")
    assert wants_browser(asked, {"DISPLAY": display}) is wanted
    monkeypatch.undo()
    assert wants_browser(None, {"DISPLAY": ":0"}) is False  # pytest's output is no terminal


def test_a_browser_of_the_terminal_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webbrowser, "get", lambda: webbrowser.GenericBrowser("lynx"))
    assert not listening.open_browser("http://localhost")
