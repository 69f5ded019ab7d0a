"""Entry point of `python -m experiments.report`."""

import experiments.start  # isort: skip  # noqa: F401  # before what takes time to import

from experiments.report.write_report import main

if __name__ == "__main__":
    main()
