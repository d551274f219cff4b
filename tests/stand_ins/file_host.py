"""A stand-in for the web server of a corpus: it serves the files of a folder, in ranges, and notes what it sends.

It runs in a process of its own, because DuckDB holds Python's lock while it waits for an answer.
"""

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


class FileHost:
    """A server at `url`; what it was asked and what it sent is in a file beside its folder."""

    def __init__(self, url: str, log: Path) -> None:
        self.url = url
        self.log = log

    def forget(self) -> None:
        self.log.write_text("")

    @property
    def requests(self) -> int:
        return len(self.log.read_text().splitlines())

    @property
    def sent_bytes(self) -> int:
        return sum(int(line.split()[-1]) for line in self.log.read_text().splitlines())


@contextmanager
def serve(folder: Path, log: Path, status: int = 200, token: str = "") -> Iterator[FileHost]:
    """Serve `folder` on a free port of 127.0.0.1; a `status` other than 200 is all that comes."""
    command = [sys.executable, __file__, str(folder), str(log), str(status), token]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        log.touch()
        try:
            yield FileHost(process.stdout.readline().strip(), log)
        finally:
            process.terminate()


def main(folder: str, log: str, forced_status: str, token: str) -> None:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self) -> None:
            self._answer(has_body=False)

        def do_GET(self) -> None:
            self._answer(has_body=True)

        def _answer(self, has_body: bool) -> None:
            file = Path(folder) / self.path.lstrip("/")
            is_allowed = not token or self.headers.get("Authorization") == f"Bearer {token}"
            status = int(forced_status) if is_allowed else 401
            if status == 200 and not file.is_file():
                status = 404
            content, headers = b"", {"Accept-Ranges": "bytes"}
            if status == 200:
                content = file.read_bytes()
                headers["Last-Modified"] = format_datetime(
                    datetime.fromtimestamp(file.stat().st_mtime, UTC), usegmt=True
                )
                asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
                if asked:
                    first, last = int(asked[1]), int(asked[2] or len(content) - 1)
                    headers["Content-Range"] = f"bytes {first}-{last}/{len(content)}"
                    content, status = content[first : last + 1], 206
            with open(log, "a") as notes:
                notes.write(f"{self.command} {status} {len(content) if has_body else 0}\n")
            self.send_response(status)
            for name, value in (headers | {"Content-Length": str(len(content))}).items():
                self.send_header(name, value)
            self.end_headers()
            if has_body:
                self.wfile.write(content)

        def log_message(self, *arguments: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print(f"http://127.0.0.1:{server.server_port}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
