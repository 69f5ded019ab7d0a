"""What a loaded model sends is what the network of the training program releases."""

import dataclasses
import doctest

import jax
import numpy as np
import pytest
import soundfile

import privrep
from privrep import Recordings
from privrep.deploy import blocks
from privrep.deploy import encoder as encoders
from privrep.deploy.description import AcousticInput, LexicalInput, TaskOutput
from privrep.deploy.model_folder import read_model, write_model
from privrep.deploy.person_file import write_person
from privrep.files import sha256
from privrep.inputs.packing import PackingSettings, pack
from privrep.inputs.word_vectors import read_word_vectors
from privrep.parallel.run_axis import Run, run_key, share, take
from privrep.types import Corpus
from privrep.unlearning.released_h import represent
from privrep.unlearning.releases import NAMES, to_arrays
from privrep.unlearning.rows import LEAST
from privrep.unlearning.training_problem import network_problem
from tests.support import small_data, small_models
from tests.support.small_models import tones, write

pytestmark = pytest.mark.usefixtures("quickly_compiled")
SENT = (("none", False), ("leace", False), ("posterior", True), ("whitened", True))
STEP = 2.0**-8  # of a released coordinate that lies at the edge of two roundings


@pytest.fixture(scope="module")
def trained(quickly_compiled):
    """(arrays of a packed corpus, architecture, runs, parameters, released h, what was learned)."""
    utterances, frames, words = small_data.corpus()
    frames = frames._replace(values=frames.values.astype(np.float16))
    settings = PackingSettings(
        "activation", ("gender",), bins="tertiles", normalise="speaker", block_size=8
    )
    packed = pack(
        utterances,
        Corpus(frames, words, None),
        small_data.split(),
        settings,
        small_data.VOCABULARY,
    )
    enrolled = np.arange(len(utterances)) % small_data.EACH > 0  # 4 of 5 of each speaker
    data = packed.data._replace(enrolled=enrolled)
    architecture = small_data.architecture(packed)._replace(
        relative=True, num_speakers=small_data.SPEAKERS
    )
    count = len(SENT)
    runs = Run(
        key=jax.numpy.stack([run_key(0, 0)] * count),
        fold=np.zeros(count, np.int32),
        defence=np.zeros(count, np.int32),
        lambda_={"gender": np.zeros(count, np.float32)},
        release=np.array([NAMES.index(release) for release, _ in SENT], np.int32),
        release_lambda={"gender": np.ones(count, np.float32)},
        learning_rate=np.zeros(count, np.float32),
        adversary_learning_rate=np.zeros(count, np.float32),
        weight_decay=np.zeros(count, np.float32),
        relative=np.array([is_relative for _, is_relative in SENT]),
    )
    init = network_problem(architecture, share(data), take(runs, 0)).init
    params = jax.jit(init)(jax.random.key(1))
    params = jax.tree.map(lambda a: np.stack([np.asarray(a)] * count), params)
    h, _, learned = represent(architecture, data, runs, params)
    return packed, data, frames, architecture, params, h, learned


def _settings(module):
    fields = dataclasses.fields(module)
    return {f.name: getattr(module, f.name) for f in fields if f.name not in ("parent", "name")}


def _model(folder, trained, row):
    packed, data, _, architecture, params, _, learned = trained
    release, is_relative = SENT[row]
    index = data.folds.inputs.word_index[0]
    known = sorted(np.flatnonzero(index), key=lambda word: index[word])
    described = small_models.description(
        encoders={name: _settings(m) for name, m in architecture.net.encoders.items()},
        release=release,
        relative=is_relative,
        acoustic=AcousticInput(small_data.BANDS, "speaker", None),
        lexical=LexicalInput("learned", 3),
        task=TaskOutput("activation", packed.task_names),
    )
    kept = {n: p for n, p in take(params, row).items() if not n.startswith("adversaries")}
    vocabulary = np.array(["<unk>", *(f"w{word}" for word in known)])
    arrays = to_arrays(take(learned, row))
    write_model(folder, described, kept, arrays, {"vocabulary": vocabulary})
    return privrep.load(folder)


