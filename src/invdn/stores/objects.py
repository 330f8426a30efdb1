"""Buckets of S3, Google and Azure, and web servers, through obstore.

A new object is written with the condition that none of its name is there (S3 and Azure:
``If-None-Match: *``; Google: generation 0), in one request. So of two writers one wins, and no
reader ever sees half an object. Large ones go to S3 in parts where boto3 is installed: a part that
fails is sent again alone, and the last request, which makes the object appear, has the condition.

A try whose answer was lost may have written the object, and the next one then fails by its own
condition. So every writing notes a number with the object, and knows by it what it wrote.
"""

import json
import logging
import os
import random
import re
import secrets
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
from . import s3_parts
from .locations import WEB, bucket_of, join
from .store import Entry, Store, Wait, Writing

Result = TypeVar("Result")

_LARGEST = 5 << 30  # from: S3, PutObject; Google and Azure take as much
_PIECE = 1 << 23
_PAUSES = (0.2, 15.0)  # seconds before the second try, and at most; doubled from try to try
_WARN_AFTER = 5.0  # seconds of trying again
_LOG = logging.getLogger(__name__)  # without settings, on standard error
_CONTENT_TYPE = "Content-Type"
_WRITING = "invdnwriting"  # the number of a writing, in the metadata of what it wrote
_STATUS = re.compile(r"status code: ([0-9]{3})")
_OF_BOTO3 = "botocore."  # modules of its errors
_PASSING = {408, 409, 425, 429, *range(500, 600)}
_OF_THE_WAY = re.compile(
    r"error sending request|connection|could not connect|timed out|timeout"
    r"|error decoding response body|end of file|request or response body error|HTTP error",
    re.IGNORECASE,
)
_CONFLICT = "ConditionalRequestConflict"  # from: S3, 409
_UNTOLD = (400, 403)  # have many reasons, which an answer to HEAD does not tell
_EMPTY = 416  # no byte of what was asked for is there
_NO_BUCKET = re.compile(r"NoSuchBucket|ContainerNotFound|bucket does not exist", re.IGNORECASE)
_REGION = re.compile(
    r"PermanentRedirect|redirect without LOCATION|IllegalLocationConstraint|region \S+ is wrong"
    r"|AuthorizationHeaderMalformed|status code: 301",
    re.IGNORECASE,
)
_CLOCK = re.compile(r"RequestTimeTooSkewed|Request date header too old")
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


