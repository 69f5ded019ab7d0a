"""Tests of the feature cache: what rebuilds it, unusable utterances, concurrent and killed runs."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import tensorflow_datasets as tfds

from privrep.inputs import digests, extraction
from privrep.inputs.audio import FeatureSettings, read_log_mel
from privrep.inputs.cache import describe, prepare
from privrep.inputs.extraction import TRANSCRIPTS, UNUSABLE, FeatureSources
from privrep.types import Utterance
from tests.support.paths import ROOT

RATE = 16000
SETTINGS = FeatureSettings(num_mel_bands=8)


def corpus(folder, count=6, step=400):
    """`count` utterances, each `step` samples longer, from 0.1 s; ids in no alphabetical order."""
    folder.mkdir(exist_ok=True)
    utterances = []
    for i in range(count):
        random = np.random.default_rng(i)
        path = folder / f"u{(7 * i) % count}.wav"
        soundfile.write(path, 0.1 * random.standard_normal(1600 + step * i), RATE)
        utterances.append(
            Utterance(path.stem, f"s{i % 2}", path, transcript=f"Word number {i}", ratings={"a": i})
        )
    return utterances


def run(utterances, cache, acoustic=SETTINGS, lexical=None, **options):
    sources = FeatureSources(acoustic, lexical)
    return prepare("fake", utterances, sources, cache, progress=False, **options)


def assert_frames(result, utterances, settings=SETTINGS):
    """Frames, lengths and order are those of `utterances`, one by one."""
    assert [u.id for u in result.utterances] == [u.id for u in utterances]
    assert result.frames.values.dtype == np.float16
    for i, utterance in enumerate(utterances):
        start, length = result.frames.start[i], result.frames.length[i]
        expected = read_log_mel(utterance, settings)[0].astype(np.float16)
        assert np.array_equal(result.frames.values[start : start + length], expected)


def folders(cache):
    return {path for path in (cache / "fake").iterdir() if path.is_dir()}


@pytest.fixture
def counted(monkeypatch):
    """The ids of the utterances whose audio was read."""
    ids = []

    def read(utterance, settings):
        ids.append(utterance.id)
        return read_log_mel(utterance, settings)

    monkeypatch.setattr(extraction, "read_log_mel", read)
    return ids


def test_prepared_once_in_order_and_read_back(tmp_path, counted):
    utterances = corpus(tmp_path / "wav", 300, step=16)  # more than two blocks
    first = run(utterances, tmp_path / "cache", lexical=TRANSCRIPTS)
    assert first.built and not first.dropped and len(counted) == 300
    assert_frames(first, utterances)
    assert first.words[12] == ("word", "number", "12")
    assert first.seconds_of_audio == pytest.approx(sum(0.1 + 0.001 * i for i in range(300)))

    second = run(utterances, tmp_path / "cache", lexical=TRANSCRIPTS, workers=1)
    assert not second.built and len(counted) == 300
    assert_frames(second, utterances)
    assert (second.hash, second.words) == (first.hash, first.words) and len(second.hash) == 16


def test_the_store_is_a_data_set_without_the_corpus(tmp_path):
    utterances = corpus(tmp_path / "wav")
    result = run(utterances, tmp_path / "cache")
    (folder,) = folders(tmp_path / "cache")
    rows = list(tfds.builder_from_directory(folder).as_data_source(split="corpus"))
    assert len(rows) == 6
    for row, utterance, length in zip(rows, utterances, result.frames.length):
        record = json.loads(row["utterance"])
        assert row["id"].decode() == record["id"] == utterance.id
        assert record["speaker"] == utterance.speaker and record["ratings"] == utterance.ratings
        assert record["transcript"] == utterance.transcript
        assert row["frames"].shape == (length, 8) and row["frames"].dtype == np.float16
    # What programs map is what the records hold.
    np.testing.assert_array_equal(np.concatenate([r["frames"] for r in rows]), result.frames.values)


def test_built_anew_when_a_setting_or_the_corpus_changes(tmp_path):
    utterances, cache = corpus(tmp_path / "wav"), tmp_path / "cache"
    hashes = {run(utterances, cache).hash}

    def changed(utterances, settings=SETTINGS):
        result = run(utterances, cache, settings)
        assert result.built
        assert_frames(result, utterances, settings)
        hashes.add(result.hash)

    changed(utterances, replace(SETTINGS, num_mel_bands=9))
    changed(utterances[:-1])
    changed(utterances[::-1])
    changed([*utterances[:-1], replace(utterances[-1], start=0.05)])
    soundfile.write(utterances[2].wav, np.ones(3000), RATE)  # another size
    changed(utterances)
    status = utterances[3].wav.stat()
    soundfile.write(utterances[3].wav, np.zeros(status.st_size // 2 - 22), RATE)
    assert utterances[3].wav.stat().st_size == status.st_size
    os.utime(utterances[3].wav, ns=(0, status.st_mtime_ns + 1))  # only another time
    changed(utterances)
    assert len(hashes) == 7


def test_labels_change_the_hash_and_not_the_features(tmp_path, counted):
    utterances, cache = corpus(tmp_path / "wav"), tmp_path / "cache"
    results = [run(utterances, cache)]
    for change in (
        {"ratings": {"a": 9.0}},
        {"speaker": "s9"},
        {"private": {"gender": "female"}},
        {"categories": {"emotion": "anger"}},
        {"scale": (1.0, 5.0)},
        {"session": "x"},
        {"split": "test"},
        {"transcript": "other"},
    ):
        others = [replace(utterances[0], **change), *utterances[1:]]
        results.append(run(others, cache))
        assert results[-1].utterances == tuple(others) and not results[-1].built
    results.append(run(utterances, cache, lexical=TRANSCRIPTS))
    assert len({r.hash for r in results}) == len(results) and len(counted) == 6
    assert len({r.content for r in results}) == len(results)


def test_what_data_are_does_not_depend_on_where_they_lie(tmp_path):
    first = run(corpus(tmp_path / "here"), tmp_path / "cache")
    shutil.copytree(tmp_path / "here", tmp_path / "there", copy_function=shutil.copyfile)
    there = [replace(u, wav=tmp_path / "there" / u.wav.name) for u in first.utterances]
    second = run(there, tmp_path / "cache")
    assert not second.built and second.hash == first.hash and second.content == first.content
    assert run(there, tmp_path / "other").hash == first.hash  # and when its cache was cleared
    soundfile.write(there[2].wav, np.ones(3000), RATE)
    changed = run(there, tmp_path / "cache")
    assert changed.built and changed.hash != first.hash
    assert changed.content != first.content  # another length


def test_contents_are_read_once_and_again_where_a_file_has_changed(tmp_path, monkeypatch):
    """Also one changed at once, or with the size and time of change as they were."""
    utterances, cache = corpus(tmp_path / "wav"), tmp_path / "cache"
    digest, seen = digests.sha256, []
    monkeypatch.setattr(digests, "sha256", lambda path: (seen.append(path.stem), digest(path))[1])
    sources = FeatureSources(SETTINGS)

    def described():
        seen.clear()
        return describe("fake", utterances, sources, cache).hash

    before = described()
    assert len(seen) == 6
    assert described() == before and len(seen) == 6  # too young to be sure of
    monkeypatch.setattr(digests, "_SETTLED", -1)
    assert described() == before and described() == before and not seen
    wav = utterances[3].wav
    status, sound = wav.stat(), bytearray(wav.read_bytes())
    sound[-1] ^= 1
    wav.write_bytes(sound)
    os.utime(wav, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert described() != before and seen == [wav.stem]
    store = cache / "fake" / "digests.json"
    flip(store)
    with pytest.warns(UserWarning, match=r"digests\.json is not as it was written"):
        described()
    assert len(seen) == 6


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def cut(path):
    path.write_bytes(path.read_bytes()[:-4])


@pytest.mark.parametrize("damage", [flip, cut, Path.unlink])
def test_a_damaged_store_is_named_and_built_anew(tmp_path, damage):
    utterances, cache = corpus(tmp_path / "wav"), tmp_path / "cache"
    whole = run(utterances, cache)
    (folder,) = folders(cache)
    values = np.array(whole.frames.values)
    read_back = [path for path in folder.iterdir() if "array_record" not in path.name]
    assert {"frames.float16", "index.npz", "dataset_info.json"} <= {p.name for p in read_back}
    for path in read_back:
        damage(path)
        with pytest.warns(UserWarning, match=rf"{path.name} is .*: fake is prepared anew"):
            again = run(utterances, cache)
        assert again.built and again.hash == whole.hash
        assert np.array_equal(again.frames.values, values)
        assert not run(utterances, cache).built


def broken(folder):
    """Six good utterances, one of each kind that is not, and their reasons."""
    utterances = corpus(folder)
    (folder / "text.wav").write_text("no audio")
    (folder / "empty.wav").touch()
    soundfile.write(folder / "short.wav", np.ones(300), RATE)
    bad = [
        Utterance(name, "s0", folder / f"{name}.wav", transcript="x")
        for name in ("text", "gone", "empty", "short", "gone2")
    ]
    return utterances[:2] + bad + utterances[2:], {
        "text": "audio unreadable",
        "gone": "audio file missing",
        "empty": "audio file empty",
        "short": "audio shorter than one frame",
        "gone2": "audio file missing",
    }


def test_unusable_utterances_stop_or_are_dropped_the_second_time_too(tmp_path, counted):
    utterances, reasons = broken(tmp_path / "wav")
    cache = tmp_path / "cache"
    for _ in range(2):
        with pytest.raises(ValueError, match=r"5 of 11 .* audio file missing \(2\)") as error:
            run(utterances, cache)
        for text in ("--unusable=drop", *reasons, *reasons.values(), str(tmp_path / "wav")):
            assert text in str(error.value)
    for _ in range(2):
        result = run(utterances, cache, unusable="drop")
        assert not result.built and result.dropped == reasons and len(counted) == 11
        assert_frames(result, [u for u in utterances if u.id not in reasons])


def test_a_missing_transcript_counts_when_words_are_used(tmp_path):
    utterances, reasons = broken(tmp_path / "wav")
    utterances[0] = replace(utterances[0], transcript=None)
    utterances[1] = replace(utterances[1], transcript="")  # said nothing: that is known
    assert run(utterances, tmp_path / "c", unusable="drop").dropped == reasons
    both = run(utterances, tmp_path / "c", unusable="drop", lexical=TRANSCRIPTS)
    assert both.dropped == reasons | {utterances[0].id: "no transcript"} and not both.built
    assert_frames(both, [u for u in utterances if u.id not in both.dropped])
    assert both.words[0] == () and len(both.words) == 5
    assert both.seconds_of_audio == pytest.approx(sum(0.1 + 0.025 * i for i in range(1, 6)))

    words = run(utterances, tmp_path / "c", unusable="drop", acoustic=None, lexical=TRANSCRIPTS)
    assert words.frames is None and words.dropped == {utterances[0].id: "no transcript"}
    assert words.seconds_of_audio == 0 and len(words.words) == 10


def test_a_corpus_of_which_nothing_is_left_is_an_error(tmp_path):
    utterances = [Utterance(f"u{i}", "s", tmp_path / f"u{i}.wav") for i in range(12)]
    for unusable in UNUSABLE:
        with pytest.raises(ValueError, match=r"12 of 12(.|\n)*and 2 more\n.*in this folder"):
            run(utterances, tmp_path / "c", unusable=unusable)
        with pytest.raises(ValueError, match=r"no transcript \(12\)"):
            run(utterances, tmp_path / "c", unusable=unusable, acoustic=None, lexical=TRANSCRIPTS)
    with pytest.raises(ValueError, match="no utterances"):
        run([], tmp_path / "c")
    with pytest.raises(ValueError, match="2 utterances have the id u0"):
        run(utterances + utterances[:1], tmp_path / "c")
    with pytest.raises(ValueError, match="stop, drop"):
        run(utterances, tmp_path / "c", unusable="keep")


def test_ready_features_in_place_of_either_input(tmp_path):
    utterances = [Utterance(f"u{i}", "s") for i in range(4)]  # no audio, no transcript
    for name, width in (("audio", 5), ("text", 3)):
        (tmp_path / name).mkdir()
        for i, u in enumerate(utterances):
            values = np.random.default_rng(i).standard_normal((i + 1, width))
            np.save(tmp_path / name / f"{u.id}.npy", values)

    def ready(**options):
        return run(utterances, tmp_path / "c", tmp_path / "audio", tmp_path / "text", **options)

    result = ready()
    for i, utterance in enumerate(utterances):
        for rows, name in ((result.frames, "audio"), (result.words, "text")):
            expected = np.load(tmp_path / name / f"{utterance.id}.npy").astype(np.float16)
            start = rows.start[i]
            assert np.array_equal(rows.values[start : start + rows.length[i]], expected)

    np.save(tmp_path / "text" / "u1.npy", np.full((2, 3), 1e5))
    (tmp_path / "audio" / "u2.npy").unlink()
    dropped = ready(unusable="drop")
    assert dropped.dropped == {
        "u1": "features beyond float16's 65504",
        "u2": "feature file missing",
    }
    # What an encoder that failed wrote is used and remarked, or left out.
    np.save(tmp_path / "text" / "u1.npy", np.arange(6.0).reshape(2, 3))
    np.save(tmp_path / "audio" / "u2.npy", np.full((2, 5), -999.0))
    assert ready().remarks == {"u2": "features are one value repeated"}
    assert ready(unusable="drop").dropped == {"u2": "features are one value repeated"}

    np.save(tmp_path / "audio" / "u2.npy", np.zeros((2, 4)))
    np.save(tmp_path / "audio" / "u3.npy", np.zeros((2, 7)))
    with pytest.raises(ValueError, match=r"\[1, 5\] .*2 others .*: u2 \[2, 4\], u3 \[2, 7\]"):
        ready(unusable="drop")
    assert not list((tmp_path / "c" / "fake").glob("*.unfinished"))


def start(script, *arguments):
    return subprocess.Popen(
        [sys.executable, "-c", script, *map(str, arguments)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )


# Prepares the records of sys.argv[1]; stands still at the utterance sys.argv[3], if that is given.
PREPARE = """
import json, pathlib, sys, time
from privrep.inputs import cache_store, extraction
from privrep.inputs.audio import FeatureSettings, read_log_mel
from privrep.inputs.cache import prepare
from privrep.inputs.extraction import FeatureSources
from privrep.types import Utterance
records, cache, halt = sys.argv[1:]
utterances = [
    Utterance(**{**record, "wav": pathlib.Path(record["wav"])})
    for record in json.loads(pathlib.Path(records).read_text())
]
cache_store._BLOCK = 8
def read(utterance, settings):
    time.sleep(600 if utterance.id == halt else 0.03)  # slow enough for two to meet
    return read_log_mel(utterance, settings)
