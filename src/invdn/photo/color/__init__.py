"""Colours of a photograph <-> the sRGB-encoded colours that the network knows.

``profile`` reads and makes ICC profiles, ``curves`` holds their tone curves, ``spaces`` applies
them without clipping, ``network`` is the way of a window to the network and back.
"""

from .conversion import SrgbBridge, network_bridge_of, srgb_bridge_of

__all__ = ["SrgbBridge", "network_bridge_of", "srgb_bridge_of"]
