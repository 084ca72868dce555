# SPDX-License-Identifier: MIT
"""Threads that wait for a server. Unlike those of concurrent.futures they are daemons: a command that was told to end
does not wait for answers that are on their way."""
import concurrent.futures
import queue
import threading


class Pool:
    def __init__(self, threads):
        self.waiting, self.threads = queue.SimpleQueue(), threads
        for _ in range(threads):
            threading.Thread(target=self._work, daemon=True).start()

    def _work(self):
        while work := self.waiting.get():
            future, function, of = work
            if not future.set_running_or_notify_cancel():
                continue
            try:
                future.set_result(function(of))
            except BaseException as e:
                future.set_exception(e)

    def submit(self, function, of):
        """A Future of function(of)."""
        future = concurrent.futures.Future()
        self.waiting.put((future, function, of))
        return future

    def close(self):
        """No thread takes another one; those under way are not waited for."""
        for _ in range(self.threads):
            self.waiting.put(None)
