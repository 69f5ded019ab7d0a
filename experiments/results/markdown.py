"""Text from data as Markdown shows it: nothing in it is read as a mark, a tag or a table's edge."""

import re


def in_markdown(text: str) -> str:
    """The text in one line, with every character escaped that Markdown would read as its own.

    >>> print(in_markdown("a|b <i>"))
    a\\|b \\<i\\>
    """
    return re.sub(r"([\\`*_{}\[\]<>|#~$])", r"\\\1", " ".join(text.split()))
