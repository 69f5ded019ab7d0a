"""Tests of waveforms, log-Mel frames and ready features."""

from concurrent.futures import ThreadPoolExecutor

import kaldi_native_fbank
import numpy as np
import pytest
import soundfile

from privrep.inputs.audio import (
    CANCELLED,
    CONSTANT,
    SILENT,
    FeatureSettings,
    UnusableUtterance,
    log_mel,
    read_audio,
    read_log_mel,
)
from privrep.types import Utterance

RATE = 16000


def noise(seconds, seed=0, rate=RATE):
    return (0.1 * np.random.default_rng(seed).standard_normal(int(seconds * rate))).astype("f4")


def direct_log_mel(waveform, settings):
    """The definition, in float64, a frame at a time."""
    length, shift = settings.frame_length, settings.frame_shift
    size = 1 << (length - 1).bit_length()

    def mel(hz):
        return 1127 * np.log1p(hz / 700)

    high = settings.mel_high_hz or settings.sample_rate / 2
    edges = np.linspace(mel(settings.mel_low_hz), mel(high), settings.num_mel_bands + 2)
    bins = mel(np.arange(size // 2 + 1) * settings.sample_rate / size)[None]
    left, centre, right = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    triangles = np.clip(
        np.minimum((bins - left) / (centre - left), (right - bins) / (right - centre)), 0, None
    )
    window = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(length) / (length - 1))) ** 0.85
    rows = []
    for first in range(0, len(waveform) - length + 1, shift):
        frame = waveform[first : first + length].astype(np.float64)
        frame -= frame.mean()
        frame = window * (frame - 0.97 * np.concatenate([frame[:1], frame[:-1]]))
        rows.append(triangles @ np.abs(np.fft.rfft(frame, size)) ** 2)
    return np.log(np.maximum(rows, np.finfo(np.float32).eps))


@pytest.mark.parametrize(
    "settings",
    [
        FeatureSettings(),
        FeatureSettings(8000, 23, 32.0, 12.5, 100.0, None),
        FeatureSettings(num_mel_bands=24, mel_low_hz=0.0, mel_high_hz=7600.0),
        FeatureSettings(44100),  # 1102 samples every 441: multiples of nothing
        FeatureSettings(num_mel_bands=10, frame_length_ms=5.0, frame_shift_ms=7.0),  # with gaps
    ],
)
def test_log_mel_is_its_definition_and_kaldi_s(settings):
    waveform = noise(6.0, rate=settings.sample_rate)  # more than two blocks
    frames = log_mel(waveform, settings)
    count = 1 + (len(waveform) - settings.frame_length) // settings.frame_shift
    assert frames.shape == (count, settings.num_mel_bands) and frames.dtype == np.float32
    np.testing.assert_allclose(frames, direct_log_mel(waveform, settings), atol=2e-4)

    options = kaldi_native_fbank.FbankOptions()
    options.frame_opts.dither = 0
    options.frame_opts.samp_freq = settings.sample_rate
    options.frame_opts.frame_length_ms = settings.frame_length_ms
    options.frame_opts.frame_shift_ms = settings.frame_shift_ms
    options.mel_opts.num_bins = settings.num_mel_bands
    options.mel_opts.low_freq = settings.mel_low_hz
    options.mel_opts.high_freq = settings.mel_high_hz or 0
    kaldi = kaldi_native_fbank.OnlineFbank(options)
    kaldi.accept_waveform(settings.sample_rate, waveform.tolist())
    kaldi.input_finished()
    assert kaldi.num_frames_ready == count
    theirs = np.stack([kaldi.get_frame(i) for i in range(count)])
    np.testing.assert_allclose(frames, theirs, atol=2e-4)


@pytest.mark.parametrize("hz", [0, 440])
def test_quiet_bands_beside_a_loud_tone_or_offset_are_exact(hz):
    loud = 0.5 * np.cos(2 * np.pi * hz * np.arange(2 * RATE) / RATE)
    waveform = (loud + 1e-3 * noise(2.0)).astype(np.float32)  # 70 dB and more below
    expected = direct_log_mel(waveform, FeatureSettings())
    np.testing.assert_allclose(log_mel(waveform, FeatureSettings()), expected, atol=2e-3)


