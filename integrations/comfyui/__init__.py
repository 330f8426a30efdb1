"""ComfyUI finds the nodes of this package by ``comfy_entrypoint``."""

from .nodes import comfy_entrypoint

__all__ = ["comfy_entrypoint"]
