"""The flags of `experiments.main`, defined before anything that takes long to import.

The library never sees them: `experiments.main` hands on settings.
"""

import sys
from collections.abc import Sequence

from absl import flags

from experiments.config.help import grouped_help, unknown_flag
from experiments.config.settings import FIELDS, flag_default, flag_name
from experiments.start import parse_flags
from privrep.types import LIMIT

SEARCHES = ("none", "grid")
SEARCH_RULES = ("paper", "leak_aware", "both")
EXPORTS = ("none", "test", "all")
_ABOUT = """\
The paper's experiment on any corpus: train, unlearn, attack, and report what is revealed.

    python -m experiments.main --dataset=demo

Every flag of a setting takes a comma list, and all combinations are run."""
ENGINES = ("here", "ray", "slurm")
TRACKERS = ("tensorboard", "wandb", "mlflow")

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
    "by what --search=grid chooses among protected networks: paper, emotion less the leak to a "
    "freshly trained attacker on validation speakers; leak_aware, the best emotion of those "
    f"whose attacker is within {LIMIT:g} of chance there, else the least leak; both measures the "
    "choices of either. chosen.csv has both scores",
)
flags.DEFINE_string(
    "workdir",
    "",
    "folder of the results; if not given, a new one, out/<dataset>/<date-time> of the present "
    "folder, to which out/<dataset>/latest points; with --resume the latest one",
)
flags.DEFINE_string("name", "", "the results go to out/<dataset>/<name>")
flags.DEFINE_multi_enum(
    "track",
    ["tensorboard"],
    TRACKERS,
    "what receives the scalars of every network after each epoch; may be repeated, --track=wandb "
    "--track=tensorboard. tensorboard: files in the folder of the results; wandb: Weights & "
    "Biases; mlflow (both with pip install 'privrep[tracking]')",
)
flags.DEFINE_string(
    "cache_dir",
    "",
    "folder of prepared data, the demo corpus and compiled programs, which later runs find there; "
    "by default $XDG_CACHE_HOME/privrep, or ~/.cache/privrep",
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
flags.DEFINE_bool("wide", False, "print all columns and tables, not only what 80 columns hold")
flags.DEFINE_bool("resume", False, "continue a stopped sweep of the same flags")
flags.DEFINE_enum(
    "engine",
    "here",
    ENGINES,
    "what carries out the packs of runs: here, this process, one after another; ray, tasks on this "
    "machine or a cluster (pip install 'privrep[ray]'); slurm, job arrays (pip install "
    "'privrep[slurm]'). The results are the same on machines of one kind, and --resume may take "
    "another",
)
flags.DEFINE_string(
    "engine_options",
    "",
    "options of the engine, cpus=4,gpus=1, of each pack. ray: address of the cluster, cpus, gpus, "
    "tpus; slurm: partition, account, minutes, cpus, gpus, memory_gb, at_once, nodes and processes "
    "of a node, which share the pack, and cluster=local, which tries it on this machine",
)
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
    if any(argument in ("--help", "-help", "-h", "--h") for argument in argv[1:]):
        defined = flags.FLAGS.flags_by_module_dict()[__name__]
        help_of = {flag.name: (flag.help, _as_given(flag.default)) for flag in defined}
        print(grouped_help(_ABOUT, help_of))
        sys.exit(0)
    parse_flags(argv, lambda name: unknown_flag(name, flags.FLAGS))


def _as_given(default: object) -> str:
    return ",".join(map(str, default)) if isinstance(default, list) else str(default or "")