def test_an_utterance_of_any_length_has_the_frames_of_a_longer_one():
    waveform = noise(40.0)
    whole = log_mel(waveform, FeatureSettings())
    np.testing.assert_allclose(
        whole[3500:], log_mel(waveform[160 * 3500 :], FeatureSettings()), atol=1e-4
    )
    for count in (1, 2, 239, 240, 241, 3840, 3841):
        part = log_mel(waveform[: 400 + 160 * (count - 1) + 159], FeatureSettings())
        assert part.shape == (count, 40)
        np.testing.assert_allclose(part, whole[:count], atol=1e-4)


@pytest.mark.parametrize("hz", [300.0, 1000.0, 3000.0])
def test_a_pure_tone_lands_in_its_band(hz):
    settings = FeatureSettings()
    tone = 0.5 * np.sin(2 * np.pi * hz * np.arange(RATE) / RATE, dtype=np.float32)
    edges = np.linspace(*(1127 * np.log1p(np.array([20.0, 8000.0]) / 700)), 42)
    nearest = np.abs(edges[1:-1] - 1127 * np.log1p(hz / 700)).argmin()
    assert set(log_mel(tone, settings).argmax(axis=1)) == {nearest}


def test_frames_are_the_same_in_threads_and_after_frames_of_another_size():
    waveforms = [noise(0.1 + 0.2 * i, seed=i) for i in range(12)]
    settings = [FeatureSettings(), FeatureSettings(8000, mel_high_hz=None)] * 6
    alone = list(map(log_mel, waveforms, settings))
    with ThreadPoolExecutor(4) as pool:
        for _ in range(5):
            assert all(map(np.array_equal, pool.map(log_mel, waveforms, settings), alone))


def test_louder_adds_a_constant_and_later_moves_the_rows():
    settings, waveform = FeatureSettings(), noise(1.0)
    frames = log_mel(waveform, settings)
    np.testing.assert_allclose(log_mel(2 * waveform, settings), frames + np.log(4), atol=1e-3)
    np.testing.assert_allclose(log_mel(waveform[160:], settings), frames[1:], atol=1e-4)
    assert np.array_equal(log_mel(waveform, settings), frames)


def test_silence_is_the_floor_and_long_utterances_are_cut():
    assert np.allclose(log_mel(np.zeros(RATE, np.float32), FeatureSettings()), np.log(2.0**-23))
    cut = FeatureSettings(max_seconds=0.5)
    assert np.array_equal(log_mel(noise(1.0), cut), log_mel(noise(1.0)[:8000], FeatureSettings()))
    assert len(log_mel(noise(1.0), FeatureSettings(max_seconds=0))) == 98
    with pytest.raises(ValueError, match="shorter than one frame"):
        log_mel(np.zeros(399, np.float32), FeatureSettings())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sample_rate": 0}, "sample_rate"),
        ({"num_mel_bands": 0}, "num_mel_bands"),
        ({"frame_length_ms": 0.0}, "frame_length_ms"),
        ({"frame_shift_ms": 0.0}, "frame_shift_ms"),
        ({"mel_high_hz": 9000.0}, "8000 Hz"),
        ({"mel_low_hz": 8000.0}, "mel_low_hz below"),
        ({"sample_rate": 8000}, "4000 Hz"),
        ({"max_seconds": 0.01}, "max_seconds"),
    ],
)
def test_impossible_settings_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        FeatureSettings(**change)


def test_more_bands_than_the_spectrum_has_are_refused():
    with pytest.raises(ValueError, match="num_mel_bands=400 is too many"):
        log_mel(noise(0.1), FeatureSettings(num_mel_bands=400))


def test_audio_becomes_mono_at_the_sample_rate(tmp_path):
    time = np.arange(44100) / 44100
    left = 0.4 * np.sin(2 * np.pi * 440 * time)
    soundfile.write(tmp_path / "a.flac", np.stack([left, np.zeros_like(left)], axis=1), 44100)
    waveform = read_audio(Utterance("a", "s", tmp_path / "a.flac"), RATE)
    assert waveform.shape == (RATE,) and waveform.dtype == np.float32
    expected = 0.2 * np.sin(2 * np.pi * 440 * np.arange(RATE) / RATE)
    np.testing.assert_allclose(waveform[500:-500], expected[500:-500], atol=1e-3)


