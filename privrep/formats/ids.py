"""Ids of utterances, compared in one form: those of files beside those of labels (host)."""

import unicodedata
from collections.abc import Collection, Iterable

_AUDIO = (".wav", ".flac", ".mp3", ".ogg", ".m4a", ".sph", ".aiff", ".opus")


def same_id(id_: str) -> str:
    """An id in the form in which it is compared: NFC, with / between folders."""
    return unicodedata.normalize("NFC", id_).replace("\\", "/").removeprefix("./")


def matched(wanted: Collection[str], names: Iterable[str], source: str) -> dict[str, str]:
    """{name: wanted id} of the names that are ids, in the names' order.

    An id may have the ending of an audio file that the name lacks, and another normal form.
    """
    plain = {same_id(id_): id_ for id_ in wanted}
    for id_ in wanted:
        plain.setdefault(without_ending(same_id(id_)), id_)
    wanted_of: dict[str, str] = {}
    owners: dict[str, str] = {}
    for name in names:
        owner = name if name in wanted else plain.get(same_id(name))
        if owner is None:
            continue
        if owners.setdefault(owner, name) != name:
            raise ValueError(f"{source}: {owners[owner]!r} and {name!r} are both of {owner}")
        wanted_of[name] = owner
    return wanted_of


def without_ending(id_: str) -> str:
    """An id without the ending of an audio file, if it has one."""
    return id_[: id_.rindex(".")] if id_.lower().endswith(_AUDIO) else id_
