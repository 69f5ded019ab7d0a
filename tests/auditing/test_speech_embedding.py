"""The audit of real speech by a real network: RAVDESS by google/speech_embedding.

A network that was trained to recognise speakers would be a control. Of the wheels on PyPI in 2026
none was found that holds one: redimnet2-onnx, speakeronnx and wespeakerruntime load it from
elsewhere, speechbrain and sherpa-onnx hold none, and that of Resemblyzer is a torch pickle.
"""

import os
from pathlib import Path

import pytest

from privrep import audit
from privrep.auditing.options import AuditOptions
from privrep.auditing.terminal import table
from privrep.datasets.ravdess import read
from tests.support.speech_embedding import embed


@pytest.mark.long
def test_an_embedding_of_words_reveals_gender_and_speaker():
    """1,440 utterances of 24 actors; speakers also within one sentence and emotion."""
    root = os.environ.get("PRIVREP_RAVDESS", "")
    if not root:
        pytest.skip("1 test of 1,440 real utterances: PRIVREP_RAVDESS names no folder")
    utterances = read(Path(root))
    labels = {
        "speaker": [u.speaker for u in utterances],
        "gender": [u.private["gender"] for u in utterances],
        "emotion": [u.categories["emotion"] for u in utterances],
        "script": [u.categories["sentence"] for u in utterances],
    }
    options = AuditOptions(permutations=99, attackers=("linear",))
    report = audit(embed(utterances), labels, "gender", options=options)
    assert report.verdict == "leaks" and report.lower > 0.5 and report.uar > 0.7
    rows = {row.name: row.verdict for row in report.attributes.rows}
    assert rows["speaker"].verdict == "leaks"
    within, everywhere = rows["speaker, within one script and emotion"], rows["speaker, all pairs"]
    assert within.verdict == "leaks" and within.lower > 0.7
    assert within.uar > everywhere.uar + 0.05  # averaging over contents hides voices
    assert "speaker, within one script and emotion" in table(report)
