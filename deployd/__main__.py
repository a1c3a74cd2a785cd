"""`python -m deployd` is the command line."""

from deployd.cli.main import main

main()
