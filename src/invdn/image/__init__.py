"""Images as arrays: sample types, tiles, orientation, noise estimation, resizing, metrics."""
