"""Make sure there is a Chromium for the browser tests, or say that they will be skipped."""

import shutil
import subprocess
import sys

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def find() -> str | None:
    """The path of an installed Chromium."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


def install() -> None:
    """Ask the system's package manager, when it is there and may be used without a question."""
    apt = shutil.which("apt-get")
    if apt is None:
        return
    for arguments in (["update"], ["install", "-y", "--no-install-recommends", "chromium"]):
        done = subprocess.run(
            [apt, "-qq", *arguments], check=False, stdin=subprocess.DEVNULL, capture_output=True, timeout=600
        )
        if done.returncode:
            return


def main() -> int:
    if find() is None:
        print("· installing Chromium for the browser tests")
        install()
    if find() is None:
        print("· no Chromium found and none could be installed: browser tests will be skipped")
    return 0


if __name__ == "__main__":
    sys.exit(main())
