"""Records what a checkout computes, and compares two records to the bit.

    python tests/support/bit_record.py make CHECKOUT FOLDER [--only=JOB ...] [--cache_dir=DIR]
    python tests/support/bit_record.py compare FOLDER OTHER [--renamed=CHANGELOG.md]

A change that moves or renames code must change no number. `make` runs whole jobs in a checkout of
any commit and keeps what they wrote; `compare` lists every cell, key and array that differs, times,
versions and paths aside, and exits with 1 if there is one. With --renamed the columns and keys of
FOLDER go through the table "where | was | is" of that file, and sentences, which are reworded with
them, are not compared: the numbers are.
"""

import argparse
import csv
import json
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

_MAIN = (sys.executable, "-m", "experiments.main")
_SMALL = ("--seed=0", "--folds=3", "--num_kernels=16", "--dataset=demo")
_AUDIT = (sys.executable, "-m", "privrep", "audit")
_DEFENCES = ("--recipe=paper", "--defence=none,grl,uniform,entropy,mmd,hsic", "--lambda=0,1")
JOBS: dict[str, tuple[str, ...]] = {
    # Every modality and recipe, all attackers, membership and all questions about h.
    "demo": (
        *(*_MAIN, *_SMALL, "--modality=acoustic,lexical,multimodal", "--lambda=0,1"),
        *("--recipe=posterior,paper,subspace,strong", "--max_epochs=3", "--export=all"),
    ),
    "defences": (
        *(*_MAIN, *_SMALL, *_DEFENCES, "--release=none,leace,noise,subspace,posterior,decision"),
        *("--max_epochs=2", "--attackers=lda+kernel", "--membership=off", "--export=test"),
    ),
    "rq4": (
        *(*_MAIN, "--flagfile=experiments/flagfiles/rq4.flags", *_SMALL, "--max_epochs=1"),
        *("--task=activation", "--export=test"),
    ),
    "grid": (
        *(*_MAIN, *_SMALL, "--search=grid", "--dense_width=16,32", "--lambda=0,1"),
        *("--max_epochs=2", "--attackers=linear+mlp_2x32", "--membership=off"),
    ),
    "audit": (
        *(*_AUDIT, "h.npz", "labels.csv", "--attribute=gender", "--given=emotion,session"),
        *("--unprotected=plain.npz", "--other=other.npz", "--other_labels=other.csv"),
        *("--limit=0.1", "--seed=0"),
    ),
    "audit_trained": (
        *(*_AUDIT, "h.npz", "labels.csv", "--attribute=gender", "--permutations=39"),
        "--attackers=linear,kernel,knn,trees,mlp",
    ),
    "selftest": (sys.executable, "-m", "privrep", "selftest", "--seed=0"),
}
# prepared_hash has path and time of the audio files, which each record makes anew.
_UNSTABLE = re.compile(
    r"seconds|stamp|version|prepared_hash|command|workdir|cache_dir|data_dir|path|date|host|corpus"
)


def _write_world(folder: Path, name: str, seed: int) -> None:
    """A fixed embedding `name`.npz with its labels: gender leaks, emotion and session are told."""
    rng = np.random.default_rng(seed)
    speaker = np.repeat(np.arange(24), 10)
    gender, emotion = speaker % 2, rng.integers(0, 3, len(speaker))
    h = rng.standard_normal((len(speaker), 12)) + rng.standard_normal((24, 12))[speaker]
    plain = h.copy()
    h[:, 0] += 0.8 * gender
    plain[:, 0] += 2.0 * gender
    h[:, 1] += emotion
    ids = np.array([f"u{k:03d}" for k in range(len(speaker))])
    np.savez(folder / f"{name}.npz", id=ids, h=h.astype(np.float32))
    np.savez(folder / "plain.npz", id=ids, h=plain.astype(np.float32))
    rows = ["id,speaker,gender,emotion,session"]
    for k in range(len(speaker)):
        sex, feeling = "fm"[gender[k]], ("angry", "neutral", "sad")[emotion[k]]
        rows.append(f"{ids[k]},s{speaker[k]:02d},{sex},{feeling},r{speaker[k] // 2 % 6}")
    labels = folder / ("labels.csv" if name == "h" else f"{name}.csv")
    labels.write_text("\n".join(rows) + "\n", encoding="utf-8")


def make(checkout: Path, folder: Path, only: list[str], cache_dir: Path) -> None:
    """Runs the JOBS in `checkout`; FOLDER/<job>/ gets what each wrote, and its terminal output."""
    for job in only or JOBS:
        there = (folder / job).resolve()
        there.mkdir(parents=True)
        command = list(JOBS[job])
        if "experiments.main" in command:
            command += [f"--workdir={there}", f"--cache_dir={cache_dir.resolve()}"]
        elif "audit" in command:
            _write_world(there, "other", 1)
            _write_world(there, "h", 0)  # last, for its plain.npz
            file = re.compile(r"(^|=)(\w+\.(?:npz|csv))$")
            command = [file.sub(rf"\1{there}/\2", word) for word in command]
            command.append(f"--output={there}")
        out = subprocess.run(command, cwd=checkout, capture_output=True, text=True)
        (there / "terminal.txt").write_text(out.stdout, encoding="utf-8")
        (there / "stderr.log").write_text(out.stderr, encoding="utf-8")
        print(f"{job}: exit status {out.returncode}", flush=True)
        if out.returncode not in (0, 1):
            sys.exit(out.stderr)


