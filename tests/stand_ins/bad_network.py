"""A stand-in for a bad network: it stands between a client and a real S3 server, and spoils some of what passes.

It runs in a process of its own, because DuckDB holds Python's lock while it waits for an answer.
"""

import http.client
import itertools
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

#: What may happen to every n-th request that it fits.
FAULTS = ("unavailable", "slow", "cut_upload", "lost_answer", "cut_download")


@contextmanager
def between(server: str, fault: str, every: int) -> Iterator[str]:
    """The address of a proxy of `server` that does `fault` to every `every`-th request that it fits."""
    command = [sys.executable, __file__, server, fault, str(every)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


def main(server: str, fault: str, every: str) -> None:
    target = urlsplit(server).netloc
    number = itertools.count(1)
    writes = fault in ("cut_upload", "lost_answer")

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _pass(self) -> None:
            fits = (self.command in ("PUT", "POST")) if writes else (fault != "cut_download" or self.command == "GET")
            hit = fits and next(number) % int(every) == 0
            length = int(self.headers.get("Content-Length") or 0)
            if self.headers.get("Expect", "").lower() == "100-continue":
                self.send_response_only(100)
                self.end_headers()
            if hit and fault == "cut_upload":
                self.rfile.read(length // 2)
                self.close_connection = True
                return
            body = self.rfile.read(length)
            if hit and fault == "unavailable":
                self._answer(503, {"Content-Type": "application/xml"}, b"<Error><Code>SlowDown</Code></Error>")
                return
            if hit and fault == "slow":
                time.sleep(0.5)
            there = http.client.HTTPConnection(target, timeout=60)
            # The host is part of what is signed.
            headers = {name: value for name, value in self.headers.items() if name.lower() != "expect"}
            there.request(self.command, self.path, body, headers)
            answer = there.getresponse()
            content = answer.read()
            there.close()
            if hit and fault == "lost_answer":
                self.close_connection = True
                return
            told = {
                name: value
                for name, value in answer.getheaders()
                if name.lower() not in ("transfer-encoding", "connection", "content-length", "date", "server")
            }
            if self.command == "HEAD":
                told["Content-Length"] = answer.headers.get("Content-Length", "0")
            if hit and fault == "cut_download" and len(content) > 1:
                self._answer(answer.status, told, content, sent=len(content) // 2)
                self.close_connection = True
                return
            self._answer(answer.status, told, content)

        do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _pass

        def _answer(self, status: int, headers: dict[str, str], content: bytes, sent: int | None = None) -> None:
            self.send_response(status)
            if self.command != "HEAD" and status not in (204, 304):
                headers = headers | {"Content-Length": str(len(content))}
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                with suppress(ConnectionError):
                    self.wfile.write(content[:sent])

        def log_message(self, *arguments: Any) -> None:
            pass

    proxy = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    proxy.daemon_threads = True
    print(f"http://127.0.0.1:{proxy.server_port}", flush=True)
    proxy.serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
