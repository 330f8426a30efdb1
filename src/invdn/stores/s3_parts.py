"""Large objects of S3 in parts; the last request makes them appear, and has the condition.

These requests are boto3's, and all others obstore's, whose uploads in parts know no condition
(version 0.12; apache/arrow-rs-object-store, issues 289 and 396) and whose ``copy_if_not_exists``,
which could move a finished upload, loses the metadata. Nothing else needs boto3: Google has no such
condition at all, and Azure takes 5 GB in one request.
"""

import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any

#: Of S3's at least 5 MiB and at most 10,000.
PART = 1 << 24
#: Does a request again for as long as the store is busy.
Trying = Callable[[Callable[[], Any]], Any]


def client_of_parts(*, own_server: bool) -> Any:
    """Return a client of S3, by the environment's settings; None: boto3 is not installed.

    Args:
        own_server: the server is not Amazon's, and has its buckets in the path, as obstore does.
    """
    try:
        from boto3 import Session
        from botocore import UNSIGNED
        from botocore.config import Config
    except ImportError:
        return None
    # tries are counted by the caller; checksums beyond TLS are known to few other servers
    plain: dict[str, Any] = {
        "request_checksum_calculation": "when_required",
        "retries": {"total_max_attempts": 1},
    }
    if own_server:
        plain["s3"] = {"addressing_style": "path"}
    if os.environ.get("AWS_SKIP_SIGNATURE", "").lower() in ("1", "true"):
        plain["signature_version"] = UNSIGNED
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    try:
        return Session().client("s3", region_name=region, config=Config(**plain))
    except Exception:  # noqa: BLE001  its settings are not for it: one request does as well
        return None


def upload_in_parts(
    client: Any,
    trying: Trying,
    where: Mapping[str, str],
    content: bytes,
    how: Mapping[str, Any],
    condition: Mapping[str, str],
) -> str:
    """Write an object, and return its etag. What a failed attempt left is removed.

    Args:
        client: of :func:`client_of_parts`.
        trying: does each request.
        where: ``Bucket`` and ``Key``.
        content: its contents.
        how: ``Metadata`` and ``ContentType``.
        condition: ``IfNoneMatch`` or ``IfMatch``; empty: none.
    """
    start = partial(client.create_multipart_upload, **where, **how)
    upload = {**where, "UploadId": trying(start)["UploadId"]}
    try:
        parts, whole = [], memoryview(content)
        for number, first in enumerate(range(0, len(content), PART), 1):
            piece = bytes(whole[first : first + PART])
            part = partial(client.upload_part, **upload, PartNumber=number, Body=piece)
            parts.append({"PartNumber": number, "ETag": trying(part)["ETag"]})
        end = partial(
            client.complete_multipart_upload,
            **upload,
            **condition,
            MultipartUpload={"Parts": parts},
        )
        return str(trying(end)["ETag"])
    except Exception:
        with suppress(Exception):
            client.abort_multipart_upload(**upload)
        raise