@pytest.mark.parametrize("kind", ["PCM_16", "PCM_24", "FLOAT", "PCM_U8"])
@pytest.mark.parametrize("channels", [1, 2])
def test_samples_are_those_of_the_file(tmp_path, kind, channels):
    waveform = np.stack([noise(0.5, seed) for seed in range(channels)], axis=1)
    waveform[:2] = [[-1.0], [1.0]]
    soundfile.write(tmp_path / "a.wav", waveform, RATE, kind)
    expected = soundfile.read(tmp_path / "a.wav", dtype="float32", always_2d=True)[0]
    read = read_audio(Utterance("a", "s", tmp_path / "a.wav"), RATE)
    assert read.dtype == np.float32 and np.array_equal(read, expected.mean(axis=1))
    part = read_audio(Utterance("a", "s", tmp_path / "a.wav", 0.1, 0.3), RATE)
    assert np.array_equal(part, read[1600:4800])


@pytest.mark.parametrize(
    ("ending", "kind"),
    [
        *(("wav", kind) for kind in ("GSM610", "G721_32", "IMA_ADPCM", "MS_ADPCM", "ULAW")),
        *(("wav", f"NMS_ADPCM_{bits}") for bits in (16, 24, 32)),
        *(("au", kind) for kind in ("G721_32", "G723_24")),
        ("aiff", "GSM610"),
    ],
)
def test_telephone_codecs_are_read_whole_and_in_parts(tmp_path, ending, kind):
    """Also those that libsndfile cannot seek in."""
    path = tmp_path / f"a.{ending}"
    tone = (0.3 * np.sin(0.2 * np.arange(9 * 8000))).astype("f4")  # more than one block
    soundfile.write(path, tone, 8000, kind)
    with soundfile.SoundFile(path) as file:
        expected = file.read(file.frames, dtype="float32")
    whole = read_audio(Utterance("a", "s", path), 8000)
    assert np.array_equal(whole, expected) and len(whole) >= len(tone)
    assert np.corrcoef(whole[1000:60000], tone[1000:60000])[0, 1] > 0.8
    part = read_audio(Utterance("a", "s", path, 8.5, 8.75), 8000)
    assert np.array_equal(part, whole[68000:70000])
    with pytest.raises(UnusableUtterance, match="audio truncated"):
        read_audio(Utterance("a", "s", path, 8.5, 20.0), 8000)


@pytest.mark.parametrize("kind", ["GSM610", "G721_32", "MS_ADPCM", "NMS_ADPCM_32"])
def test_a_telephone_recording_cut_short_is_noticed(tmp_path, kind):
    path = tmp_path / "a.wav"
    soundfile.write(path, noise(2.0, rate=8000), 8000, kind)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(UnusableUtterance, match="audio truncated"):
        read_audio(Utterance("a", "s", path), 8000)


@pytest.mark.parametrize("size", [0, 2**32 - 1])
def test_a_writer_that_did_not_know_the_length_is_believed_in_the_rest(tmp_path, size):
    soundfile.write(tmp_path / "a.wav", noise(0.5), RATE)
    whole = read_audio(Utterance("a", "s", tmp_path / "a.wav"), RATE)
    raw = bytearray((tmp_path / "a.wav").read_bytes())
    raw[40:44] = size.to_bytes(4, "little")  # of the chunk "data"
    (tmp_path / "a.wav").write_bytes(raw)
    if size:
        assert np.array_equal(read_audio(Utterance("a", "s", tmp_path / "a.wav"), RATE), whole)
    else:
        with pytest.raises(UnusableUtterance, match="audio empty"):
            read_audio(Utterance("a", "s", tmp_path / "a.wav"), RATE)


