"""Every error that InvDN raises on purpose: each says what was wrong and what to do."""


class InvDNError(Exception):
    """Base of all errors of this package."""


class InputError(InvDNError, ValueError):
    """An argument (array, option) has the wrong shape, type or value."""


class ImageError(InvDNError):
    """An image file cannot be read: damaged, unsupported, too large, or not an image."""


class OutputError(InvDNError):
    """A result cannot be written: it exists already, or the place is not writable."""


class WeightsError(InvDNError):
    """A weights file is damaged, unsafe, or belongs to another network."""


class EngineError(InvDNError):
    """No engine can run the model on the device asked for."""


class DataError(InvDNError):
    """A data set is incomplete, inconsistent or not what it claims to be."""


class RecipeError(InvDNError):
    """A training recipe or checkpoint is invalid."""


class MissingDependencyError(InvDNError):
    """An optional part is not installed; the message names the command that installs it."""


class VideoError(InvDNError):
    """A video cannot be read or kept: damaged, unsupported, or without moving pictures."""


class StoreError(InvDNError):
    """A store (bucket, folder, server) refuses what was asked, and will again."""


class BusyStoreError(StoreError):
    """A store could not serve for the moment: throttled, down, or cut off. Try again later."""


class FullStoreError(StoreError):
    """A store has no room left."""


class AccessError(StoreError):
    """A store refuses the credentials, or there are none."""


class MissingObjectError(StoreError):
    """There is no object of that name, or no bucket."""


class ObjectExistsError(StoreError):
    """An object of that name exists already, and was not to be replaced."""


class ChangedObjectError(StoreError):
    """An object is not the one any more that was asked for by its etag."""
