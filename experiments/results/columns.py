"""The columns of runs.csv: name, type and meaning of each, in one place.

    python -m experiments.results.columns > experiments/results/COLUMNS.md

A row is one run on one fold, or one control. A name may hold placeholders: test_<attribute>_privacy
stands for test_gender_privacy and every other private attribute. Whoever writes, reads or parses a
column's name does so by this module; a row with a column that is not here is refused, and so is one
that lacks a column of a setting.
"""

import functools
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from experiments.config.recipes import GOVERNED
from experiments.config.settings import FIELDS, flag_name
from privrep.attacks.trained.fresh_attackers import ATTACKER_NAMES
from privrep.messages import nearest
from privrep.program import end_faults

Row = dict[str, Any]  # {column: cell}, of runs.csv or search.csv; an empty cell is None

FIRST = ("modality", "task", "private")  # the order of the table

# What keeps the attribute out of h: rows of one block differ in it. The recipe names the others.
PROTECTION = ("lambda", "recipe", *GOVERNED)

# Without these a table cannot be read; the others a version before did not have yet.
READABLE = ("modality", "task", "private", "lambda", "recipe", "fold", "seed", "control")

TYPES: Mapping[str, tuple[type, ...]] = {
    "text": (str, int, float),  # a text that spells a number is read as the number
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "strength": (int, float, str),  # see `config.lambdas`
}
_PLACEHOLDERS = {
    "part": "train|val|test",
    "attacker": "|".join(ATTACKER_NAMES),
    "known": "h|labels",
}


class Column(NamedTuple):
    """A column, or all columns of a pattern.

    Attributes:
      name: as it stands in the table, with placeholders such as <attribute>.
      type: a name in TYPES.
      meaning: a sentence for the documentation.
    """

    name: str
    type: str
    meaning: str


_KINDS = {str: "text", int: "integer", float: "number"}
_SETTINGS = tuple(
    Column(flag_name(name), _KINDS.get(type(field.default), "strength"), field.meaning)
    for name, field in FIELDS.items()
)


def _of(prefix: str, *columns: tuple[str, str, str]) -> tuple[Column, ...]:
    return tuple(Column(f"{prefix}_{name}", kind, meaning) for name, kind, meaning in columns)


def _verdict(prefix: str, whose: str) -> tuple[Column, ...]:
    return _of(
        prefix,
        ("uar", "number", f"UAR of {whose}, the guesses of all folds together"),
        ("lower", "number", "lower bound of this UAR at 95 % confidence over speakers"),
        ("upper", "number", "upper bound of this UAR at 95 % confidence over speakers"),
        (
            "minimum_detectable",
            "number",
            "smallest UAR that the test detects in four of five cases",
        ),
        ("floor", "number", "mean highest UAR of the same attackers on permuted labels"),
        ("p", "number", "p of the permutation test over speakers"),
        ("verdict", "text", "leaks, no_leak_shown or cannot_tell"),
    )


def _interval(prefix: str, whose: str) -> tuple[Column, ...]:
    return _of(
        prefix,
        ("uar", "number", f"UAR of emotion {whose}, all folds and seeds together"),
        (
            "lower",
            "number",
            "lower end of its 95 % interval over speakers, or of the CCC's in a regression",
        ),
        (
            "upper",
            "number",
            "upper end of its 95 % interval over speakers, or of the CCC's in a regression",
        ),
    )


def _score(name: str, what: str) -> tuple[Column, ...]:
    return (
        Column(
            f"{name}_lower", "number", f"lower end of the 95 % interval of {name} over speakers"
        ),
        Column(
            f"{name}_upper", "number", f"upper end of the 95 % interval of {name} over speakers"
        ),
        Column(name, "number", f"{what} on test speakers, all folds and seeds together"),
    )


