"""The Chromium of the browser tests: found on this machine, never downloaded."""

import os
import shutil

from playwright.sync_api import Browser, Playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


class NoChromium(Exception):
    """There is no Chromium or Chrome; the message says how to get one."""


def find_chromium() -> str:
    """The path of the browser: what the variable CHROMIUM names, else the first one on the PATH."""
    named = os.environ.get("CHROMIUM")
    found = shutil.which(named) if named else next(filter(None, map(shutil.which, NAMES)), None)
    if not found:
        asked = f"CHROMIUM={named} is no program. " if named else ""
        raise NoChromium(
            f"{asked}The browser tests need Chromium or Chrome. Debian: apt-get install chromium; "
            "macOS: brew install --cask chromium; or set CHROMIUM to the path of its program."
        )
    return found


# Playwright turns it off; shoppers have it, and with it come back to pages that still show old values.
WITH_PAGES_IN_MEMORY = ["--disable-back-forward-cache"]


def launch_chromium(playwright: Playwright) -> Browser:
    """A headless Chromium that talks to nobody but the shop."""
    return playwright.chromium.launch(
        executable_path=find_chromium(), args=ARGUMENTS, ignore_default_args=WITH_PAGES_IN_MEMORY
    )
