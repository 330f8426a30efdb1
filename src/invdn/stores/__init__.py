"""Places of many objects by URL: buckets (S3, Google, Azure), web servers, folders of a disk."""

from .locations import Location, is_url, join, url_of
from .mirror import FolderUpload, fetch_folder, local_copy, url_in, written_to
from .opening import open_store
from .store import Entry, Store, Wait

__all__ = [
    "Entry",
    "FolderUpload",
    "Location",
    "Store",
    "Wait",
    "fetch_folder",
    "is_url",
    "join",
    "local_copy",
    "open_store",
    "url_in",
    "url_of",
    "written_to",
]
