"""The licence under which weights are passed on."""

from collections.abc import Mapping

from ..errors import InputError


def licence_of(metadata: Mapping[str, str], chosen: str | None = None) -> str:
    """Return the licence of weights that are to be published: the chosen one, or their own.

    Args:
        metadata: what the weights file says of itself; ``licence`` or ``license`` is looked for.
        chosen: the user's word, which goes first.

    Raises:
        InputError: neither says one. Nobody may pass such weights on, so it is asked for.

    Example:
        >>> licence_of({"licence": "Apache-2.0"})
        'Apache-2.0'
    """
    for licence in (chosen, metadata.get("licence"), metadata.get("license")):
        if licence and licence.strip():
            return licence.strip()
    raise InputError(
        "the weights name no licence, and this format is for passing them on: "
        "say theirs with --licence, such as --licence Apache-2.0"
    )
