"""``python -m mlteach`` is the command line."""

from mlteach.cli import main

main()