# A name is that of the first column whose pattern it matches.
COLUMNS: tuple[Column, ...] = (
    Column("pack", "integer", "number of the pack, from 0; runs of a pack trained together"),
    *_SETTINGS,
    Column(
        "validation_<column>",
        "number",
        "with --validation_scores=on, the column of that name with validation speakers in the "
        "place of test speakers, for choices that must not look at test speakers",
    ),
    Column("fold", "integer", "number of the fold, from 0"),
    Column(
        "control",
        "text",
        "empty for a run; else the control: chance, majority, shuffled, decision, untrained or raw",
    ),
    Column("control_lambda", "strength", "of a control: lambda of the network it was made from"),
    Column("best_epoch", "integer", "epoch that was chosen on validation data, from 1"),
    Column("chosen_step", "integer", "steps of the optimiser until the end of that epoch"),
    Column("chosen_utterances", "integer", "training utterances seen until then, with repeats"),
    Column(
        "lagging",
        "boolean",
        "whether an adversary that the encoders resist stood at chance on its own training rows: "
        "what it did not find was not unlearned",
    ),
    Column(
        "one_emotion_enrolments",
        "integer",
        "test speakers in all of whose enrolled utterances the network recognises one emotion",
    ),
    Column("diverged", "boolean", "whether the run diverged: it counts for nothing"),
    Column("collapsed", "boolean", "whether h collapsed: the run does not count in privacy"),
    Column("h_rank", "number", "effective rank of h on the training part, before release"),
    Column("num_utterances", "integer", "utterances of the pack, over all folds"),
    Column("num_speakers", "integer", "speakers of the pack, over all folds"),
    Column("prepared_hash", "text", "hash of the corpus: labels, files, preparation"),
    Column("data_hash", "text", "hash of the utterances used: labels and lengths"),
    Column("version_<package>", "text", "version of the package that computed the row"),
    *_interval("emotion_pooled", "on test speakers"),
    Column(
        "emotion_pooled_ccc",
        "number",
        "CCC of a regression on test speakers, all folds and seeds together; its interval are "
        "emotion_pooled_lower and emotion_pooled_upper",
    ),
    Column(
        "emotion_pooled_rmse",
        "number",
        "root mean squared error of a regression on these utterances, in the unit of the rating",
    ),
    Column(
        "emotion_among_<group>_ccc",
        "number",
        "CCC of a regression among the test speakers of a group such as gender=female",
    ),
    *_score("emotion_pooled_macro_f1", "macro-F1 of emotion"),
    *_score("emotion_pooled_weighted_accuracy", "share of utterances whose emotion was recognised"),
    *_score("emotion_pooled_recall_<class>", "recall of a class of emotion, such as low"),
    Column(
        "emotion_confusion",
        "text",
        "confusion matrix of emotion on test speakers, all folds and seeds together, as JSON: "
        "{class: {recognised class: number of utterances}}",
    ),
    *_of(
        "emotion_gap_<group>",
        (
            "difference",
            "number",
            "score of emotion among the test speakers of a group such as gender=female less that "
            "among the others; of an attribute with two values the first is the group",
        ),
        ("lower", "number", "lower end of its 95 % interval over speakers"),
        ("upper", "number", "upper end of its 95 % interval over speakers"),
    ),
    *_interval("emotion_among_<group>", "among the test speakers of a group such as gender=female"),
    *_of(
        "speaker_closed_set",
        ("accuracy", "number", "accuracy of naming the speaker among the training speakers"),
        ("chance", "number", "accuracy that chance level gives there"),
    ),
    Column("<part>_emotion_uar", "number", "UAR of emotion from the released h"),
    Column(
        "<part>_emotion_ccc",
        "number",
        "concordance correlation coefficient of a regression from the released h, in place of UAR",
    ),
    Column(
        "<part>_emotion_rmse",
        "number",
        "root mean squared error of a regression from the released h, in the unit of the rating",
    ),
    Column("<part>_emotion_macro_f1", "number", "macro-F1 of emotion from the released h"),
    Column(
        "<part>_emotion_weighted_accuracy",
        "number",
        "share of utterances whose emotion was recognised from the released h",
    ),
    Column(
        "<part>_emotion_recall_<class>",
        "number",
        "recall of a class of emotion from the released h",
    ),
    Column(
        "<part>_<attribute>_adversary_uar",
        "number",
        "UAR of the adversary in training, which sees gradients",
    ),
    Column(
        "train_<attribute>_adversary_constant",
        "number",
        "share of the adversary's most frequent answer on the training part, 1 where it has one",
    ),
    Column(
        "<part>_<attribute>_attacker_uar",
        "number",
        "UAR of the freshly trained attacker on frozen h that was best on validation speakers; of "
        "speaker, 1 - equal error rate of verification on held-out speakers",
    ),
    Column("<part>_<attribute>_<attacker>_uar", "number", "UAR of each freshly trained attacker"),
    Column("test_<attribute>_privacy", "number", "1 - test_<attribute>_attacker_uar"),
    *_of(
        "<known>_membership",
        ("auc", "number", "AUC of the strongest attacker that names training speakers"),
        ("accuracy", "number", "its balanced accuracy"),
        ("shuffled", "number", "its mean AUC on shuffled membership"),
        ("lower", "number", "lower bound of the AUC at 95 % confidence over speakers"),
        ("upper", "number", "upper bound of the AUC at 95 % confidence over speakers"),
        (
            "minimum_detectable",
            "number",
            "smallest AUC that the test detects in four of five cases",
        ),
        ("p", "number", "p of the permutation test over speakers"),
        ("verdict", "text", "leaks, no_leak_shown or cannot_tell"),
        ("attacker", "text", "name of the strongest attacker"),
        (
            "inputs_auc",
            "number",
            "AUC of the same attack on the inputs of the network, where no speaker is trained on "
            "in one fold and tested in another",
        ),
        ("inputs_p", "number", "p of that attack"),
        ("both_auc", "number", "AUC of the attacker that joins loss and reference"),
        ("loss_auc", "number", "AUC of the attacker that thresholds the loss"),
        ("reference_auc", "number", "AUC of the attacker that compares with reference networks"),
    ),
    Column(
        "<attribute>_pooled_attacker",
        "text",
        "name of the attacker of <attribute>_pooled_uar, such as own linear",
    ),
    Column("<attribute>_attacker", "text", "name of the attacker that was best on validation"),
    *_of(
        "<subject>_change",
        (
            "difference",
            "number",
            "score of the subject less that at lambda 0, paired over speakers, all seeds together; "
            "the subject is emotion, an attribute's attacker, <known>_membership, or <task>_read",
        ),
        ("lower", "number", "lower end of its 95 % interval"),
        ("upper", "number", "upper end of its 95 % interval"),
        ("p", "number", "p of permuting the two networks' guesses of random speakers"),
    ),
    *_of(
        "<task>_read",
        (
            "uar",
            "number",
            "UAR of a task of the corpus that a linear reader reads from h, on test speakers, all "
            "folds and seeds together; the reader learned from other speakers",
        ),
        (
            "ccc",
            "number",
            "CCC of a rating that a linear reader reads from h, with --bins=continuous",
        ),
        ("lower", "number", "lower end of its 95 % interval over speakers"),
        ("upper", "number", "upper end of its 95 % interval over speakers"),
    ),
    *_verdict("<attribute>_given_emotion", "the linear attacker beyond the emotion label"),
    *_verdict("<attribute>_from_emotion", "the linear attacker that knows the emotion label alone"),
    Column(
        "<attribute>_pooled_int8_uar",
        "number",
        "UAR of a linear attacker on h rounded to 256 steps per column",
    ),
    Column(
        "<attribute>_pooled_ignorant_uar",
        "number",
        "UAR of a linear attacker that was trained on the same networks at lambda 0",
    ),
    *_of(
        "<attribute>_number",
        (
            "correlation",
            "number",
            "rank correlation of the stronger of linear and kernel ridge regression with an "
            "attribute that was put in bins, the predictions of all folds together",
        ),
        ("lower", "number", "lower bound of this correlation at 95 % confidence over speakers"),
        ("upper", "number", "upper bound of its magnitude at 95 % confidence over speakers"),
        (
            "minimum_detectable",
            "number",
            "smallest correlation that the test detects in four of five cases",
        ),
        ("p", "number", "p of the permutation test over speakers"),
        ("verdict", "text", "leaks, no_leak_shown or cannot_tell"),
    ),
    *_verdict(
        "<attribute>_pooled_seen",
        "the strongest attacker who knows the speakers that the network was trained and chosen on",
    ),
    *_verdict(
        "<attribute>_pooled_own",
        "the strongest attacker who knows other speakers too, whom the network has not seen",
    ),
    *_verdict(
        "<attribute>_pooled_20_utterances",
        "the strongest attacker, seen or own, from 20 utterances of a person at a time",
    ),
    *_verdict(
        "<attribute>_pooled_all_utterances",
        "the strongest attacker, seen or own, from all utterances of a person at once",
    ),
    *_verdict(
        "<attribute>_pooled_beyond_sessions",
        "the strongest attacker less the mean of labels permuted within sessions, or with them, "
        "plus chance",
    ),
    *_verdict(
        "<attribute>_pooled",
        "the strongest attacker, seen or own, linear or kernel; of speaker, of verification",
    ),
    Column(
        "<subject>_chance",
        "number",
        "score at chance level, of emotion or an attribute; of a regression CCC 0",
    ),
)
MODALITY_COLUMNS: tuple[Column, ...] = (
    Column("dataset", "text", "the corpus"),
    Column("task", "text", 'the task; of a regression followed by "(rating)"'),
    Column("private", "text", "the private attributes that were unlearned"),
    Column(
        "network", "text", "ordinary, or the recipe; validation has chosen one of each modality"
    ),
    Column("subject", "text", "emotion, or the attribute that an attacker predicts"),
    Column("score", "text", "UAR or CCC"),
    Column("modality_a", "text", "the first modality"),
    Column("modality_b", "text", "the second modality"),
    Column("value_a", "number", "score of the first, on the speakers that both have tested"),
    Column("value_b", "number", "score of the second"),
    Column("difference", "number", "value_a less value_b, paired over speakers"),
    Column("lower", "number", "lower end of its 95 % interval"),
    Column("upper", "number", "upper end of its 95 % interval"),
    Column("p", "number", "p of permuting the two networks' guesses of random speakers"),
    Column("speakers", "integer", "speakers that both have tested"),
    Column("seeds", "integer", "seeds that both have, whose predictions are taken together"),
)
SETTINGS = tuple(column.name for column in _SETTINGS)
_WRITTEN = ("pack", *SETTINGS, "fold", "control", "prepared_hash", "data_hash")


