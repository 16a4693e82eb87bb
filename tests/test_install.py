"""The installer: uv is told what pip's configuration says, and pip does what uv cannot."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from tools import install

ROOT = Path(__file__).parent.parent


def test_what_pip_is_told_is_told_to_uv() -> None:
    listing = (
        "global.index-url='https://files/simple'\n"
        "global.extra-index-url='https://one/simple\\nhttps://two/simple'\n"
        ":env:.find-links='/wheels /more'\n"
        "global.find-links='/other'\n"
        ":env:.cert='/certificates.pem'\n"
        "freeze.timeout='10'\n"
        "broken line\n"
    )
    told = install.uv_environment({}, install.read_pip_config(listing))
    assert told["UV_DEFAULT_INDEX"] == "https://files/simple"
    assert told["UV_INDEX"] == "https://one/simple https://two/simple"
    assert told["UV_FIND_LINKS"] == "/wheels,/more"
    assert told["SSL_CERT_FILE"] == "/certificates.pem"
    assert told["UV_HTTP_RETRIES"] == "0"


def test_what_uv_is_told_by_people_stands() -> None:
    told = install.uv_environment({"UV_DEFAULT_INDEX": "https://mine/simple"}, {"index-url": "https://files/simple"})
    assert told["UV_DEFAULT_INDEX"] == "https://mine/simple"


@pytest.mark.parametrize("uv_works", [True, False])
def test_pip_does_what_uv_cannot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, uv_works: bool) -> None:
    uv, python, told = tmp_path / "uv", tmp_path / "python", tmp_path / "told"
    uv.write_text(f"#!/bin/sh\necho uv >> {told}\necho no such index >&2\nexit {0 if uv_works else 2}\n")
    python.write_text(f'#!/bin/sh\necho "pip $5" >> {told}\n')
    for each in (uv, python):
        each.chmod(0o755)
    monkeypatch.setattr(install, "PIP", (str(python), "-m", "pip", "-x", "-q"))
    monkeypatch.setattr(install, "uv_of_environment", lambda: uv)
    assert install.install(["-r", "requirements/runtime.txt"]) == 0
    assert told.read_text().split("\n")[:-1] == ["pip config", "uv", *([] if uv_works else ["pip install"])]


def test_the_lock_files_pin_by_hash_and_name_no_address() -> None:
    for lock in ROOT.glob("requirements/*.txt"):
        text = lock.read_text()
        assert "://" not in text, lock
        for line in re.findall(r"(?m)^[a-z0-9].*", text):
            assert line.endswith("\\"), f"{lock.name}: {line} has no hash"


def test_what_tests_compare_with_is_not_installed_to_run() -> None:
    runtime = (ROOT / "requirements" / "runtime.txt").read_text()
    names = set(re.findall(r"(?m)^([a-z0-9-]+)==", runtime))
    assert "numba" in names
    assert not names & {"arch", "pandas", "scipy", "statsmodels", "mpmath", "pyarrow"}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = {
        name: [re.split(r"[<>=]", each)[0] for each in found]
        for name, found in project["optional-dependencies"].items()
    }
    assert extras == {"garch": [], "services": ["apprise"]}
    assert "apprise" not in names
    needed = {re.split(r"[<>=]", each)[0] for each in project["dependencies"]}
    asked = (ROOT / "requirements" / "runtime.in").read_text().split()
    assert needed == set(asked)
