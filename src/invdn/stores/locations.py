"""URLs of stores and of objects in them."""

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from ..atomic import is_url
from ..errors import InputError

#: Schemes, and the parts of a URL's path that belong to the store itself.
BUCKETS = {"s3": 0, "s3a": 0, "gs": 0, "az": 0, "azure": 0, "abfs": 0, "abfss": 0, "adl": 0}
WEB = ("https", "http")
FILE = "file"


@dataclass(frozen=True)
class Location:
    """An object: its store and its key there.

    Attributes:
        store: URL of the folder that it lies in.
        key: its name in that folder.
    """

    store: str
    key: str

    @classmethod
    def parse(cls, url: str) -> "Location":
        """Take the URL of an object apart.

        Raises:
            InputError: it names no object.

        Example:
            >>> Location.parse("s3://photos/2024/a.jpg")
            Location(store='s3://photos/2024', key='a.jpg')
        """
        url = url_of(url)
        store, _, key = url.rpartition("/")
        if not key or store.endswith(("/", ":")):
            raise InputError(f"{url} names no object: its bucket or folder must be followed by one")
        return cls(store, key)


def url_of(given: str) -> str:
    """Return a path as a URL, and a URL as it is; without a slash at the end.

    Raises:
        InputError: the scheme is none that there is.

    Example:
        >>> url_of("s3://photos/2024/"), url_of("/photos/2024")
        ('s3://photos/2024', 'file:///photos/2024')
    """
    if not is_url(given):
        return f"{FILE}://{Path(given).absolute().as_posix()}".rstrip("/")
    scheme = given.partition("://")[0]
    if scheme not in (*BUCKETS, *WEB, FILE):
        raise InputError(
            f"{given}: there are no {scheme}:// stores here; use s3://, gs://, az://, https:// (to "
            "read), file:// or a path"
        )
    if scheme == FILE and not given.startswith(f"{FILE}:///"):
        raise InputError(f"{given}: file:// is followed by the whole path, as in file:///photos")
    return given.rstrip("/")


def folder_of(url: str) -> Path:
    """Return the folder that a ``file://`` URL means.

    Example:
        >>> folder_of("file:///photos/my%20year").as_posix()
        '/photos/my%20year'
    """
    return Path(url.removeprefix(f"{FILE}://") or "/")


def join(url: str, key: str) -> str:
    """Return the URL of an object.

    Example:
        >>> join("s3://photos", "2024/a.jpg")
        's3://photos/2024/a.jpg'
    """
    return f"{url}/{key}"


def bucket_of(url: str) -> str:
    """Return what people call the bucket, container or server.

    Example:
        >>> bucket_of("s3://photos/2024")
        'photos'
    """
    return unquote(urlsplit(url).netloc)
