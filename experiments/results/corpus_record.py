"""A record of the utterances of a result directory, to name later differences.

<workdir>/data/<prepared hash>.jsonl.gz, .sha256    a line of JSON for each utterance
"""

import gzip
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from privrep.files import fault, replacing, write_seal
from privrep.messages import first

_MOST = 5  # differences that a message shows
Record = Mapping[str, Any]


def write_record(workdir: Path, data_hash: str, utterances: Sequence[Record]) -> None:
    """Writes what the data of this hash are, unless it is there."""
    if record_fault(workdir, data_hash) is None:
        return
    path = _path(workdir, data_hash)
    path.parent.mkdir(exist_ok=True)
    lines = "".join(json.dumps(record, sort_keys=True) + "\n" for record in utterances)
    with replacing(path) as file:
        file.write(gzip.compress(lines.encode(), 6, mtime=0))
    write_seal(_seal(path), [path])


def record_fault(workdir: Path, data_hash: str) -> str | None:
    """What is wrong with what `write_record` has written for this hash; None if it is whole."""
    path = _path(workdir, data_hash)
    return fault(_seal(path), path.name)


def differences(workdir: Path, data_hash: str, now: Sequence[Record]) -> str:
    """What differs between the data of this hash and those of now, in words."""
    problem = record_fault(workdir, data_hash)
    if problem:
        return (
            f"what differs cannot be said: {problem} (--resume makes that file anew where the "
            "data are those that the results were made of)"
        )
    with gzip.open(_path(workdir, data_hash), "rt", encoding="utf-8") as file:
        before = [json.loads(line) for line in file]
    of_id, earlier = ({record["id"]: record for record in of} for of in (now, before))
    lost, new = (
        [id_ for id_ in records if id_ not in others]
        for records, others in ((earlier, of_id), (of_id, earlier))
    )
    lines = [
        f"{len(ids):,} {what}: {first(ids, _MOST)}"
        for ids, what in ((lost, "are gone"), (new, "are new"))
        if ids
    ]
    changes = [
        (id_, name, _change(name, record.get(name), of_id[id_].get(name)))
        for id_, record in earlier.items()
        if id_ in of_id
        for name in dict.fromkeys([*record, *of_id[id_]])
        if record.get(name) != of_id[id_].get(name)
    ]
    for name, count in Counter(name for _, name, _ in changes).items():
        shown = [f"{id_} ({what})" for id_, of, what in changes if of == name]
        lines.append(f"{_name(name)} of {count:,} changed: {first(shown, _MOST)}")
    if not lines and [*earlier] != [*of_id]:
        lines = ["the utterances are in another order"]
    return "; ".join(lines) or "the settings of their preparation, or of the program's version"


def _name(name: str) -> str:
    return {"files": "files", "start": "cuts", "end": "cuts"}.get(name, f"the {name}")


def _change(name: str, before: Any, now: Any) -> str:
    if name == "files":
        return ", ".join(
            _of_file(was, is_) for was, is_ in zip(before or [], now or []) if was != is_
        )
    if isinstance(before, dict) and isinstance(now, dict):
        keys = [k for k in dict.fromkeys([*before, *now]) if before.get(k) != now.get(k)]
        return ", ".join(f"{k} {_shown(before.get(k))}, now {_shown(now.get(k))}" for k in keys)
    return f"{_shown(before)}, now {_shown(now)}"


def _of_file(before: Any, now: Any) -> str:
    if before is None or now is None:
        return "was missing" if before is None else "is missing"
    if before[1] != now[1]:
        return f"{before[1]:,} bytes long, now {now[1]:,}"
    return f"other content, {now[1]:,} bytes as before"


def _shown(value: Any) -> str:
    text = "none" if value is None else str(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _path(workdir: Path, data_hash: str) -> Path:
    return workdir / "data" / f"{data_hash}.jsonl.gz"


def _seal(path: Path) -> Path:
    return path.with_name(path.name.replace(".jsonl.gz", ".sha256"))
