"""A stand-in for GitHub: a local server with the part of its REST API that lists repositories, and git over HTTP.

Paging by Link headers, rate limits, tokens and errors are as GitHub documents them; the git half is git's own
`http-backend` over the real repositories that a test makes.
"""

import base64
import json
import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from builders.git_repository import GitRepository

TOKEN = "the-right-token"

#: Answers that come first, whatever is asked: a status, headers and the body.
Refusal = tuple[int, dict[str, str], dict[str, Any]]


@dataclass
class CodeHost:
    """`repositories` are what the API describes, by owner; `page_size` cuts what a client asks for at once."""

    folder: Path
    url: str = ""
    repositories: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    needs_token: bool = False
    page_size: int = 100
    refusals: list[Refusal] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    sent_bytes: int = 0

    @property
    def api(self) -> str:
        return f"{self.url}/api"

    def create(self, owner: str, name: str, **changes: Any) -> GitRepository:
        """Add a repository; `changes` go over what the API says of it."""
        made = GitRepository(self.folder / owner / f"{name}.git")
        made.git("config", "uploadpack.allowFilter", "true")
        description = {
            "name": name,
            "full_name": f"{owner}/{name}",
            "fork": False,
            "archived": False,
            "private": False,
            "created_at": "2026-01-01T00:00:00Z",
            "topics": [],
            "default_branch": "main",
        }
        self.repositories.setdefault(owner, []).append(description | changes)
        return made

    def clone_url(self, owner: str, name: str) -> str:
        return f"{self.url}/{owner}/{name}"

    def api_requests(self) -> list[str]:
        return [path for path in self.requests if path.startswith("/api")]


def _found(host: CodeHost, query: str) -> list[dict[str, Any]]:
    """Repositories that have every `topic:`, `org:`, `archived:` and `created:<=` of the query."""
    found = [repository for listed in host.repositories.values() for repository in listed]
    for term in query.split():
        name, _, value = term.partition(":")
        if name == "topic":
            found = [r for r in found if value in r["topics"]]
        elif name == "org":
            found = [r for r in found if r["full_name"].startswith(f"{value}/")]
        elif name == "archived":
            found = [r for r in found if str(r["archived"]).lower() == value]
        elif name == "created":
            found = [r for r in found if r["created_at"][:10] <= value.removeprefix("<=")]
    return found


@contextmanager
def serve(folder: Path) -> Iterator[CodeHost]:
    """Serve an empty code host on a free port of 127.0.0.1; its repositories are in `folder`."""
    host = CodeHost(folder)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            host.requests.append(self.path)
            address = urlsplit(self.path)
            if not address.path.startswith("/api/"):
                self._git(b"")
            elif host.refusals:
                status, headers, body = host.refusals.pop(0)
                self._json(status, body, headers)
            elif self.headers.get("Authorization") not in (f"Bearer {TOKEN}", None if not host.needs_token else ""):
                self._json(401, {"message": "Bad credentials"})
            else:
                self._api(address.path.removeprefix("/api"), {k: v[0] for k, v in parse_qs(address.query).items()})

        def do_POST(self) -> None:
            host.requests.append(self.path)
            self._git(self.rfile.read(int(self.headers["Content-Length"])) if "Content-Length" in self.headers else b"")

        def _api(self, path: str, query: dict[str, str]) -> None:
            if path == "/search/repositories":
                if not query.get("q") or "badqualifier:" in query["q"]:
                    return self._json(422, {"message": "Validation Failed"})
                found, is_search = _found(host, query["q"]), True
            else:
                owner = path.removeprefix("/orgs/").removesuffix("/repos")
                if owner not in host.repositories:
                    return self._json(404, {"message": "Not Found"})
                found, is_search = host.repositories[owner], False
            size, page = min(int(query.get("per_page", 30)), host.page_size), int(query.get("page", 1))
            shown = found[(page - 1) * size : page * size]
            links = {}
            if page * size < len(found):
                after = urlencode(query | {"page": page + 1})
                links["Link"] = f'<{host.api}{path}?{after}>; rel="next", <{host.api}{path}?page=9>; rel="last"'
            body = {"total_count": len(found), "incomplete_results": False, "items": shown} if is_search else shown
            return self._json(200, body, links)

        def _json(self, status: int, body: object, headers: dict[str, str] | None = None) -> None:
            self._send(status, {"Content-Type": "application/json"} | (headers or {}), json.dumps(body).encode())

        def _git(self, body: bytes) -> None:
            basic = base64.b64encode(f"x-access-token:{TOKEN}".encode()).decode()
            if host.needs_token and self.headers.get("Authorization") != f"Basic {basic}":
                return self._send(401, {"WWW-Authenticate": "Basic realm=code"}, b"")
            address = urlsplit(self.path)
            owner, name, *rest = address.path.strip("/").split("/")
            environment = {
                "GIT_PROJECT_ROOT": str(host.folder),
                "GIT_HTTP_EXPORT_ALL": "1",
                "PATH_INFO": "/".join(["", owner, f"{name}.git", ".git", *rest]),
                "QUERY_STRING": address.query,
                "REQUEST_METHOD": self.command,
                "CONTENT_TYPE": self.headers.get("Content-Type", ""),
                "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
                "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
                "GIT_CONFIG_GLOBAL": os.devnull,
            }
            done = subprocess.run(
                ["git", "http-backend"], input=body, env=os.environ | environment, capture_output=True, check=True
            )
            head, _, content = done.stdout.partition(b"\r\n\r\n")
            headers = dict(line.split(": ", 1) for line in head.decode().splitlines())
            return self._send(int(headers.pop("Status", "200").split()[0]), headers, content)

        def _send(self, status: int, headers: dict[str, str], content: bytes) -> None:
            host.sent_bytes += len(content)
            self.send_response(status)
            for name, value in (headers | {"Content-Length": str(len(content))}).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *arguments: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    host.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield host
    finally:
        server.shutdown()
        server.server_close()
