"""The results on the paper's poster: signs, no numbers, cell by cell.

Mimansa Jaiswal and Emily Mower Provost, "Privacy Enhanced Multimodal Neural Representations for
Emotion Recognition", AAAI 2020, 34(05):7985-7993, doi 10.1609/aaai.v34i05.6307; the signs are those
of the authors' poster of it. The digits of the paper's tables are not known here.
"""

from collections.abc import Mapping

CITATION = (
    "M. Jaiswal and E. Mower Provost, Privacy Enhanced Multimodal Neural Representations for "
    "Emotion Recognition, AAAI 2020, 34(05):7985-7993, doi 10.1609/aaai.v34i05.6307 (signs as on "
    "the authors' poster)"
)
BETTER, WORSE, SAME = "better", "worse", "no change"
_SIGNS = {"+": BETTER, "-": WORSE, "o": SAME}

CORPORA = {
    "msp_improv": "MSP-Improv",
    "msp_podcast": "MSP-Podcast",
    "iemocap": "IEMOCAP",
    "muse": "MuSE",
}
# (modality, corpus): emotion and privacy of activation, then of valence.
_GENDER = {
    ("acoustic", "msp_improv"): "-+ -+",
    ("acoustic", "msp_podcast"): "o+ o+",
    ("acoustic", "iemocap"): "++ o+",
    ("acoustic", "muse"): "-+ +o",
    ("lexical", "iemocap"): "++ ++",
    ("lexical", "muse"): "++ oo",
    ("multimodal", "iemocap"): "o+ o+",
    ("multimodal", "muse"): "o+ -+",
}
# Emotion, privacy and membership of activation, then of valence.
_GENDER_AND_IDENTITY = {
    ("acoustic", "msp_improv"): "-++ -++",
    ("acoustic", "msp_podcast"): "o++ o++",
    ("acoustic", "iemocap"): "o++ o++",
    ("acoustic", "muse"): "-++ -o+",
    ("lexical", "iemocap"): "o++ o++",
    ("lexical", "muse"): "o++ oo+",
    ("multimodal", "iemocap"): "o++ o++",
    ("multimodal", "muse"): "o++ -++",
}
MEASURES = ("emotion", "privacy", "membership")
_TASKS = ("activation", "valence")


def signs(private: str, modality: str, corpus: str, task: str) -> Mapping[str, str]:
    """{measure: BETTER, WORSE or SAME} of a row's task, against the ordinary network; {} if none.

    Args:
      private: as the flag: "gender" is the poster's first table, "gender+speaker" the second.
      modality: acoustic, lexical or multimodal.
      corpus: the name of a dataset.
      task: activation or valence.
    """
    tables = {("gender",): _GENDER, ("gender", "speaker"): _GENDER_AND_IDENTITY}
    row = tables.get(tuple(sorted(private.split("+"))), {}).get((modality, corpus))
    if row is None or task not in _TASKS:
        return {}
    cells = row.split()[_TASKS.index(task)]
    return {measure: _SIGNS[sign] for measure, sign in zip(MEASURES, cells)}