def _cells(path: Path) -> Iterator[tuple[str, object]]:
    """(place, value) of everything in a file that must not change."""
    if path.suffix == ".csv":
        with path.open(encoding="utf-8", newline="") as lines:
            rows = list(csv.DictReader(lines))
        yield "rows", len(rows)
        for number, row in enumerate(rows):
            yield from ((f"{number}.{k}", v) for k, v in row.items() if not _UNSTABLE.search(k))
    elif path.suffix == ".json":
        yield from _leaves("", json.loads(path.read_text(encoding="utf-8")))
    elif path.suffix in (".npz", ".npy"):
        loaded = np.load(path)
        arrays = loaded if path.suffix == ".npz" else {"": loaded}
        for key in sorted(arrays):
            yield key, (arrays[key].shape, str(arrays[key].dtype), arrays[key].tobytes())
    else:
        text = path.read_text(encoding="utf-8")
        text = re.sub(r"/[^\s\"'<>]*", "", text)  # paths
        text = re.sub(r"[0-9.]+ ?(s|min|h|GB|MB)\b", "", text)  # what it took
        text = re.sub(r"privrep [0-9.]+\S*|\d{4}-\d\d-\d\d\S*", "", text)
        yield from ((f"line {n}", line.strip()) for n, line in enumerate(text.splitlines()))


def _is_sentence(value: object) -> bool:
    return isinstance(value, str) and value.count(" ") >= 3


def _leaves(place: str, value: object) -> Iterator[tuple[str, object]]:
    if isinstance(value, dict):
        for key, part in value.items():
            if not _UNSTABLE.search(str(key)):
                yield from _leaves(f"{place}.{key}", part)
    elif isinstance(value, list):
        yield f"{place}.length", len(value)
        for number, part in enumerate(value):
            yield from _leaves(f"{place}.{number}", part)
    else:
        yield place, value


class Renaming(NamedTuple):
    """In files `file`, below the keys `below` (None: anywhere), the key `was` is called `new`."""

    file: str
    below: str | None
    was: str
    new: str

    def __call__(self, file: str, place: str) -> str:
        if file != self.file:
            return place
        head, _, last = place.rpartition(".")
        if self.was.startswith("*"):
            if last.endswith(self.was[1:]) and not last.endswith(self.new[1:]):
                last = last.removesuffix(self.was[1:]) + self.new[1:]
            return f"{head}.{last}" if head else last
        keys = place.split(".")
        for k, key in enumerate(keys):
            above = [name for name in keys[:k] if name and not name.isdigit()]
            if key == self.was and (self.below is None or above[-1:] == self.below.split()):
                keys[k] = self.new
        return ".".join(keys)


def read_renamings(changelog: Path) -> list[Renaming]:
    """The lines of the table whose header is "where | was | is"."""
    renamings = []
    lines = iter(changelog.read_text(encoding="utf-8").splitlines())
    for line in lines:
        if line.replace(" ", "") == "|where|was|is|":
            next(lines)
            break
    for line in lines:
        if not line.startswith("|"):
            break
        where, was, new = (cell.strip() for cell in line.strip("|").split("|"))
        words = where.split(", ")
        files = [word for word in words if word.endswith((".csv", ".json"))]
        (place,) = [word for word in words if word not in files] or ["everywhere"]
        below = {"everywhere": None, "top level": ""}.get(place, place)
        for file in files:
            for old, fresh in zip(was.split(", "), new.split(", "), strict=True):
                renamings.append(Renaming(file, below, old.strip("`"), fresh.strip("`")))
    return renamings


def _kept(folder: Path, text: bool) -> dict[str, Path]:
    """The files that are compared: results and, with `text`, what the terminal and card said."""
    names = ("runs.csv", "summary.json", "audit.json", "search.csv")
    names += ("audit.html", "terminal.txt") if text else ()
    files = [path for path in folder.rglob("*") if path.name in names]
    files += [
        p for p in folder.rglob("representations/**/*") if p.suffix in (".npz", ".npy", ".csv")
    ]
    return {str(path.relative_to(folder)): path for path in sorted(files)}


def compare(folder: Path, other: Path, renamings: Sequence[Renaming]) -> int:
    """Prints what differs between two records; the number of places that do."""
    here, there = (_kept(record, text=not renamings) for record in (folder, other))
    differing = 0
    for name in sorted(here.keys() ^ there.keys()):
        print(f"{name}: only in {folder if name in here else other}")
        differing += 1
    for name in sorted(here.keys() & there.keys()):
        a, b = dict(_cells(here[name])), dict(_cells(there[name]))
        for renaming in renamings:
            a = {renaming(Path(name).name, place): value for place, value in a.items()}
        if renamings:
            a, b = ({k: v for k, v in c.items() if not _is_sentence(v)} for c in (a, b))
        places = [k for k in a.keys() | b.keys() if a.get(k) != b.get(k)]
        for place in sorted(places)[:10]:
            print(f"{name}: {place}: {a.get(place)!r:.80} against {b.get(place)!r:.80}")
        if len(places) > 10:
            print(f"{name}: and {len(places) - 10} further places")
        differing += len(places)
        print(f"{name}: {len(a)} values, {len(places)} differ")
    print(f"{len(here)} files, {differing} differences")
    return differing


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    making = commands.add_parser("make")
    making.add_argument("checkout", type=Path)
    making.add_argument("folder", type=Path)
    making.add_argument("--only", action="append", choices=tuple(JOBS), default=[])
    making.add_argument("--cache_dir", type=Path, default=Path("out/cache"))
    comparing = commands.add_parser("compare")
    comparing.add_argument("folder", type=Path)
    comparing.add_argument("other", type=Path)
    comparing.add_argument("--renamed", type=Path)
    args = parser.parse_args()
    if args.command == "make":
        make(args.checkout, args.folder, args.only, args.cache_dir)
    elif compare(args.folder, args.other, read_renamings(args.renamed) if args.renamed else ()):
        sys.exit(1)


if __name__ == "__main__":
    main()
