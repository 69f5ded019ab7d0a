"""Child process of `espeak.speak`: only it loads the library, and it starts without numpy.

On stdin, as JSON: [voice, sample rate, requests]. On stdout, raw: the number of samples of each
request (int32), then all samples (int16).
"""

import array
import ctypes
import json
import sys
from typing import Any

import espeakng_loader

# Constants of espeak-ng's speak_lib.h.
SYNCHRONOUS, DONT_EXIT, CHARS_UTF8, POS_CHARACTER = 2, 0x8000, 1, 1
RATE, PITCH, RANGE = 1, 3, 4
CALLBACK = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p
)


def main() -> None:
    """Reads requests from stdin, and writes their samples to stdout."""
    voice, sample_rate, requests = json.load(sys.stdin)
    library = ctypes.CDLL(espeakng_loader.get_library_path())
    data = espeakng_loader.get_data_path()
    if library.espeak_Initialize(SYNCHRONOUS, 0, data.encode(), DONT_EXIT) != sample_rate:
        sys.exit(f"it did not start, at {sample_rate} Hz, with its data in {data}")
    library.espeak_ng_SetRandSeed(ctypes.c_long(1))  # after the start, which seeds from the clock
    if library.espeak_SetVoiceByName(voice.encode()):
        sys.exit(f"it has no such voice in {data}")
    pieces: list[bytes] = []

    @CALLBACK
    def collect(samples: Any, count: int, _events: Any) -> int:
        pieces.append(ctypes.string_at(samples, 2 * count) if count > 0 else b"")
        return 0

    library.espeak_SetSynthCallback(collect)
    spoken = []
    for text, rate, pitch, pitch_range in requests:
        pieces.clear()
        for parameter, value in ((RATE, rate), (PITCH, pitch), (RANGE, pitch_range)):
            library.espeak_SetParameter(parameter, value, 0)
        raw = text.encode()
        size = ctypes.c_size_t(len(raw) + 1)
        if library.espeak_Synth(raw, size, 0, POS_CHARACTER, 0, CHARS_UTF8, None, None):
            sys.exit(f"it refused {text!r}")
        spoken.append(b"".join(pieces))
    sizes = array.array("i", (len(samples) // 2 for samples in spoken))
    sys.stdout.buffer.write(sizes.tobytes() + b"".join(spoken))


if __name__ == "__main__":
    main()