class _UploadGoneError(StoreError):
    """An upload in parts has ended: by its last request, or by another's."""


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
            found = self._tried(key, partial(self._looked_at, key))
        except MissingObjectError as error:
            if _NO_BUCKET.search(str(error.__cause__)):
                raise
            return None
        return _entry(found.meta, found.attributes)

    def fetch(self, key: str, etag: str | None = None) -> tuple[bytes, Entry]:
        """As of the protocol."""

        def act() -> tuple[bytes, Entry]:
            found = self._get(key, etag)
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
        size = found.size or 0
        for first in range(0, size, _PIECE):
            part = (first, min(first + _PIECE, size))
            yield self._tried(key, partial(self._bytes, key, etag=found.etag, range=part))

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
        what = join(self.url, new.key)
        if len(new.content) > _LARGEST:
            raise StoreError(f"cannot write {what}: it has more than 5 GiB")
        notes = {**(new.metadata or {}), _WRITING: secrets.token_hex(8)}
        try:
            etag = self._sent(new, notes)
        except MissingObjectError as error:
            if not new.replaces or _NO_BUCKET.search(str(error.__cause__)):
                raise
            raise ChangedObjectError(_changed(what)) from error
        except (ObjectExistsError, ChangedObjectError) as error:
            if own := self._own(new.key, notes):
                etag = own.etag
            elif new.replaces == "":
                raise ObjectExistsError(f"{what} exists already") from error
            else:
                raise
        return Entry(new.key, len(new.content), etag, None, new.metadata)

    def _sent(self, new: Writing, notes: dict[str, str]) -> str | None:
        if self._scheme in ("s3", "s3a") and len(new.content) > 2 * s3_parts.PART:
            own_server = any(map(os.environ.get, _ENDPOINTS["s3"]))
            if client := s3_parts.client_of_parts(own_server=own_server):
                return self._tried(new.key, partial(self._sent_in_parts, client, new, notes))
        mode: Any = {"": "create", None: "overwrite"}.get(new.replaces)
        if mode is None:
            mode = self._tried(new.key, partial(self._meant, new))
        attributes = {_CONTENT_TYPE: new.content_type} if new.content_type else {}
        put = partial(
            self._obstore.put,
            self._store,
            new.key,
            new.content,
            mode=mode,
            attributes=attributes | notes,
            use_multipart=False,
        )
        etag: str | None = self._tried(new.key, put)["e_tag"]
        return etag

    def _sent_in_parts(self, client: Any, new: Writing, notes: dict[str, str]) -> str | None:
        bucket, _, folder = self.url.partition("://")[2].partition("/")
        where = {"Bucket": bucket, "Key": f"{folder}/{new.key}".lstrip("/")}
        how: dict[str, Any] = {"Metadata": notes}
        if new.content_type:
            how["ContentType"] = new.content_type
        condition = {"IfNoneMatch": "*"} if new.replaces == "" else {}
        if new.replaces:
            condition = {"IfMatch": new.replaces}
        try:
            trying = partial(self._tried, new.key)
            return s3_parts.upload_in_parts(client, trying, where, new.content, how, condition)
        except _UploadGoneError as error:
            if own := self._own(new.key, notes):
                return own.etag
            raise BusyStoreError(str(error)) from error  # all of it once more

    def _own(self, key: str, notes: Mapping[str, str]) -> Entry | None:
        """Return an object if this very writing made it, by a try whose answer was lost."""
        found = self.head(key)
        ours = found and found.metadata and found.metadata.get(_WRITING) == notes[_WRITING]
        return found if ours else None

    def _meant(self, new: Writing) -> dict[str, str]:
        """Return the condition that the object of an etag is still there."""
        if self._scheme != "gs":
            return {"e_tag": str(new.replaces)}
        # Google's conditions of writing are generations, which only the store knows.
        meta = self._obstore.head(self._store, new.key)
        if not _same(meta["e_tag"], new.replaces):
            raise ChangedObjectError(_changed(join(self.url, new.key)))
        return {"e_tag": meta["e_tag"], "version": meta["version"]}

    def _get(self, key: str, etag: str | None = None, **options: Any) -> Any:
        """Ask for an object, or for that of an etag; not every server knows conditions."""
        if etag and not etag.startswith("W/"):  # a weak one meets no condition
            options["if_match"] = etag
        found = self._obstore.get(self._store, key, options=options)
        if etag and not _same(found.meta["e_tag"], etag):
            raise ChangedObjectError(_changed(join(self.url, key)))
        return found

    def _looked_at(self, key: str) -> Any:
        try:
            return self._get(key, head=True)
        except Exception as error:
            if _status(error) in _UNTOLD:
                self._get(key)  # fails as well, and its answer has a body that says why
            raise

    def _bytes(self, key: str, **options: Any) -> bytes:
        return bytes(self._get(key, **options).bytes())

    def _tried(self, key: str, act: Callable[[], Result]) -> Result:
        """Act, and try again with growing pauses as long as the store is busy."""
        start = time.monotonic()
        end = start + self._patience
        pause, longest = _PAUSES
        warned = False
        while True:
            try:
                return act()
            except Exception as error:
                problem = self._problem(key, error)
                length = pause * random.uniform(0.5, 1)  # noqa: S311  not a secret
                over = time.monotonic() + length > end
                if not isinstance(problem, BusyStoreError) or over or self._wait(length):
                    if problem is error:
                        raise
                    raise problem from error
                if not warned and time.monotonic() - start > _WARN_AFTER:
                    _LOG.warning("%s; trying again for %.0f s", problem, self._patience)
                    warned = True
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
        if kind == "NoSuchUpload":
            return _UploadGoneError(f"the upload of {what} in parts was ended by another")
        if kind == "AlreadyExistsError":
            return ObjectExistsError(f"{what} exists already")
        if kind in ("PreconditionError", "NotModifiedError"):
            return ChangedObjectError(_changed(what))
        if isinstance(error, FileNotFoundError) or kind == "NotFoundError":
            return MissingObjectError(f"there is no {what}")
        if _CLOCK.search(text):
            return AccessError(
                f"{what} refuses a request of a wrong time: set the clock of this machine right"
            )
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


def _same(one: str | None, other: str | None) -> bool:
    """Whether two etags are of one object; an unknown one may be. Listings leave out quotes."""
    if one is None or other is None:
        return True
    return one.removeprefix("W/").strip('"') == other.removeprefix("W/").strip('"')


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
        "NoSuchKey": "NotFoundError",
        "NoSuchUpload": "NoSuchUpload",
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