@functools.cache
def _regex(pattern: str) -> re.Pattern[str]:
    parts = re.split(r"<(\w+)>", pattern)
    for i, part in enumerate(parts):
        parts[i] = f"({_PLACEHOLDERS.get(part, '.+')})" if i % 2 else re.escape(part)
    return re.compile("".join(parts))


@functools.cache
def column_of(name: str) -> Column | None:
    """The column of the schema that `name` is; None if it is none.

    >>> column_of("test_gender_privacy").name
    'test_<attribute>_privacy'
    """
    return next((column for column in COLUMNS if _regex(column.name).fullmatch(name)), None)


def members(pattern: str, names: Iterable[str]) -> dict[str, str]:
    """{what stands for the placeholder of the pattern: the name}, for the names of this column.

    >>> members("<subject>_chance", ["gender_chance", "speaker_closed_set_chance", "fold"])
    {'gender': 'gender_chance'}
    """
    name_of_member = {}
    for name in dict.fromkeys(names):
        column = column_of(name)
        match = _regex(pattern).fullmatch(name)
        if column is not None and column.name == pattern and match:
            name_of_member[match.group(1)] = name
    return name_of_member


def name_of(pattern: str, value: str) -> str:
    """The pattern with `value` for its placeholder.

    >>> name_of("<attribute>_pooled_p", "gender")
    'gender_pooled_p'
    """
    return re.sub(r"<\w+>", lambda _: value, pattern)