@pytest.mark.parametrize("row", range(len(SENT)), ids=[release for release, _ in SENT])
def test_h_is_that_of_the_training_program(trained, tmp_path, row):
    _, data, frames, _, _, h, _ = trained
    words = data.corpus.words
    model = _model(tmp_path, trained, row)
    sent = np.zeros_like(h[row])
    for speaker in range(small_data.SPEAKERS):
        rows = np.flatnonzero(data.speaker == speaker)
        given = {"frames": [], "transcripts": []}
        for i in rows:
            start, length = frames.start[i], frames.length[i]
            given["frames"].append(frames.values[start : start + length])
            start, length = words.start[i], words.length[i]
            spoken = words.values[start : start + length]
            given["transcripts"].append(" ".join(f"w{word}" for word in spoken))
        person = model.enrol(Recordings(**given))
        if "state" in model.needs:
            enrolled = [k for k, i in enumerate(rows) if data.enrolled[i]]
            some = {name: [values[k] for k in enrolled] for name, values in given.items()}
            person = model.enrol(Recordings(**some), units=person)
            assert person.utterances == 4
        sent[rows] = model.encode(Recordings(**given), person=person).h
    difference = np.abs(sent - h[row]).max(1)
    assert difference.max() < STEP and np.mean(difference < 1e-6) > 0.9, difference
    if SENT[row][0] == "none":
        assert difference.max() < 1e-6


@pytest.fixture(scope="module")
def model(tmp_path_factory, quickly_compiled):
    return privrep.load(write(tmp_path_factory.mktemp("models") / "model"))


def test_the_examples_run(model, monkeypatch):
    monkeypatch.chdir(model.model.folder.parent)
    for module in (encoders, blocks):
        failed, tried = doctest.testmod(module)
        assert tried and not failed


def test_files_and_waveforms_of_any_rate_and_channels_give_the_same(model, tmp_path):
    waves = [wave[::2] for wave in tones(2)]
    stereo = [np.stack([wave, 0.5 * wave], 1) for wave in waves]
    for i, wave in enumerate(stereo):
        soundfile.write(tmp_path / f"{i}.wav", wave, 8000, "FLOAT")
    of_files = model.encode([tmp_path / "0.wav", str(tmp_path / "1.wav")])
    of_arrays = model.encode(Recordings(stereo, sample_rate=8000))
    assert of_files.ids == of_arrays.ids == ("0", "1")
    np.testing.assert_array_equal(of_files.h, of_arrays.h)
    assert repr(of_files).startswith("Encoded(utterances=2, h=[2, 8], classes=(")
    shown = repr(model).replace(str(model.model.folder), "")
    assert shown.startswith("Encoder(folder='', task='") and len(shown) < 100
    assert repr(Recordings(stereo, sample_rate=8000, ids=["a", "b"])) == "Recordings(audio=2)"
    for path in (tmp_path / "1.wav", str(tmp_path / "1.wav")):  # a single path is a single file
        single = model.encode(path)
        assert single.ids == ("1",) and model.encode(Recordings(path, ids="me")).ids == ("me",)
        np.testing.assert_allclose(single.h, of_files.h[1:], atol=1e-5)
    mean = model.encode(Recordings([wave.mean(1) for wave in stereo], sample_rate=8000))
    np.testing.assert_allclose(mean.h, of_arrays.h, atol=1e-6)
    assert model.description.acoustic.log_mel.sample_rate == 16000


def test_the_block_does_not_matter(model):
    """Utterances of very different lengths, in any order, come back in theirs."""
    waves = [*tones(4), *tones(2, seconds=1.1)][::-1]
    together = model.encode(Recordings(waves, sample_rate=16000, ids=[*"abcdef"]))
    assert together.h.shape == (6, 8) and together.h.dtype == np.float32
    for i in (0, 3, 5):
        alone = model.encode(Recordings([waves[i]], sample_rate=16000))
        np.testing.assert_allclose(alone.h[0], together.h[i], atol=1e-6)
    np.testing.assert_allclose(together.probabilities.sum(1), 1, atol=1e-6)
    classes = np.array(together.classes)
    assert together.emotion.tolist() == classes[together.probabilities.argmax(1)].tolist()


def test_an_accelerators_padded_blocks_give_the_same(model, monkeypatch):
    waves = tones(5)
    expected = model.encode(Recordings(waves, sample_rate=16000)).h
    monkeypatch.setattr(encoders.network, "fill", lambda: None)
    np.testing.assert_allclose(
        model.encode(Recordings(waves, sample_rate=16000)).h, expected, atol=1e-5
    )


