"""Entry point of `python -m experiments.report`."""

from experiments.report.write_report import main

if __name__ == "__main__":
    main()
