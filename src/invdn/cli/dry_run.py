"""``invdn denoise --dry-run``: report what would be done, and do nothing."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from ..batch import Existing, Job, Plan
from ..errors import InvDNError
from .terminal import printable

if TYPE_CHECKING:
    from ..inference import Outlook

_STAYS = {"skip": "its result exists and stays", "refuse": "its result exists: it would fail"}


def dry_run(
    plan: Plan,
    look: Callable[[Job], Outlook],
    existing: Existing,
    *,
    json_lines: bool,
    as_json: bool,
) -> int:
    """Tell noise, strength, time and target of every photograph of a plan.

    Args:
        plan: what would be done.
        look: looks at a photograph, and raises where it cannot be denoised.
        existing: what would be done where a result exists.
        json_lines: one JSON object a line, instead of lines for people.
        as_json: one JSON object at the end.

    Returns:
        The exit code: 0, or 1 if a photograph cannot be read.
    """
    seconds, entries = 0.0, []

    def tell(entry: dict[str, Any], words: str, failed: bool = False) -> None:
        entries.append(entry)
        if json_lines:
            click.echo(json.dumps({"event": "outlook", **entry}))
        if failed or not (json_lines or as_json):
            click.echo("\n".join(map(printable, words.split("\n"))), err=failed)

    for path, reason in plan.unreadable:
        tell({"source": str(path), "error": reason}, f"invdn: {reason}", failed=True)
    for job in plan.jobs:
        try:
            outlook = look(job)
        except InvDNError as error:
            tell({"source": str(job.source), "error": str(error)}, f"invdn: {error}", failed=True)
            continue
        stays = _STAYS.get(existing) if os.path.lexists(job.target) else None
        seconds += 0 if stays else outlook.seconds
        facts = {**asdict(outlook), "source": str(job.source), "target": str(job.target)}
        tell({**facts, "reason": stays}, _lines(outlook, stays))
    failures = sum("error" in entry for entry in entries)
    facts = {"photographs": len(plan.jobs), "failed": failures, "seconds": seconds}
    if json_lines:
        click.echo(json.dumps({"event": "summary", **facts}))
    elif as_json:
        click.echo(json.dumps({**facts, "outlooks": entries}))
    elif len(plan.jobs) > 1:
        click.echo(f"{len(plan.jobs)} photographs, about {_time(seconds)}; nothing was written")
    return 1 if failures else 0


def _lines(outlook: Outlook, stays: str | None) -> str:
    """Return the notes on a photograph, one a line."""
    facts = [f"{outlook.width}x{outlook.height}"]
    if outlook.noise_word is not None:
        facts.append(f"{outlook.noise_word} noise, {outlook.noise_level:.1f} of 255")
    if outlook.strength is not None:
        facts.append(f"strength {outlook.strength:.2f}")
    facts.append(stays or f"about {_time(outlook.seconds)}")
    notes = [note for note in (outlook.warning, *outlook.remarks) if note]
    head = f"{outlook.source} -> {outlook.target} ({'; '.join(facts)})"
    return "\n".join([head, *(f"  note: {note}" for note in notes)])


def _time(seconds: float) -> str:
    """Return a time as people say it.

    Example:
        >>> [_time(seconds) for seconds in (0.4, 42.2, 130, 7300)]
        ['1 s', '42 s', '2 min', '2.0 h']
    """
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
