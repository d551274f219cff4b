"""A stand-in for PyPI: a local server with its JSON API (/pypi/NAME/json) and the files that a test puts there."""

import hashlib
import io
import json
import tarfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

PKG_INFO = "Metadata-Version: 2.4\nName: made\nLicense-Expression: MIT\n\n"


def sdist(files: dict[str, str | bytes], folder: str = "made-1", metadata: str | bytes = PKG_INFO) -> bytes:
    """A source distribution: `files` and a PKG-INFO in one folder."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for path, content in {"PKG-INFO": metadata, **files}.items():
            data = content if isinstance(content, bytes) else content.encode()
            info = tarfile.TarInfo(f"{folder}/{path}")
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


class PackageIndex:
    """What the server answers; `failures` are the statuses that come first, by path."""

    def __init__(self) -> None:
        self.url = ""
        self.answers: dict[str, bytes] = {}
        self.releases: dict[str, dict[str, list[dict[str, Any]]]] = {}
        self.failures: dict[str, list[int]] = {}
        self.requests: list[str] = []

    def upload(
        self,
        project: str,
        version: str,
        uploaded_at: datetime | str,
        content: bytes,
        filename: str | None = None,
        is_relative: bool = False,
        **changes: Any,
    ) -> dict[str, Any]:
        """Add one file of a release; `changes` go over its description."""
        filename = filename or f"{project}-{version}.tar.gz"
        path = f"/files/{project}/{filename}"
        self.answers[path] = content
        description = {
            "filename": filename,
            "packagetype": "sdist",
            "upload_time_iso_8601": uploaded_at if isinstance(uploaded_at, str) else uploaded_at.isoformat(),
            "digests": {"sha256": hashlib.sha256(content).hexdigest()},
            "url": f"../../..{path}" if is_relative else f"{self.url}{path}",
            "yanked": False,
        } | changes
        self.releases.setdefault(project, {}).setdefault(version, []).append(description)
        self.answers[f"/pypi/{project}/json"] = json.dumps({"releases": self.releases[project]}).encode()
        return description


@contextmanager
def serve() -> Iterator[PackageIndex]:
    """Serve an empty index on a free port of 127.0.0.1."""
    index = PackageIndex()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            index.requests.append(self.path)
            failures = index.failures.get(self.path, [])
            content = index.answers.get(self.path)
            status = failures.pop(0) if failures else 404 if content is None else 200
            body = content if status == 200 and content is not None else b"{}"
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    index.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield index
    finally:
        server.shutdown()
        server.server_close()