def test_a_block_holds_no_more_than_fits():
    """20 minutes are alone; of short utterances 32 are together."""
    length = np.array([120_000, *[30] * 40, 9_000, 9_000])
    divided = blocks.divided(length)
    assert sorted(i for rows, _ in divided for i in rows) == [*range(43)]
    assert [len(rows) for rows, _ in divided] == [32, 4, 4, 1, 1, 1]
    assert all(size * length[rows].max() <= 1 << 17 for rows, size in divided)


def test_what_cannot_be_used_is_listed_and_left_out_on_demand(model, tmp_path):
    soundfile.write(tmp_path / "good.wav", tones(1)[0], 16000)
    soundfile.write(tmp_path / "silence.wav", np.zeros(16000), 16000)
    soundfile.write(tmp_path / "short.wav", tones(1)[0][:320], 16000)
    (tmp_path / "broken.wav").write_bytes(b"no sound")
    paths = [tmp_path / f"{name}.wav" for name in ("silence", "good", "short", "broken", "none")]
    with pytest.raises(ValueError) as error:
        model.encode(paths)
    message = str(error.value)
    assert message.startswith("4 of 5 recordings cannot be used:")
    for text in ("silence: audio silent", "short: audio shorter than one frame (20.0 ms)"):
        assert f"utterance {text}" in message
    assert "broken: audio unreadable" in message and "none: audio file missing" in message
    kept = model.encode(Recordings(paths, unusable="drop"))
    assert kept.ids == ("good",) and "left out, 4 of 5" in kept.notes[-1]
    with pytest.raises(ValueError, match="1 of 1 recordings cannot be used"):
        model.encode(Recordings(paths[:1], unusable="drop"))
    wrong = [np.zeros(8, np.int16), np.full(800, np.nan), np.zeros((2, 2, 2)), np.zeros(0)]
    with pytest.raises(ValueError) as error:
        model.encode(Recordings(wrong, sample_rate=16000))
    assert str(error.value).startswith("4 of 4") and "not finite" in str(error.value)


def test_sounds_out_of_scale_folders_and_patterns_are_refused(model, tmp_path):
    wave = tones(1)[0]
    soundfile.write(tmp_path / "loud.wav", 1000 * wave, 16000, subtype="FLOAT")
    soundfile.write(tmp_path / "over.wav", 1.4 * wave / abs(wave).max(), 16000, subtype="FLOAT")
    (tmp_path / "folder").mkdir()
    paths = [tmp_path / name for name in ("loud.wav", "folder", "*.mp3", "over.wav")]
    with pytest.raises(ValueError) as error:
        model.encode(paths)
    message = str(error.value)
    assert message.startswith("3 of 4") and "utterance loud: samples are out of scale" in message
    assert "utterance folder: is a folder: name its files" in message
    assert "utterance *: no file matches: " in message and "unusable='drop'" in message
    waves = [wave * 32768, np.stack([wave, wave])]
    with pytest.raises(ValueError, match="2 of 2") as error:
        model.encode(Recordings(waves, sample_rate=16000))
    assert "divide by 32768" in str(error.value)
    assert "waveform is not [n, channels]: transpose it (shape [2, " in str(error.value)


