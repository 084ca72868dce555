# SPDX-License-Identifier: MIT
"""What is seen while an extraction runs: a bar on a terminal, a line now and then elsewhere; and how it is stopped."""
import signal
import sys
import time

from stop import STOPPED, Stop

_LINE_SECONDS = 30.0


def say(text):
    print(f"extract_features: {text}", file=sys.stderr, flush=True)


class Bar:
    def __init__(self, title, total, done, stream=None):
        self.title, self.total, self.done, self.first = title, total, done, done
        self.stream = stream or sys.stderr
        self.began = self.shown = time.monotonic()
        self.bar = None
        if self.stream.isatty():
            import tqdm

            self.bar = tqdm.tqdm(total=total, initial=done, desc=title, unit="row", file=self.stream, smoothing=0.05)

    def add(self, rows):
        self.done += rows
        if self.bar is not None:
            self.bar.update(rows)
        elif time.monotonic() - self.shown >= _LINE_SECONDS:
            self.shown = time.monotonic()
            rate = (self.done - self.first) / (self.shown - self.began)
            say(f"{self.title}: {self.done:,} of {self.total:,} rows, {rate:.3g} rows/s, "
                f"{(self.total - self.done) / rate / 60:.1f} min to go")

    def close(self):
        if self.bar is not None:
            self.bar.close()


class Signals:
    """While it is entered: the first INT, TERM or HUP asks to stop at the next good place; a second INT does not wait.
    Outside of `working` there is nothing to save, and the first ends at once. While `held` none does anything."""

    def __init__(self):
        self.asked, self.working, self.held = None, False, False

    def __enter__(self):
        self.old = {s: signal.signal(s, self._came) for s in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
        return self

    def __exit__(self, *error):
        for number, handler in self.old.items():
            signal.signal(number, handler)

    def _came(self, number, frame):
        if self.held:
            return
        if self.asked == number == signal.SIGINT or not self.working:
            raise Stop(STOPPED, f"stopped by {signal.Signals(number).name}; what was saved is kept, and the same "
                                "command goes on")
        self.asked = number
        say(f"{signal.Signals(number).name}: stopping after what is under way")

    def check(self, done, total):
        """Stop where a signal came; call it when all is saved."""
        if self.asked:
            raise Stop(STOPPED, f"stopped by {signal.Signals(self.asked).name} after {done:,} of {total:,} rows; they "
                                "are saved, and the same command goes on")
