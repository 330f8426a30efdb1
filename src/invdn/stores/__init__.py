"""Places of many objects by URL: buckets (S3, Google, Azure), web servers, folders of a disk."""

from .locations import Location, is_url, join, url_of
from .opening import open_store
from .store import Entry, Store, Wait

__all__ = ["Entry", "Location", "Store", "Wait", "is_url", "join", "open_store", "url_of"]
