"""The network inside other Python projects: spandrel, deepinv; each imported by its own name."""
