"""What lies around the pixels in each file format: read and written byte by byte.

libvips decodes and encodes pixels and colour profiles. It rewrites EXIF through a parser that adds
tags of its own, knows none in TIFF, and drops comments and long XMP packets without a word, so
these blocks are carried here unchanged.
"""
