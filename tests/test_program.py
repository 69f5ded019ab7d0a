"""A program ends at a signal with one line, prints what the terminal can show, and tells faults."""

import errno
import os
import signal
import subprocess
import sys
import time

import pytest

from privrep.formats.tables import existing_file
from privrep.program import end_with, errors_in_a_line, sentence_of
from tests.support.paths import ROOT

BEGIN = "from privrep.program import begin\nbegin('stopped')\nimport signal, sys, time\n"
READY = "print('ready', flush=True)\n"


def signalled(command, number, seconds=0.0, wait=""):
    """(exit status, what it wrote to stderr) of a program that is sent a signal."""
    process = subprocess.Popen(
        [sys.executable, *command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT
    )
    if wait:
        assert process.stdout.readline().decode().strip() == wait
    time.sleep(seconds)
    process.send_signal(number)
    _, error = process.communicate(timeout=60)
    return process.returncode, error.decode()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize(
    "busy",
    [
        "time.sleep(60)",
        # As it is where an import, a destructor or a callback lets no exception through.
        "while True:\n    try:\n        time.sleep(0.01)\n    except BaseException:\n        pass",
    ],
)
def test_a_signal_ends_a_program_with_one_line(number, busy):
    assert signalled(["-c", BEGIN + READY + busy], number, wait="ready") == (-number, "stopped\n")


def test_a_signal_ends_a_program_whose_main_thread_does_not_come_back():
    """As one that waits in a library for other processes."""
    deaf = "signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})\n"
    ended = signalled(["-c", BEGIN + deaf + READY + "time.sleep(60)"], signal.SIGTERM, wait="ready")
    assert ended == (128 + signal.SIGTERM, "stopped\n")


@pytest.mark.parametrize(
    ("module", "number"),
    [
        ("experiments.main", signal.SIGINT),
        ("experiments.report", signal.SIGTERM),
        ("privrep", signal.SIGINT),
    ],
)
def test_a_signal_while_modules_are_imported(tmp_path, module, number):
    """The import of numpy, which all of them need, is made to take long."""
    (tmp_path / "numpy.py").write_text("import time\nprint('ready', flush=True)\ntime.sleep(60)\n")
    start = f"import runpy, sys\nsys.path.insert(0, {str(tmp_path)!r})\n"
    start += f"sys.argv[1:] = ['audit']\nrunpy.run_module({module!r}, run_name='__main__', "
    start += "alter_sys=True)"
    status, error = signalled(["-c", start], number, wait="ready")
    assert status == -number and error.startswith("stopped") and len(error.splitlines()) == 1


@pytest.mark.parametrize(
    "environment",
    [
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        {"LC_ALL": "C"},
        {"PYTHONIOENCODING": "ascii"},
        {"PYTHONIOENCODING": "latin-1"},
    ],
)
def test_output_is_utf8_or_escaped(environment):
    done = subprocess.run(
        [sys.executable, "-c", BEGIN + "print(sys.argv[1], chr(955), chr(0xD800))", "\u03bb"],
        cwd=ROOT,
        capture_output=True,
        env={**os.environ, **environment},
    )
    escaped = r"\u03bb" if "PYTHONIOENCODING" in environment else "\u03bb"
    assert done.stdout.decode() == rf"{escaped} {escaped} \ud800" + "\n", done.stderr


def caused(error, cause):
    error.__cause__ = cause
    return error


FULL = OSError(errno.ENOSPC, "No space left on device", "/out/runs.csv")


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (FULL, "/out/runs.csv: no space is left on the device; free some"),
        (caused(RuntimeError("not saved"), FULL), "/out/runs.csv: no space is left on the device"),
        (ExceptionGroup("threads", [ValueError("x"), FULL]), "/out/runs.csv: no space is left"),
        (
            ValueError("RESOURCE_EXHAUSTED: writing \"/out/a/b\": No space left on device [x='y']"),
            "/out/a/b: no space is left on the device",
        ),
        (RuntimeError("Error writing file: File too large."), "a file may not grow so large here"),
        (PermissionError(errno.EACCES, "Permission denied", "/out"), "/out: permission denied"),
        (OSError(errno.EMFILE, "Too many open files"), "too many open files"),
        (FileNotFoundError(errno.ENOENT, "No such file or directory", "/out"), "/out: no such"),
        (caused(ValueError("--workdir=/x: cannot be made"), FULL), "--workdir=/x: cannot be made"),
        (MemoryError(), "there is not enough memory"),
        (ValueError("--folds=many"), "--folds=many"),
    ],
)
def test_a_fault_of_user_or_system_is_a_sentence(error, sentence):
    assert sentence_of(error).startswith(sentence) and "\n" not in sentence_of(error)
    with pytest.raises(SystemExit, match=r"^error: ") as ended, errors_in_a_line():
        raise error
    assert ended.value.code == 2


def test_the_words_of_the_project_stay(tmp_path):
    (tmp_path / "h.npy").write_bytes(b"")
    with pytest.raises(ValueError) as refused:
        existing_file(tmp_path / "h.npy", [".npy"])
    refused.value.__cause__ = RuntimeError("libtpu.so: No such file or directory")
    assert "is empty, 0 bytes" in sentence_of(refused.value)


def test_an_error_of_the_program_is_not_hidden():
    assert sentence_of(KeyError("x")) is None
    with pytest.raises(KeyError), errors_in_a_line():
        raise KeyError("x")


FAULT = "import atexit\natexit.register(print, 'cleaned up')\nraise KeyError('x')"


def test_an_error_of_the_program_has_a_status_of_its_own_and_cleans_up():
    done = subprocess.run([sys.executable, "-c", BEGIN + FAULT], cwd=ROOT, capture_output=True)
    assert done.returncode == 70 and done.stdout == b"cleaned up\n"
    assert done.stderr.startswith(b"Traceback") and done.stderr.endswith(b"KeyError: 'x'\n")


@pytest.mark.parametrize(
    "module", ["experiments.main", "experiments.report", "experiments.simulations", "privrep"]
)
def test_an_error_while_modules_are_imported_has_it_too(tmp_path, module):
    (tmp_path / "numpy.py").write_text("raise KeyError('x')\n")
    start = f"import runpy, sys\nsys.path.insert(0, {str(tmp_path)!r})\n"
    start += f"sys.argv[1:] = ['audit']\nrunpy.run_module({module!r}, run_name='__main__', "
    start += "alter_sys=True)"
    done = subprocess.run([sys.executable, "-c", start], cwd=ROOT, capture_output=True)
    assert done.returncode == 70 and b"KeyError: 'x'" in done.stderr, done.stderr


def test_a_sentence_may_name_files_that_are_no_text(capfd):
    with pytest.raises(SystemExit) as ended:
        end_with("error: \udcf6.csv: is empty")
    assert ended.value.code == 2 and capfd.readouterr().err == "error: \\udcf6.csv: is empty\n"


@pytest.mark.parametrize(
    ("module", "arguments"),
    [
        ("experiments.export_model", ["--zzz"]),
        ("experiments.opt_out", ["--zzz"]),
        ("experiments.report.choice", ["nowhere"]),
        ("experiments.report", ["nowhere"]),
        ("experiments.simulations", ["verdicts"]),
    ],
)
def test_wrong_input_ends_every_program_with_2(module, arguments):
    command = [sys.executable, "-m", module, *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2 and "error: " in done.stderr, done.stderr
    assert "Traceback" not in done.stderr
