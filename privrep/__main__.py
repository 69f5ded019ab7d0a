"""The program `privrep`, also as python -m privrep."""

import sys

from privrep.program import begin


def main() -> int:
    """Runs `cli.main`, whose imports take time, so that a signal may come while they do."""
    begin("stopped; nothing but whole files was written")
    from privrep import cli

    return cli.main()


if __name__ == "__main__":
    sys.exit(main())
