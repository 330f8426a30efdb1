"""Notifications on the desktop, for work that an editor starts without a terminal."""

import shutil
import subprocess
import sys
from contextlib import suppress

_SECONDS = 5  # a notification service that hangs must not hold the work


def notify(text: str) -> None:
    """Show a notification where the desktop has them; elsewhere do nothing."""
    command = _command(text)
    if command is None:
        return
    with suppress(OSError, subprocess.SubprocessError):
        subprocess.run(  # noqa: S603  a fixed program, and text that is no code there
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=_SECONDS,
            check=False,
        )


def _command(text: str) -> list[str] | None:
    if sys.platform == "darwin":
        script = 'on run argv\ndisplay notification (item 1 of argv) with title "InvDN"\nend run'
        return ["/usr/bin/osascript", "-e", script, text]
    if program := shutil.which("notify-send"):
        return [program, "--app-name=InvDN", "InvDN", text]
    return None