def test_recordings_unlike_those_of_training_are_noted(tmp_path):
    training = small_models.description().training | {"longest_seconds": 0.4}
    model = privrep.load(write(tmp_path, training=training))
    good, long = tones(1, seconds=0.5)[0], tones(1, seconds=0.9)[0]
    encoded = model.encode(Recordings([good, long, good[:4000]], sample_rate=16000))
    assert [note.rpartition(": ")[2] for note in encoded.notes] == ["1", "2"]
    assert encoded.notes[0].startswith("more than 2 times as long as the longest of the training")
    assert encoded.notes[1].startswith("shorter than 0.3 s")
    (note,) = model.encode(Recordings(good[:4000], sample_rate=8000)).notes
    assert note.startswith("sampled at 8000 Hz, below the 16000 Hz of the model")
    assert model.encode(Recordings(good, sample_rate=16000)).notes == ()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"audio": [0.1, 0.2]}, r"audio\[0\] is a float: the path of a file or a waveform float"),
        ({"audio": [[0.1, 0.2]]}, r"audio\[0\] is a list: the path of a file or a waveform"),
        ({"audio": np.zeros((2, 800))}, r"audio is an array of shape \[2, 800\]: give a list"),
        ({"audio": (wave for wave in tones(1))}, "audio is a generator: give a list"),
        ({"audio": {"a": tones(1)[0]}}, "audio is a dict: give a list"),
        ({"audio": tones(1), "ids": [1]}, r"ids\[0\] is a int: a text is expected"),
        ({"audio": tones(1), "sample_rate": float("nan")}, "sample_rate=nan: a whole number of Hz"),
        ({"audio": tones(1), "sample_rate": -16000}, "sample_rate=-16000: a whole number"),
        ({"audio": tones(1), "sample_rate": "16000"}, "sample_rate='16000': a whole number"),
    ],
)
def test_values_of_another_kind_are_named(model, given, message):
    with pytest.raises(ValueError, match=message):
        model.encode(Recordings(**({"sample_rate": 16000} | given)))
    assert "Recordings(audio=" in repr(Recordings(**given))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"release": "secret"}, "release 'secret' is not known to this version"),
        ({"precision": "int4"}, "precision 'int4' is not known"),
        ({"task": TaskOutput("activation", ("low", "high"))}, "task.classes, head_layers or"),
        ({"head_layers": 2}, "task.classes, head_layers or head_width does not fit arrays.npz"),
        ({"encoders": {"acoustic": small_models.ACOUSTIC | {"gru_width": 9}}}, "encoders.acoustic"),
        ({"encoders": {"acoustic": {"depth": 3}}}, "describe no network of this version"),
        ({"encoders": {"visual": {}}}, "encoders: 'visual' is not one of"),
        ({"acoustic": AcousticInput(9, "none", None)}, "encoders.acoustic"),
        ({"acoustic": None}, "acoustic and encoders disagree"),
    ],
)
def test_a_description_that_does_not_fit_the_arrays_is_refused(tmp_path, changes, message):
    """Sealed, as one is that was edited and sealed again: only its content can be judged."""
    model = read_model(write(tmp_path / "good"))
    arrays = model.params, model.release, model.inputs
    write_model(tmp_path / "bad", small_models.description(**changes), *arrays)
    with pytest.raises(ValueError) as error:
        privrep.load(tmp_path / "bad")
    assert f"{tmp_path / 'bad' / 'model.json'}: " in str(error.value)
    assert message in str(error.value)


def test_a_person_of_another_kind_is_named(model):
    for person in ({}, 3):
        with pytest.raises(ValueError, match=r"person is a (dict|int): give what `enrol` returns"):
            model.encode(Recordings(tones(1), sample_rate=16000), person=person)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "this model reads audio, files or waveforms: give audio"),
        ({"audio": [], "sample_rate": 1}, "there is no utterance to encode"),
        ({"audio": tones(1)}, "give the sample_rate"),
        ({"audio": ["a.wav"], "transcripts": ["a"]}, "and no transcripts"),
        ({"audio": ["a/x.wav", "b/x.wav"]}, "two utterances have the id x"),
        ({"audio": ["a.wav"], "ids": ["a", "b"]}, "2 ids for 1 utterances"),
        ({"audio": ["a.wav"], "unusable": "skip"}, "it is one of stop, drop"),
    ],
)
def test_inputs_that_are_not_what_the_network_reads_are_refused(model, given, message):
    with pytest.raises(ValueError, match=message):
        model.encode(Recordings(**given))


def test_a_model_that_needs_a_person_says_so_and_takes_no_other_models(tmp_path):
    model = privrep.load(write(tmp_path / "a", **small_models.OF_SPEAKER, release="whitened"))
    other = privrep.load(write(tmp_path / "b", **small_models.OF_SPEAKER))
    given = {"audio": tones(3), "sample_rate": 16000}
    with pytest.raises(ValueError) as error:
        model.encode(Recordings(**given))
    assert "privrep enrol MODEL *.wav --person=me.npz" in str(error.value)
    assert "the person's frames" in str(error.value) and "the person's h" in str(error.value)
    for take_in in (model.encode, model.enrol):
        with pytest.raises(ValueError, match="was enrolled for another model"):
            take_in(Recordings(**given), person=other.enrol(Recordings(**given)))
    assert other.enrol(Recordings(**given)).state is None
    person = model.enrol(Recordings(**given))
    h = model.encode(Recordings(**given), person=person).h
    assert h.shape == (3, 8)
    write_person(tmp_path / "me.npz", person)
    for path in (tmp_path / "me.npz", str(tmp_path / "me.npz")):
        np.testing.assert_array_equal(model.encode(Recordings(**given), person=path).h, h)
        assert model.enrol(Recordings(**given), person=path).utterances == 6
        assert model.enrol(Recordings(**given), units=path).utterances == 3
    with pytest.raises(FileNotFoundError, match="no such person file"):
        model.encode(Recordings(**given), person="nobody.npz")
    with pytest.raises(ValueError, match="has 0 enrolled utterances, and this model needs 1"):
        model.encode(Recordings(**given), person=dataclasses.replace(person, state=None))


