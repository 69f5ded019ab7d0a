"""python -m experiments.report"""

import experiments.start  # isort: skip  # noqa: F401  # before what takes time to import
from experiments.report.arguments import parse  # isort: skip

if __name__ == "__main__":
    parse()  # answers --help and wrong arguments before the import below, which takes seconds

from experiments.report.write_report import main

if __name__ == "__main__":
    main()
