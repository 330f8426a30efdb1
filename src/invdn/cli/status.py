"""``invdn status``: how far an archive is."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING

import click

from ..errors import InputError, InvDNError
from .options import Command
from .terminal import printable

if TYPE_CHECKING:
    from ..archive import ArchiveStatus


@click.command(cls=Command)
@click.option("--manifest", metavar="URL", required=True, help="Folder of the plan.")
@click.option("--failures", is_flag=True, help="Name every photograph that failed, as JSON lines.")
@click.option("--json", "as_json", is_flag=True, help="Report as JSON.")
def command(manifest: str, failures: bool, as_json: bool) -> None:
    """Tell how far an archive is: done, failed, left, speed, time left.

    The ledgers of all shards and attempts are merged. They are written every half minute, and
    what was not yet written when a worker was killed counts as left until a later attempt finds
    it done.

    \b
    invdn status --manifest s3://clean/plan-2024
    invdn status --manifest s3://clean/plan-2024 --failures

    \b
    Exit codes: 0 all is done; 1 photographs failed or are left; 2 there is no such plan.
    """
    from ..archive import archive_status, failures_of, open_manifest

    try:
        opened = open_manifest(manifest)
        if failures:
            found = False
            for failure in failures_of(opened):
                found = True
                click.echo(json.dumps(failure))
            raise SystemExit(int(found))
        status = archive_status(opened)
    except InvDNError as error:
        click.echo(printable(f"invdn: {error}"), err=True)
        raise SystemExit(2 if isinstance(error, InputError) else 1) from error
    if as_json:
        click.echo(json.dumps(status.as_dict()))
    else:
        _tell(status)
    raise SystemExit(0 if status.done == status.photographs else 1)


def _tell(status: ArchiveStatus) -> None:
    share = 100 * status.done / status.photographs if status.photographs else 100
    click.echo(
        f"{status.done} of {status.photographs} photographs done ({share:.1f} %), "
        f"{status.failed} failed, {status.left} left"
    )
    click.echo(
        f"{status.finished} of {status.shards} shards finished, in {status.attempts} attempts"
    )
    for kind, number in status.kinds.most_common():
        click.echo(f"  {number} {kind}")
    if status.failed:
        click.echo("  --failures names them")
    if status.speed:
        left = status.seconds_left
        eta = f", {timedelta(seconds=round(left))} left" if left else ""
        click.echo(f"{status.speed:.3g} megapixels a second{eta}")