def test_enrolment_adds_up(tmp_path):
    """One after another or together; a relative h needs as many utterances as in training."""
    model = privrep.load(write(tmp_path, relative=True))
    waves = tones(LEAST)
    rate = {"sample_rate": 16000}
    person = None
    for wave in waves[:-1]:
        person = model.enrol(Recordings([wave], **rate), person=person)
    with pytest.raises(ValueError, match=rf"has {LEAST - 1} enrolled .* needs {LEAST} or more"):
        model.encode(Recordings(waves, **rate), person=person)
    person, together = (
        model.enrol(Recordings(waves[-1:], **rate), person=person),
        model.enrol(Recordings(waves, **rate)),
    )
    assert person.utterances == together.utterances == LEAST
    for apart, whole in zip(person.state, together.state):
        np.testing.assert_allclose(apart, whole, atol=1e-5)
    sent = model.encode(Recordings(waves, **rate), person=person).h
    np.testing.assert_allclose(sent.mean(0), 0, atol=1e-5)


@pytest.mark.parametrize("changes", [{"release": "whitened"}, {"relative": True}])
def test_a_running_state_goes_on_with_every_utterance(tmp_path, changes):
    """As if each were encoded by itself and enrolled then, in the order in which they are given."""
    rate = {"sample_rate": 16000}
    running = privrep.load(write(tmp_path / "running", running=True, **changes))
    standing = privrep.load(write(tmp_path / "standing", **changes))
    waves = tones(LEAST + 3)[::-1]
    together = running.encode(
        Recordings(waves[LEAST:], **rate), person=running.enrol(Recordings(waves[:LEAST], **rate))
    )
    person = standing.enrol(Recordings(waves[:LEAST], **rate))
    for wave, h in zip(waves[LEAST:], together.h):
        alone = standing.encode(Recordings([wave], **rate), person=person).h[0]
        np.testing.assert_allclose(alone, h, atol=STEP)
        person = standing.enrol(Recordings([wave], **rate), person=person)
    assert np.abs(
        standing.encode(Recordings(waves[-1:], **rate), person=person).h - together.h[-1:]
    ).max() > (2 * STEP)


def test_a_feature_that_never_varied_in_the_enrolment_is_named(tmp_path):
    """As the upper bands of recordings by telephone; no h that is not a number is sent."""
    model = privrep.load(write(tmp_path, acoustic=AcousticInput(8, "speaker", None)))
    rng = np.random.default_rng(0)
    frames = [rng.normal(size=(9, 8)) for _ in range(3)]
    enrolled = [np.where(np.arange(8) >= 6, -15.9, values) for values in frames]
    person = model.enrol(Recordings(frames=enrolled))
    assert np.isfinite(model.encode(Recordings(frames=enrolled), person=person).h).all()
    with pytest.raises(ValueError, match="features 6, 7 never vary in what is enrolled of the"):
        model.encode(Recordings(frames=frames), person=person)


def test_a_model_without_a_state_refuses_to_enrol(model):
    with pytest.raises(ValueError, match="needs no statistics of a person: encode without"):
        model.enrol(Recordings(tones(1), sample_rate=16000))


def test_every_release_is_sent_and_read_by_the_head(tmp_path):
    waves, rate = tones(3), {"sample_rate": 16000}
    plain = privrep.load(write(tmp_path / "none")).encode(Recordings(waves, **rate))
    for name in ("leace", "noise", "subspace", "posterior", "decision"):
        model = privrep.load(write(tmp_path / name, release=name))
        sent = model.encode(Recordings(waves, **rate))
        assert np.isfinite(sent.h).all() and np.abs(sent.h - plain.h).max() > 1e-4
        np.testing.assert_allclose(sent.probabilities.sum(1), 1, atol=1e-5)
        if name == "decision":
            assert {*np.unique(sent.probabilities.round(4))} <= {0, 1}
        if name == "noise":  # not to be drawn again
            assert np.abs(model.encode(Recordings(waves, **rate)).h - sent.h).max() > 1e-4
        else:
            np.testing.assert_array_equal(model.encode(Recordings(waves, **rate)).h, sent.h)


