"""python -m privrep"""

import sys

from privrep.cli import main

sys.exit(main())
