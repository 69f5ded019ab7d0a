"""Start and end of this project's programs: output, signals, faults of the system (host).

Exit statuses: 0, WRONG where the user or the system did something wrong, FAULT where the program
did, and of a signal what the system gives it. Never Python's 1, which would say either; the audit
gives 1, 3 and 4 a meaning, see `auditing.gate`.

It imports only what takes no time, so that a program can call `begin` before its other imports.
"""

import atexit
import contextlib
import errno
import os
import re
import signal
import sys
import threading
import time
from collections.abc import Iterator
from types import FrameType, TracebackType
from typing import NoReturn, TextIO

WRONG, FAULT = 2, 70  # exit statuses
INTERRUPTED = 130  # as a shell says it of SIGINT
_GRACE = 1.0  # seconds in which the main thread ends the program, unless it computes outside Python
_OURS = ("privrep", "experiments")
_REFUSALS = {
    errno.ENOSPC: "no space is left on the device; free some",
    errno.EDQUOT: "the disk quota is used up; free some space",
    errno.EFBIG: "a file may not grow so large here (ulimit -f, or the file system's limit)",
    errno.EROFS: "the file system is read-only; name another folder",
    errno.EACCES: "permission denied; this user may not read or write there",
    errno.EPERM: "permission denied; this user may not read or write there",
    errno.EMFILE: "too many open files; allow more (ulimit -n)",
    errno.ENOENT: "no such file or directory; was it removed meanwhile?",
    errno.EIO: "the device reports an input/output error",
}


def begin(line: str) -> None:
    """Makes output that cannot fail, and SIGINT and SIGTERM an end with one line.

    A character that the terminal's encoding lacks is escaped. On a signal `line` is written to
    stderr and the signal ends the process, at any moment: while modules are imported, where an
    exception may be swallowed, and while the main thread computes outside Python. No clean-up runs,
    as at SIGKILL, which leaves nothing that is later taken for complete.

    Where the locale's encoding is ASCII (LC_ALL=C) and Python is set not to take UTF-8 in its
    place, the program starts once more with UTF-8: names of files have other characters.

    An exception that nobody takes ends the program with FAULT, see `end_faults`.

    Called once, from the main thread.
    """
    end_faults()
    if sys.getfilesystemencoding() == "ascii" and "utf8" not in sys._xoptions:
        os.execv(sys.executable, [sys.executable, "-X", "utf8", *sys.orig_argv[1:]])
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # not where a test or a notebook has replaced it
            stream.reconfigure(errors="backslashreplace")
    # What a library's thread or destructor cannot do, the library raises where it is waited for.
    threading.excepthook = lambda _: None
    sys.unraisablehook = lambda _: None
    message = f"{line}\n".encode("ascii", "backslashreplace")

    def stop(number: int, _: FrameType | None) -> None:
        _write(message)
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)

    def watch() -> None:
        number = os.read(arrived, 1)[0]
        time.sleep(_GRACE)
        _write(message)
        os._exit(128 + number)  # as a shell says it of a process that the signal has ended

    arrived, wake_up = os.pipe()
    os.set_blocking(wake_up, False)
    threading.Thread(target=watch, daemon=True).start()
    signal.set_wakeup_fd(wake_up, warn_on_full_buffer=False)
    for number in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(number) is not signal.SIG_IGN:  # as nohup and `&` in a script set it
            signal.signal(number, stop)


def end_faults() -> None:
    """From now on an exception that nobody takes gives the program the exit status FAULT.

    Its traceback is printed as usual, and all clean-up runs.
    """
    usual, faults = sys.excepthook, list[BaseException]()

    def note(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        usual(kind, error, trace)
        if isinstance(error, Exception):  # of KeyboardInterrupt Python makes the signal's status
            faults.append(error)

    def end() -> None:
        if faults:
            for stream in (sys.stdout, sys.stderr):
                with contextlib.suppress(OSError, ValueError):  # nobody reads it, or it is closed
                    stream.flush()
            os._exit(FAULT)

    atexit.register(end)  # the first to be registered is the last to run
    sys.excepthook = note


def end_with(sentence: str, status: int = WRONG) -> NoReturn:
    """Ends the program with a sentence on stderr and an exit status."""
    # Names of files may hold bytes that are no text.
    say(sentence.encode("utf-8", "backslashreplace").decode("utf-8"), sys.stderr)
    end = SystemExit(sentence)
    end.code = status
    raise end


def say(text: str, stream: TextIO | None = None) -> None:
    """Prints a line on stdout, or another stream, at once.

    Where nobody reads it any more, as after `| head -1`, this and all that follows is lost, and
    nothing is wrong: the exit status stays what it would have been.
    """
    stream = sys.stdout if stream is None else stream
    try:
        print(text, file=stream, flush=True)
    except BrokenPipeError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


def _write(message: bytes) -> None:
    # Not sys.stderr, which the main thread may be in the middle of. A progress bar is left behind.
    os.write(2, b"\r\x1b[K" + message if os.isatty(2) else message)


@contextlib.contextmanager
def errors_in_a_line() -> Iterator[None]:
    """Ends the program with WRONG and the `sentence_of` an error, where there is one."""
    try:
        yield
    except Exception as error:
        sentence = sentence_of(error)
        if sentence is None:
            raise
        end_with(f"error: {sentence}")


def sentence_of(error: Exception) -> str | None:
    """A sentence on what the user or the system did wrong; None if it is the program's own error.

    Libraries wrap what the system refuses in errors of their own, or report it in words alone.
    """
    if isinstance(error, ValueError) and (
        isinstance(error.__cause__, OSError) or _raised_in(error) in _OURS
    ):
        return str(error)  # already a message of the project
    for cause in _causes(error):
        if isinstance(cause, OSError) and cause.errno in _REFUSALS:
            at = f"{cause.filename}: " if cause.filename else ""
            return at + _REFUSALS[cause.errno]
    for cause in _causes(error):
        for number, sentence in _REFUSALS.items():
            if os.strerror(number).lower() in str(cause).lower():
                named = re.search(r'"(/[^"\n]+)"', str(cause))
                return f"{named[1]}: {sentence}" if named else sentence
        if isinstance(cause, MemoryError):
            return "there is not enough memory"
    return str(error) if isinstance(error, ValueError | OSError) else None


def _raised_in(error: Exception) -> str:
    """The package whose code raised the error; "" if it was not raised."""
    last = error.__traceback__
    while last is not None and last.tb_next is not None:
        last = last.tb_next
    return "" if last is None else last.tb_frame.f_globals.get("__name__", "").partition(".")[0]


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error, those that led to it, and the members of groups."""
    pending, seen = [error], set()
    while pending:
        cause = pending.pop(0)
        if id(cause) in seen:
            continue
        seen.add(id(cause))
        yield cause
        if isinstance(cause, BaseExceptionGroup):
            pending += cause.exceptions
        pending += [e for e in (cause.__cause__, cause.__context__) if e is not None]
