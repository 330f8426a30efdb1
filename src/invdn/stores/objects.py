"""Buckets of S3, Google and Azure, and web servers, through obstore.

A new object is written with the condition that none of its name is there (S3 and Azure:
``If-None-Match: *``; Google: generation 0), in one request. So of two writers one wins, and no
reader ever sees half an object. Large ones go to S3 in parts where boto3 is installed (obstore's
parts know no conditions): a part that fails is sent again alone, and the last request, which makes
the object appear, has the condition.
"""

import json
import os
import random
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from datetime import timedelta
from functools import partial
from typing import Any, TypeVar

from ..errors import (
    AccessError,
    BusyStoreError,
    ChangedObjectError,
    MissingDependencyError,
    MissingObjectError,
    ObjectExistsError,
    StoreError,
)
from .locations import WEB, bucket_of, join
from .store import Entry, Store, Wait, Writing

Result = TypeVar("Result")

_LARGEST = 5 << 30  # from: S3, PutObject; Google and Azure take as much
_PIECE = 1 << 23
_PART = 1 << 24  # of S3's at least 5 MiB and at most 10,000
_PAUSES = (0.2, 15.0)  # seconds before the second try, and at most; doubled from try to try
_CONTENT_TYPE = "Content-Type"
_STATUS = re.compile(r"status code: ([0-9]{3})")
_OF_BOTO3 = "botocore."  # modules of its errors
_PASSING = {408, 409, 425, 429, *range(500, 600)}
_OF_THE_WAY = re.compile(
    r"error sending request|connection|could not connect|timed out|timeout"
    r"|error decoding response body|end of file|request or response body error|HTTP error",
    re.IGNORECASE,
)
_CONFLICT = "ConditionalRequestConflict"  # from: S3, 409
_EMPTY = 416  # no byte of what was asked for is there
_NO_BUCKET = re.compile(r"NoSuchBucket|ContainerNotFound|bucket does not exist", re.IGNORECASE)
_REGION = re.compile(
    r"PermanentRedirect|redirect without LOCATION|IllegalLocationConstraint|region \S+ is wrong"
    r"|AuthorizationHeaderMalformed|status code: 301",
    re.IGNORECASE,
)
_NO_CREDENTIALS = re.compile(r"169\.254\.169\.254|metadata\.google|169\.254\.170|identity/oauth2")
#: Variables that name a server in the place of the provider's own.
_ENDPOINTS = {
    **dict.fromkeys(("s3", "s3a"), ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")),
    "gs": ("STORAGE_EMULATOR_HOST", "GOOGLE_BASE_URL"),
    **dict.fromkeys(
        ("az", "azure", "abfs", "abfss", "adl"), ("AZURE_STORAGE_ENDPOINT", "AZURE_ENDPOINT")
    ),
}
_CREDENTIALS = {
    "s3": "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, install boto3 for profiles, or run "
    "under a role; a public bucket needs AWS_SKIP_SIGNATURE=true",
    "gs": "run 'gcloud auth application-default login', set GOOGLE_APPLICATION_CREDENTIALS, or "
    "run under a service account",
    "az": "set AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY, or run under a managed "
    "identity",
}


class ObjectStore(Store):
    """Objects below a URL, as :class:`~invdn.stores.Store` says.

    Args:
        url: of a bucket, or of a folder in it; without a slash at the end.
        patience: seconds for which a request is tried again while the store is busy.
        wait: waits between two tries, and ends the trying where it returns True.

    Raises:
        MissingDependencyError: obstore is not installed.
        StoreError: the URL or the environment's settings are wrong.
    """

    def __init__(self, url: str, *, patience: float, wait: Wait) -> None:
        try:
            import obstore
            from obstore.store import from_url
        except ImportError as error:
            raise MissingDependencyError(
                f"{url} needs the package obstore: pip install 'invdn[cloud]'"
            ) from error
        self.url = url
        self._scheme = url.partition("://")[0]
        self._patience = patience
        self._wait = wait
        self._obstore: Any = obstore
        try:
            self._store: Any = from_url(url, **self._settings())
        except Exception as error:
            raise StoreError(f"cannot open {url}: {_first_line(error)}") from error

    def _settings(self) -> dict[str, Any]:
        client: dict[str, Any] = {
            "timeout": timedelta(hours=1),
            "read_timeout": timedelta(seconds=60),
            "connect_timeout": timedelta(seconds=10),
        }
        settings: dict[str, Any] = {
            "client_options": client,
            # tries are counted here, where a stop can end them
            "retry_config": {"max_retries": 0, "retry_timeout": timedelta(0)},
        }
        endpoint = next(filter(None, map(os.environ.get, _ENDPOINTS.get(self._scheme, ()))), None)
        if self._scheme == "gs" and os.environ.get("STORAGE_EMULATOR_HOST"):  # knows no credentials
            endpoint = endpoint if endpoint and "://" in endpoint else f"http://{endpoint}"
            anonymous = {"gcs_base_url": endpoint, "disable_oauth": True, "client_email": ""}
            anonymous |= {"private_key": "", "private_key_id": ""}
            settings["service_account_key"] = json.dumps(anonymous)
        if self._scheme == "http" or (endpoint or "").startswith("http:"):
            client["allow_http"] = True
        if self._scheme in ("s3", "s3a"):
            if endpoint:
                settings["endpoint"] = endpoint
            if provider := _provider_of_profiles():
                settings["credential_provider"] = provider
        return settings

    def entries(self, prefix: str = "") -> Iterator[Entry]:
        """As of the protocol; goes on behind the last key after a fault."""
        if self._scheme in WEB:
            raise StoreError(
                f"{self.url} is a web server, which tells nobody what it holds; name the "
                "photographs with --files-from"
            )
        last: str | None = None
        pages: Any = None

        def page() -> Any:
            nonlocal pages
            if pages is None:
                pages = iter(
                    self._obstore.list(self._store, prefix or None, offset=last, chunk_size=1000)
                )
            try:
                return next(pages, None)
            except Exception:
                pages = None
                raise

        while found := self._tried(prefix, page):
            for meta in found:
                last = meta["path"]
                yield _entry(meta)

    def head(self, key: str) -> Entry | None:
        """As of the protocol."""
        try:
            found = self._tried(key, lambda: self._get(key, head=True))
        except MissingObjectError as error:
            if _NO_BUCKET.search(str(error.__cause__)):
                raise
            return None
        return _entry(found.meta, found.attributes)

    def fetch(self, key: str, etag: str | None = None) -> tuple[bytes, Entry]:
        """As of the protocol."""

        def act() -> tuple[bytes, Entry]:
            found = self._get(key, **({"if_match": etag} if etag else {}))
            entry = _entry(found.meta)
            content = bytes(found.bytes())
            if len(content) != entry.size:
                raise BusyStoreError(f"{join(self.url, key)} was cut off")
            return content, entry

        return self._tried(key, act)

    def stream(self, key: str) -> Iterator[bytes]:
        """As of the protocol."""
        found = self.head(key)
        if found is None:
            raise MissingObjectError(f"there is no {join(self.url, key)}")
        size, condition = found.size or 0, {"if_match": found.etag} if found.etag else {}
        for first in range(0, size, _PIECE):
            part = (first, min(first + _PIECE, size))
            yield self._tried(key, partial(self._bytes, key, range=part, **condition))

    def start(self, key: str, size: int) -> bytes:
        """As of the protocol."""
        try:
            return self._tried(key, lambda: self._bytes(key, range=(0, size)))
        except StoreError as error:
            if _status(error.__cause__) == _EMPTY:
                return b""
            raise

    def _write(self, new: Writing) -> Entry:
        if self._scheme in WEB:
            raise StoreError(f"{self.url} is a web server, and can only be read")
        if len(new.content) > _LARGEST:
            raise StoreError(f"cannot write {join(self.url, new.key)}: it has more than 5 GiB")
        mode: Any = self._tried(new.key, partial(self._meant, new)) if new.replaces else "overwrite"
        attributes = dict(new.metadata or {})
        if new.content_type:
            attributes[_CONTENT_TYPE] = new.content_type
        if len(new.content) > 2 * _PART and (client := self._client_of_parts()):
            etag = self._write_parts(client, new)
            return Entry(new.key, len(new.content), etag, None, new.metadata)
        put = partial(
            self._obstore.put,
            self._store,
            new.key,
            new.content,
            mode="create" if new.replaces == "" else mode,
            attributes=attributes or None,
            use_multipart=False,
        )
        found = self._tried(new.key, put)
        return Entry(new.key, len(new.content), found["e_tag"], None, new.metadata)

    def _client_of_parts(self) -> Any:
        """Return what uploads in parts with a condition; None: nothing here does."""
        if self._scheme not in ("s3", "s3a"):
            return None
        try:
            from boto3 import Session
            from botocore import UNSIGNED
            from botocore.config import Config
        except ImportError:
            return None
        # tries are counted here; checksums beyond TLS are known to few other servers
        plain: dict[str, Any] = {
            "request_checksum_calculation": "when_required",
            "retries": {"total_max_attempts": 1},
        }
        if any(map(os.environ.get, _ENDPOINTS["s3"])):
            plain["s3"] = {"addressing_style": "path"}  # as obstore does
        if os.environ.get("AWS_SKIP_SIGNATURE", "").lower() in ("1", "true"):
            plain["signature_version"] = UNSIGNED
        region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
        try:
            return Session().client("s3", region_name=region, config=Config(**plain))
        except Exception:  # noqa: BLE001  its settings are not for it: one request does as well
            return None

    def _write_parts(self, client: Any, new: Writing) -> str:
        """Write an object in parts, and return its etag. What a failed attempt left is removed."""
        bucket, _, folder = self.url.partition("://")[2].partition("/")
        where = {"Bucket": bucket, "Key": f"{folder}/{new.key}".lstrip("/")}
        how: dict[str, Any] = {"Metadata": dict(new.metadata or {})}
        if new.content_type:
            how["ContentType"] = new.content_type
        condition = {"IfNoneMatch": "*"} if new.replaces == "" else {}
        if new.replaces:
            condition = {"IfMatch": new.replaces}
        content = memoryview(new.content)
        start = partial(client.create_multipart_upload, **where, **how)
        where["UploadId"] = self._tried(new.key, start)["UploadId"]
        try:
            parts = []
            for number, first in enumerate(range(0, len(content), _PART), 1):
                piece = bytes(content[first : first + _PART])
                part = partial(client.upload_part, **where, PartNumber=number, Body=piece)
                parts.append({"PartNumber": number, "ETag": self._tried(new.key, part)["ETag"]})
            whole = {"MultipartUpload": {"Parts": parts}, **condition}
            end = partial(client.complete_multipart_upload, **where, **whole)
            return str(self._tried(new.key, end)["ETag"])
        except Exception as error:
            with suppress(Exception):
                client.abort_multipart_upload(**where)
            if isinstance(error, ChangedObjectError) and new.replaces == "":
                raise ObjectExistsError(f"{join(self.url, new.key)} exists already") from error
            raise

    def _meant(self, new: Writing) -> dict[str, str]:
        """Return the condition that the object of an etag is still there."""
        if self._scheme != "gs":
            return {"e_tag": str(new.replaces)}
        # Google's conditions of writing are generations, which only the store knows.
        meta = self._obstore.head(self._store, new.key)
        if meta["e_tag"] != new.replaces:
            raise ChangedObjectError(_changed(join(self.url, new.key)))
        return {"e_tag": meta["e_tag"], "version": meta["version"]}

    def _get(self, key: str, **options: Any) -> Any:
        return self._obstore.get(self._store, key, options=options)

    def _bytes(self, key: str, **options: Any) -> bytes:
        return bytes(self._get(key, **options).bytes())

    def _tried(self, key: str, act: Callable[[], Result]) -> Result:
        """Act, and try again with growing pauses as long as the store is busy."""
        end = time.monotonic() + self._patience
        pause, longest = _PAUSES
        while True:
            try:
                return act()
            except Exception as error:
                problem = self._problem(key, error)
                length = pause * random.uniform(0.5, 1)  # noqa: S311  not a secret
                over = time.monotonic() + length > end
                if not isinstance(problem, BusyStoreError) or over or self._wait(length):
                    raise problem from error
            pause = min(2 * pause, longest)

    def _problem(self, key: str, error: Exception) -> Exception:
        """What an error of obstore means, in words; what is none of its stays as it is."""
        if isinstance(error, StoreError):
            return error
        what, text = join(self.url, key).rstrip("/"), str(error)
        kind = _kind_of(error)
        bucket = bucket_of(self.url)
        if _NO_BUCKET.search(text):
            return MissingObjectError(
                f"there is no bucket {bucket!r} ({self.url}): make it, or correct its name"
            )
        if _REGION.search(text):
            return StoreError(
                f"the bucket {bucket!r} lies in another region: set AWS_REGION to the bucket's"
            )
        status = _status(error)
        if _CONFLICT in text:  # two wrote at once, and which won is not yet known
            return BusyStoreError(f"{what} is being written by another")
        if kind == "AlreadyExistsError":
            return ObjectExistsError(f"{what} exists already")
        if kind in ("PreconditionError", "NotModifiedError"):
            return ChangedObjectError(_changed(what))
        if isinstance(error, FileNotFoundError) or kind == "NotFoundError":
            return MissingObjectError(f"there is no {what}")
        if kind in ("PermissionDeniedError", "UnauthenticatedError") or status in (401, 403):
            return AccessError(
                f"access to {what} is denied: the credentials are wrong or may not do this; "
                f"{self._advice()}"
            )
        if _NO_CREDENTIALS.search(text):
            return AccessError(f"there are no credentials for {self.url}: {self._advice()}")
        way = status is None and _OF_THE_WAY.search(text)
        if status in _PASSING or way or isinstance(error, TimeoutError | ConnectionError):
            return BusyStoreError(f"{what} cannot be reached for now: {_first_line(error)}")
        if type(error).__module__.startswith(("obstore", _OF_BOTO3)) or isinstance(
            error, ValueError
        ):
            return StoreError(f"{what}: {_first_line(error)}")
        return error

    def _advice(self) -> str:
        scheme = {"s3a": "s3"}.get(self._scheme, self._scheme)
        return _CREDENTIALS.get(scheme, _CREDENTIALS["az"] if scheme not in WEB else "log in first")


def _entry(meta: Mapping[str, Any], attributes: Mapping[str, str] | None = None) -> Entry:
    notes = None
    if attributes is not None:
        notes = {name.lower(): value for name, value in attributes.items()}
    return Entry(meta["path"], meta["size"], meta["e_tag"], meta["last_modified"], notes)


def _changed(what: str) -> str:
    return f"{what} is not the object any more that was meant"


def _provider_of_profiles() -> Any:
    """Credentials of boto3, which knows profiles and single sign-on; None where it has no say."""
    if os.environ.get("AWS_ACCESS_KEY_ID") or os.environ.get("AWS_SKIP_SIGNATURE"):
        return None
    with suppress(Exception):  # not installed, or it has no credentials either
        from boto3 import Session
        from obstore.auth.boto3 import Boto3CredentialProvider

        session = Session()
        if session.get_credentials() is not None:
            return Boto3CredentialProvider(session)
    return None


def _kind_of(error: Exception) -> str:
    """Return obstore's name of an error, whichever library it comes from."""
    answer = getattr(error, "response", None) or {}
    code = answer.get("Error", {}).get("Code")
    return {
        "PreconditionFailed": "PreconditionError",
        "AccessDenied": "PermissionDeniedError",
        "NoSuchUpload": "AlreadyExistsError",  # the answer to its end was lost
    }.get(code, type(error).__name__)


def _status(error: BaseException | None) -> int | None:
    """The status of the answer that an error is about, if there was an answer."""
    if answer := getattr(error, "response", None):
        status = answer.get("ResponseMetadata", {}).get("HTTPStatusCode")
        return int(status) if status else None
    found = _STATUS.search(str(error))
    return int(found[1]) if found else None


def _first_line(error: Exception) -> str:
    """What an error says, without the pages of XML and the chain of its causes."""
    text = re.split(r"\n|<\?xml|<Error>", str(error).strip())[0]
    return re.sub(r"\s+", " ", text)[:300].rstrip(": ")
