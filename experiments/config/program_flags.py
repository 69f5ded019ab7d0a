"""The flags of `experiments.main`, defined before anything that takes long to import.

The library never sees them: `experiments.main` hands on settings.
"""

from collections.abc import Sequence

from absl import flags

from experiments.config.settings import FIELDS, flag_default, flag_name
from experiments.start import parse_flags
from privrep.types import LIMIT

SEARCHES = ("none", "grid")
SEARCH_RULES = ("paper", "leak_aware", "both")
EXPORTS = ("none", "test", "all")

for _field, _spec in FIELDS.items():
    flags.DEFINE_string(flag_name(_field), flag_default(_field), _spec.help)
flags.DEFINE_enum(
    "search",
    "none",
    SEARCHES,
    "grid trains every setting, chooses among them on validation data and measures only the chosen "
    "ones on test speakers; none measures every setting",
)
flags.DEFINE_enum(
    "search_rule",
    "paper",
    SEARCH_RULES,
    "by what --search=grid chooses among protected networks: paper, emotion less the leak that a "
    "freshly trained attacker finds on validation speakers; leak_aware, the best emotion of those "
    f"whose attacker is within {LIMIT:g} of chance there, else the least leak; both measures the "
    "choices of either. chosen.csv has both scores",
)
flags.DEFINE_string(
    "workdir",
    "",
    "folder of the results; out/<dataset> of the present folder if not given",
)
flags.DEFINE_string(
    "cache_dir",
    "",
    "folder of prepared data and compiled programs, which later runs find there",
)
flags.DEFINE_enum(
    "export",
    "none",
    EXPORTS,
    "write h as released, and labels, to representations/ of the workdir, for `privrep audit`: of "
    "each network the test part of its fold, or all parts; with --resume also of finished runs",
)
flags.DEFINE_bool(
    "export_model",
    False,
    "write the networks that validation picks for each task, one for each fold, as model folders "
    "for `privrep encode`, to models/ of the workdir; others with experiments.export_model",
)
flags.DEFINE_bool("resume", False, "continue a stopped sweep of the same flags")
flags.DEFINE_string(
    "coordinator",
    "",
    "host:port of the first of several processes that share the runs, the same for all; or auto "
    "under Slurm, Open MPI or on a TPU pod",
)
flags.DEFINE_integer("processes", 1, "number of processes, unless --coordinator=auto")
flags.DEFINE_integer("process", 0, "number of this process, from 0")


def answer_early(argv: Sequence[str]) -> None:
    """Answers --help and flags that do not exist, and exits; of right flags it does nothing."""
    parse_flags(argv)
