"""`python -m ballast.cli` is `ballast`."""

from ballast.cli import main

main()
