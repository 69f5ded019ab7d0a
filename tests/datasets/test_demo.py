"""Tests of the demo corpus: its sound, its labels, and damaged or interrupted copies."""

import csv
import hashlib
import os
import shutil
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
import soundfile

from privrep.datasets.demo import corpus as demo
from privrep.datasets.demo import espeak
from privrep.datasets.demo import plan as demo_plan
from privrep.datasets.demo.sentences import vocabulary

SPEAKERS, UTTERANCES = 8, 12


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A small corpus; tests that damage one make their own."""
    root = tmp_path_factory.mktemp("demo") / "small"
    demo.make(root, seed=1, speakers=SPEAKERS, utterances=UTTERANCES)
    return root


@pytest.fixture(scope="module")
def utterances(root):
    return demo.read(root)


@pytest.fixture(scope="module")
def sounds(utterances):
    return {u.id: soundfile.read(u.wav)[0] for u in utterances}


@pytest.fixture(scope="module")
def tiny_original(tmp_path_factory):
    root = tmp_path_factory.mktemp("demo") / "tiny"
    demo.make(root, speakers=2, utterances=2)
    return root


@pytest.fixture
def tiny(tiny_original, tmp_path, monkeypatch):
    """A corpus of four lines to damage, and a maker that makes no larger one."""
    make = demo.make
    monkeypatch.setattr(demo, "make", lambda root: make(root, speakers=2, utterances=2))
    return shutil.copytree(tiny_original, tmp_path / "tiny")


def content(root: Path) -> dict[str, str]:
    files = (path for path in root.rglob("*") if path.is_file())
    return {
        path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
    }


def pitch(sound: np.ndarray) -> float:
    """Median over loud frames of the best period between 70 and 400 Hz, by autocorrelation."""
    size = 640  # 40 ms
    frames = sound[: len(sound) // size * size].reshape(-1, size)
    frames = frames[frames.std(axis=1) > sound.std()] * np.hanning(size)
    power = np.abs(np.fft.rfft(frames, 2 * size)) ** 2
    shortest, longest = demo.SAMPLE_RATE // 400, demo.SAMPLE_RATE // 70
    correlation = np.fft.irfft(power)[:, shortest:longest]
    return float(np.median(demo.SAMPLE_RATE / (shortest + correlation.argmax(axis=1))))


def test_it_holds_what_was_asked_for(utterances):
    assert len({u.id for u in utterances}) == len(utterances) == SPEAKERS * UTTERANCES
    assert [u.id for u in utterances] == sorted(u.id for u in utterances)
    speakers = {u.speaker: (u.private["gender"], u.private["accent"]) for u in utterances}
    assert len(speakers) == SPEAKERS
    groups = list(speakers.values())
    for group in {(g, a) for g in ("female", "male") for a in ("american", "british")}:
        assert groups.count(group) == SPEAKERS // 4
    for u in utterances:
        assert u.scale == (1, 5)
        assert all(1 <= u.ratings[task] <= 5 for task in ("activation", "valence"))
        assert u.private["gender"] == speakers[u.speaker][0]
    assert len({u.transcript for u in utterances}) > 0.9 * len(utterances)


def test_sound_is_mono_16_khz_audible_and_of_a_length_for_quick_training(utterances, sounds):
    for u in utterances:
        info = soundfile.info(u.wav)
        assert (info.samplerate, info.channels, info.subtype) == (16000, 1, "PCM_16")
        assert 0.4 < info.duration < 8
        assert sounds[u.id].std() > 1e-3
        assert np.mean(np.abs(sounds[u.id]) > 0.999) < 0.01  # hardly ever clipped
    assert 2 < np.mean([len(sound) for sound in sounds.values()]) / 16000 < 3.5


def test_gender_is_in_the_pitch(utterances, sounds):
    by_speaker = {}
    for u in utterances:
        by_speaker.setdefault((u.private["gender"], u.speaker), []).append(pitch(sounds[u.id]))
    medians = {
        gender: [np.median(p) for (g, _), p in by_speaker.items() if g == gender]
        for gender in ("female", "male")
    }
    assert min(medians["female"]) > max(medians["male"])


def test_excited_speech_is_louder_and_faster_than_calm_speech_of_the_same_speaker(
    utterances, sounds
):
    louder, faster = [], []
    for speaker in {u.speaker for u in utterances}:
        spoken = [u for u in utterances if u.speaker == speaker]
        for calm, excited in (sorted(pair, key=_activation) for pair in combinations(spoken, 2)):
            if _activation(excited) - _activation(calm) > 1:
                level = sounds[excited.id].std() / sounds[calm.id].std()
                pace = [len(u.transcript) / len(sounds[u.id]) for u in (calm, excited)]
                louder.append(20 * np.log10(level))
                faster.append(pace[1] / pace[0])
    assert len(louder) > 50
    assert np.median(louder) > 2  # dB
    assert np.median(faster) > 1.1


def _activation(utterance):
    return utterance.ratings["activation"]


def test_full_plan_is_a_three_class_problem_in_which_gender_is_no_shortcut():
    plan = demo_plan.draw_plan(seed=0, speakers=24, utterances=50)
    spoken = [(speaker, line) for speaker, lines in plan for line in lines]
    assert len(plan) >= 20 and len(spoken) >= 1200
    female = np.array([speaker.gender == "female" for speaker, _ in spoken])
    assert female.mean() == 0.5
    ratings = np.array([(line.activation, line.valence) for _, line in spoken])
    for rating in ratings.T:
        levels = np.array([np.mean(rating <= 2.75), 0, np.mean(rating > 3.25)])
        levels[1] = 1 - levels.sum()
        assert levels.min() > 0.2
        assert abs(np.corrcoef(rating, female)[0, 1]) < 0.1
    assert 0.05 < np.corrcoef(ratings.T)[0, 1] < 0.4
    words = [line.transcript.lower().rstrip(".").split() for _, line in spoken]
    assert min(map(len, words)) >= 3 and max(map(len, words)) <= 14
    assert len({word for sentence in words for word in sentence}) > 300
    assert len({line.transcript for _, line in spoken}) > 0.9 * len(spoken)


def test_words_carry_valence_and_no_word_stands_on_two_sides():
    sides = {
        side: {word for slot, words in vocabulary().items() if slot[-1] == side for word in words}
        for side in "-=+"
    }
    assert not any(sides[a] & sides[b] for a, b in combinations(sides, 2))
    lines = [line for _, lines in demo_plan.draw_plan(0, 24, 50) for line in lines]
    balance = [
        len(sides["+"] & words) - len(sides["-"] & words)
        for words in (set(line.transcript.lower().rstrip(".").split()) for line in lines)
    ]
    assert np.corrcoef(balance, [line.valence for line in lines])[0, 1] > 0.5
    assert abs(np.corrcoef(balance, [line.activation for line in lines])[0, 1]) < 0.3


def test_the_same_arguments_make_the_same_bytes_whatever_the_cores(tmp_path, monkeypatch):
    for cores in (1, 3):
        monkeypatch.setattr(demo, "usable_cores", lambda cores=cores: cores)
        demo.make(tmp_path / f"on{cores}", seed=1, speakers=3, utterances=4)
    assert content(tmp_path / "on1") == content(tmp_path / "on3")


def test_another_seed_plans_other_lines_under_the_same_ids():
    (_, first), (_, second) = (demo_plan.draw_plan(seed, 1, 4)[0] for seed in (0, 1))
    assert [line.id for line in first] == [line.id for line in second]
    assert all(a.transcript != b.transcript for a, b in zip(first, second))


def test_reading_a_missing_corpus_makes_it(tiny, tmp_path):
    assert len(demo.read(tmp_path / "deep" / "new")) == 4
    assert content(tmp_path / "deep" / "new") == content(tiny)


def test_an_empty_folder_is_filled(tiny, tmp_path):
    (tmp_path / "empty").mkdir()
    assert len(demo.read(tmp_path / "empty")) == 4


def test_a_whole_corpus_is_not_made_again(tiny, monkeypatch):
    monkeypatch.setattr(demo, "make", lambda root: pytest.fail("made again"))
    assert len(demo.read(tiny)) == 4


def lose_a_recording(root):
    (root / "wav" / "s01_001.wav").unlink()


def truncate_a_recording(root):
    path = root / "wav" / "s02_001.wav"
    path.write_bytes(path.read_bytes()[:1000])


def edit_a_label(root):
    path = root / "labels.csv"
    path.write_text(path.read_text().replace("female", "male", 1))


def lose_the_labels(root):
    (root / "labels.csv").unlink()


def become_outdated(root):
    path = root / demo.MADE
    path.write_text(path.read_text().replace(f'"version": {demo.VERSION}', '"version": 0'))


def garble_what_made_it(root):
    (root / demo.MADE).write_text("{")


@pytest.mark.parametrize(
    "damage",
    [
        lose_a_recording,
        truncate_a_recording,
        edit_a_label,
        lose_the_labels,
        become_outdated,
        garble_what_made_it,
    ],
)
def test_a_damaged_or_outdated_corpus_is_made_again(tiny, damage):
    before = content(tiny)
    damage(tiny)
    assert content(tiny) != before
    with said(tiny):
        assert len(demo.read(tiny)) == 4
    assert content(tiny) == before


def test_every_byte_of_a_recording_counts(tiny):
    before = content(tiny)
    wav = next((tiny / "wav").iterdir())
    wav.write_bytes(wav.read_bytes()[:-1] + b"~")
    with said(tiny):
        demo.read(tiny)
    assert content(tiny) == before


def said(tiny):
    return pytest.warns(UserWarning, match=f"{tiny} is damaged, .*made anew")


def test_an_interrupted_making_leaves_nothing(tmp_path, monkeypatch):
    def interrupted(voice, requests):
        raise KeyboardInterrupt

    monkeypatch.setattr(espeak, "speak", interrupted)
    with pytest.raises(KeyboardInterrupt):
        demo.make(tmp_path / "demo", speakers=2, utterances=1)
    assert list(tmp_path.iterdir()) == []


def test_a_corpus_that_another_process_made_meanwhile_is_not_disturbed(tiny, tmp_path, monkeypatch):
    corpus = tmp_path / "new"
    speak = espeak.speak

    def slowly(voice, requests):
        if not corpus.exists():
            shutil.copytree(tiny, corpus)
        return speak(voice, requests)

    monkeypatch.setattr(demo, "usable_cores", lambda: 1)
    monkeypatch.setattr(espeak, "speak", slowly)
    demo.make(corpus)
    assert (corpus / "labels.csv").stat().st_mtime_ns == (tiny / "labels.csv").stat().st_mtime_ns
    assert sorted(path.name for path in tmp_path.iterdir()) == ["new", "tiny"]


def test_what_a_killed_making_left_is_swept_and_what_runs_now_is_not(tiny, tmp_path):
    killed, running = tmp_path / ".tiny.making-killed", tmp_path / ".tiny.making-running"
    for folder in (killed, running):
        (folder / "new").mkdir(parents=True)
    os.utime(killed, (0, 0))
    (tiny / demo.MADE).write_text("{}")
    with said(tiny):
        assert len(demo.read(tiny)) == 4
    assert running.exists() and not killed.exists()


def test_a_folder_with_something_else_is_left_alone(tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(ValueError, match="something other than the demo corpus"):
        demo.read(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_labels_are_a_plain_table(root):
    with open(root / "labels.csv", newline="") as file:
        rows = list(csv.reader(file))
    assert tuple(rows[0]) == demo.COLUMNS
    assert len(rows) == 1 + SPEAKERS * UTTERANCES


def test_without_the_synthesiser_the_package_to_install_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(espeak.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"pip install -e '\.\[demo\]'"):
        demo.read(tmp_path / "demo")
    assert not list(tmp_path.iterdir())


def test_an_unknown_voice_is_named():
    with pytest.raises(ValueError, match=r"'xx-nowhere'.*no such voice"):
        espeak.speak("xx-nowhere", [espeak.Request("Hello.", 175, 50, 50)])