def emotion_uar(part: str) -> str:
    """Name of the column of the emotion UAR on train, val or test."""
    return f"{part}_emotion_uar"


def emotion_ccc(part: str) -> str:
    """Name of the column of a regression's CCC on train, val or test."""
    return f"{part}_emotion_ccc"


def adversary_uar(part: str, attribute: str) -> str:
    """Name of the column of the adversary in training."""
    return f"{part}_{attribute}_adversary_uar"


def attacker_uar(part: str, attribute: str, attacker: str = "attacker") -> str:
    """Name of the column of a freshly trained attacker, of the best one if none is named."""
    return f"{part}_{attribute}_{attacker}_uar"


def privacy(attribute: str) -> str:
    """Name of the column of the attribute's privacy on the test part."""
    return f"test_{attribute}_privacy"


def chance(subject: str) -> str:
    """Name of the column of the chance level of emotion or an attribute."""
    return f"{subject}_chance"


def is_privacy(name: str) -> bool:
    """Whether the column is the privacy of an attribute."""
    column = column_of(name)
    return column is not None and column.name == "test_<attribute>_privacy"


def is_score(name: str) -> bool:
    """Whether the column is a score of one fold on validation or test speakers."""
    column = column_of(name)
    if column is None or name in SETTINGS:  # of which one is called test_set
        return False
    return column.name.startswith(("<part>_", "test_")) and not name.startswith("train_")