def test_a_regression_answers_in_the_unit_of_the_rating(tmp_path):
    task = TaskOutput("valence", (), 3.0, 0.5)
    result = privrep.load(write(tmp_path, task=task)).encode(
        Recordings(tones(2), sample_rate=16000)
    )
    assert result.emotion.dtype == np.float64 and result.probabilities is None
    assert (np.abs(result.emotion - 3) < 2).all() and result.classes == ()


def test_a_head_of_two_layers_sends_a_stand_in(tmp_path):
    result = privrep.load(write(tmp_path, head_layers=2, release="decision")).encode(
        Recordings(tones(5), sample_rate=16000)
    )
    for emotion in {*result.emotion}:
        rows = result.h[result.emotion == emotion]
        np.testing.assert_array_equal(rows, np.repeat(rows[:1], len(rows), 0))


def test_words_that_training_had_not_are_unknown(tmp_path):
    model = privrep.load(write(tmp_path, **small_models.WORDS))
    result = model.encode(Recordings(transcripts=["The sad DAY", "the sad cat", "the sad dog", ""]))
    np.testing.assert_array_equal(result.h[1], result.h[2])
    assert np.abs(result.h[0] - result.h[1]).max() > 1e-4 and np.isfinite(result.h).all()
    assert result.notes == ("77.8% of the running words are known to the network",)
    with pytest.raises(ValueError, match="has learned its word vectors and reads no file"):
        model.encode(Recordings(transcripts=["a"], word_vectors="glove.txt"))
    with pytest.raises(ValueError, match="reads transcripts: give transcripts"):
        model.encode(Recordings())


def test_word_vectors_come_from_the_folder_or_the_very_file(tmp_path):
    rng = np.random.default_rng(0)
    lines = [f"{w} {' '.join(map(str, rng.normal(size=8)))}" for w in ("day", "sad", "the", "cat")]
    vectors = tmp_path / "glove.txt"
    vectors.write_text("\n".join(lines) + "\n")
    lexical = LexicalInput("vectors", 8, sha256(vectors))
    made = privrep.load(write(tmp_path / "made", **small_models.WORDS)).model
    of_words = {n: p for n, p in made.params["encoders_lexical"].items() if n != "table"}
    params = {**made.params, "encoders_lexical": of_words}
    known, table = read_word_vectors(vectors, ("day", "sad", "the"))
    described = small_models.description(
        encoders={"lexical": small_models.SMALL}, acoustic=None, lexical=lexical
    )
    inputs = {"vocabulary": np.array(known), "word_vectors": table}
    write_model(tmp_path / "model", described, params, made.release, inputs)
    model = privrep.load(tmp_path / "model")
    texts = ["the sad day", "the sad cat"]
    of_folder, of_file = (
        model.encode(Recordings(transcripts=texts)),
        model.encode(Recordings(transcripts=texts, word_vectors=vectors)),
    )
    np.testing.assert_allclose(of_folder.h[0], of_file.h[0], atol=1e-6)
    assert np.abs(of_folder.h[1] - of_file.h[1]).max() > 1e-4
    assert of_folder.notes and not of_file.notes
    vectors.write_text("\n".join(lines[::-1]) + "\n")
    with pytest.raises(ValueError, match="is not the file of word vectors that this model was"):
        model.encode(Recordings(transcripts=texts, word_vectors=vectors))


def test_ready_features_are_checked(tmp_path):
    model = privrep.load(write(tmp_path, **small_models.READY))
    rng = np.random.default_rng(0)
    frames = [rng.normal(size=(9, 8)), rng.normal(size=8)]
    assert model.encode(Recordings(frames=frames)).h.shape == (2, 8)
    wrong = [rng.normal(size=(9, 7)), np.full((2, 8), np.inf), np.full((2, 8), 1e6), ["a"] * 8]
    with pytest.raises(ValueError) as error:
        model.encode(Recordings(frames=wrong))
    message = str(error.value)
    assert "shape [9, 7], the network reads [T, 8]" in message and "not finite" in message
    assert "beyond float16's 65504" in message and "not real numbers" in message
