"""`python -m agent.cli`: the `tillwatch` command without its script."""

from agent.cli.main import main

main()