def test_audio_between_start_and_end(tmp_path):
    soundfile.write(tmp_path / "a.wav", noise(2.0), RATE)
    whole = read_audio(Utterance("a", "s", tmp_path / "a.wav"), RATE)
    part = read_audio(Utterance("a", "s", tmp_path / "a.wav", 0.5, 1.25), RATE)
    assert np.array_equal(part, whole[8000:20000])
    rest = read_audio(Utterance("a", "s", tmp_path / "a.wav", 1.5), RATE)
    assert np.array_equal(rest, whole[24000:])


def unusable_audio(folder):
    """{file name: (start, end, the reason)} of files that `folder` then holds."""
    soundfile.write(folder / "good.wav", noise(1.0), RATE)
    good = (folder / "good.wav").read_bytes()
    (folder / "half.wav").write_bytes(good[: len(good) // 2])
    (folder / "header.wav").write_bytes(good[:44])
    (folder / "empty.wav").write_bytes(b"")
    (folder / "text.wav").write_text("this is not audio" * 100)
    soundfile.write(folder / "short.wav", noise(0.02), RATE)
    nan = noise(1.0)
    nan[7] = np.nan
    soundfile.write(folder / "nan.wav", nan, RATE, subtype="FLOAT")
    (folder / "pointer.wav").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0")
    return {
        "pointer.wav": (None, None, "a Git LFS pointer in place of the file"),
        "gone.wav": (None, None, "audio file missing"),
        "half.wav": (None, None, r"audio truncated \(0.50 of 1.00 s\)"),
        "header.wav": (None, None, "audio empty"),
        "empty.wav": (None, None, "audio file empty"),
        "text.wav": (None, None, "audio unreadable"),
        "short.wav": (None, None, r"audio shorter than one frame \(20.0 ms\)"),
        "nan.wav": (None, None, "not finite"),
        "good.wav": (0.5, 0.5, "audio empty"),
        "./good.wav": (0.5, 3.0, "audio truncated"),
        "../" + folder.name + "/good.wav": (2.0, 3.0, "audio truncated"),
    }


def test_unusable_audio_names_utterance_file_and_reason(tmp_path):
    for name, (start, end, reason) in unusable_audio(tmp_path).items():
        with pytest.raises(UnusableUtterance, match=reason) as error:
            read_log_mel(Utterance("u7", "s", tmp_path / name, start, end), FeatureSettings())
        assert "u7" in str(error.value) and str(tmp_path / name) in str(error.value)
    with pytest.raises(UnusableUtterance, match="no audio file named"):
        read_audio(Utterance("u7", "s"), RATE)


def sound(*channels):
    return np.stack(channels, 1).astype("f")


@pytest.mark.parametrize(
    ("samples", "remark"),
    [
        (sound(noise(0.5)), ""),
        (sound(np.zeros(8000)), SILENT),
        (sound(noise(0.5) * 1e-5), SILENT),
        (sound(np.full(8000, 0.25)), CONSTANT),
        (sound(np.zeros(8000), np.zeros(8000)), SILENT),
        (sound(noise(0.5), np.zeros(8000)), ""),
        (sound(noise(0.5), noise(0.5)), ""),
        (sound(noise(0.5), -noise(0.5, seed=1)), ""),
        (sound(noise(0.5), -0.99 * noise(0.5)), CANCELLED),
        (sound(0.9 * noise(0.5), -noise(0.5)), CANCELLED),
    ],
)
def test_silence_constant_sound_and_channels_that_cancel_out_are_remarked(
    samples, remark, tmp_path
):
    soundfile.write(tmp_path / "a.wav", samples, RATE)
    utterance = Utterance("a", "s", tmp_path / "a.wav")
    heard = read_log_mel(utterance, FeatureSettings())
    assert heard.remark == remark
    if remark == CANCELLED:  # the loudest channel is used
        loudest = samples[:, np.abs(samples).sum(0).argmax()]
        np.testing.assert_allclose(read_audio(utterance, RATE), loudest, atol=1e-4)
        assert heard.frames.std() > 0.1


def test_what_is_remarked_is_the_part_that_is_used(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.r_[np.zeros(8000), noise(0.5)], RATE)
    utterance = Utterance("a", "s", tmp_path / "a.wav")
    assert read_log_mel(utterance, FeatureSettings()).remark == ""
    assert read_log_mel(utterance, FeatureSettings(max_seconds=0.4)).remark == SILENT
