"""Photographs as files: reading and writing them with depth, colours and metadata."""
