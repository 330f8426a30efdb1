"""``python -m invdn`` is the command ``invdn``."""

from .cli import main

main()