def check_rows(rows: Sequence[Mapping[str, Any]], place: str, written: bool) -> None:
    """Makes sure that rows of runs.csv have the columns of the schema.

    Args:
      place: where the rows stand or go, for the message.
      written: by this version, so that every setting must be there; else it is enough if the
        table can be read.

    Raises:
      ValueError: a column is unknown or missing, or a cell is not of its column's type.
    """
    for row in rows:
        needed = _WRITTEN if written else READABLE
        if lacking := [name for name in needed if name not in row]:
            raise ValueError(
                f"{place} has no column {', '.join(lacking)}: it is no table of experiments.main, "
                "or of a version before these settings; run it again"
            )
        for name, cell in row.items():
            column = column_of(name)
            if column is None:
                raise ValueError(
                    f"{place} has a column {name!r}, which is none of those in "
                    "experiments/results/COLUMNS.md: it is of another version, or another program "
                    f"has added it{nearest(name, _suggestions(name))}"
                )
            if not _is_of_type(cell, column.type):
                raise ValueError(f"{place}: column {name} holds {cell!r}; {column.type} expected")


def _suggestions(name: str) -> list[str]:
    """The schema's names, with the words of `name` in place of a leading placeholder."""
    names = [column.name for column in COLUMNS]
    first = name.split("_")[0]
    return [re.sub(r"^<\w+>", first, pattern) for pattern in names]


def _is_of_type(cell: Any, kind: str) -> bool:
    if hasattr(cell, "item"):
        cell = cell.item()  # a scalar of numpy or jax
    if cell is None or isinstance(cell, bool):
        return cell is None or kind in ("boolean", "text")
    return isinstance(cell, TYPES[kind])


def documentation() -> str:
    """The table of all columns, in Markdown."""
    lines, of_modalities = (
        [f"| `{c.name}` | {c.type} | {c.meaning.replace('<', '&lt;')} |" for c in columns]
        for columns in (COLUMNS, MODALITY_COLUMNS)
    )
    return "\n".join(
        [
            "# Columns of runs.csv",
            "",
            "Made by `python -m experiments.results.columns`; a test holds it to the schema.",
            "A row is one run on one fold, or one control; an empty cell means that there is no",
            "value. `<attribute>` is a private attribute, `<part>` one of train, val and test,",
            "`<known>` what an attacker has of a speaker, h or labels.",
            "",
            "| column | type | meaning |",
            "|---|---|---|",
            *lines,
            "",
            "# Columns of modalities.csv",
            "",
            "Where several modalities were run: two of them by row, see `results/modalities.py`.",
            "",
            "| column | type | meaning |",
            "|---|---|---|",
            *of_modalities,
            "",
        ]
    )


if __name__ == "__main__":
    end_faults()
    print(documentation(), end="")
