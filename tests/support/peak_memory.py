"""The most memory that a program has used, as a statement that a child process runs."""

import subprocess
import sys

from tests.support.paths import ROOT

# Not ru_maxrss, which begins with that of the process that started this one.
_PEAK = r"""
def peak():
    import re
    return int(re.search(r"VmHWM:\s+(\d+)", open("/proc/self/status").read())[1])
"""


def printed_by(program: str, *arguments: object) -> list[float]:
    """The numbers that a program prints which may call peak(), its kilobytes so far."""
    command = [sys.executable, "-c", _PEAK + program, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=True)
    return [float(word) for word in done.stdout.split()]