extraction.read_log_mel = read
sources = FeatureSources(acoustic=FeatureSettings(num_mel_bands=8))
result = prepare("fake", utterances, sources, pathlib.Path(cache), progress=False)
print(result.built, result.hash, result.frames.values.astype(float).sum())
"""


def test_killed_half_way_then_two_processes_at_once(tmp_path):
    utterances, cache = corpus(tmp_path / "wav", 60, step=40), tmp_path / "cache"
    records = tmp_path / "records.json"
    records.write_text(json.dumps([vars(u) | {"wav": str(u.wav)} for u in utterances]))

    killed = start(PREPARE, records, cache, utterances[40].id)
    written = []
    for _ in range(600):  # until part of the corpus is written
        written = list(cache.glob("fake/*.unfinished/*array_record*"))
        if written:
            break
        time.sleep(0.05)
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    assert written and list(cache.glob("fake/*.unfinished"))  # it was killed in the middle

    both = [start(PREPARE, records, cache, "") for _ in range(2)]
    lines = [child.communicate(timeout=60)[0].split() for child in both]
    assert [child.returncode for child in both] == [0, 0]
    assert sorted(line[0] for line in lines) == ["False", "True"]  # one built, one waited
    result = run(utterances, cache)
    assert not result.built and [line[1] for line in lines] == [result.hash] * 2
    assert_frames(result, utterances)
    assert len(folders(cache)) == 1  # and nothing unfinished beside it
