"""The models that come with the package."""

from pathlib import Path

from ..errors import WeightsError

#: Where they lie: one ``.safetensors`` each, beside its model card.
MODELS = Path(__file__).parent / "models"


def shipped_models() -> tuple[str, ...]:
    """Names of the shipped models, such as ``default``."""
    return tuple(sorted(path.stem for path in MODELS.glob("*.safetensors")))


def shipped_model(name: str) -> Path:
    """The weights file of a shipped model.

    Raises:
        WeightsError: no model of this name is shipped.
    """
    if name not in shipped_models():
        known = ", ".join(shipped_models()) or "none"
        raise WeightsError(f"no model named {name!r} is shipped; known: {known}")
    return MODELS / f"{name}.safetensors"
