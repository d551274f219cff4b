"""A stand-in for an LLM endpoint: a local server that speaks OpenAI's chat completions protocol."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

KEY = "the-right-key"
MODEL = "made-model"

#: What the endpoint does with a request: a status and the body, after a pause in seconds.
Answer = tuple[int, object, float]


def completion(content: str | None, tokens: tuple[int, int] = (10, 5), **changes: Any) -> Answer:
    """A good answer with this text."""
    body: dict[str, Any] = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": MODEL,
        "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": content}}],
        "usage": {"prompt_tokens": tokens[0], "completion_tokens": tokens[1], "total_tokens": sum(tokens)},
    }
    return 200, body | changes, 0.0


def failure(status: int, message: str = "no") -> Answer:
    return status, {"error": {"message": message, "type": "made", "code": None}}, 0.0


@dataclass
class ChatEndpoint:
    """`answer` decides by the text of the prompt; `prompts` are those that were asked."""

    url: str = ""
    answer: Callable[[str], Answer] = lambda prompt: completion('{"inputs": [{"x": 1}]}')
    prompts: list[str] = field(default_factory=list)
    requests: list[dict[str, Any]] = field(default_factory=list)


@contextmanager
def serve() -> Iterator[ChatEndpoint]:
    """Serve an endpoint with one model on a free port of 127.0.0.1."""
    endpoint = ChatEndpoint()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._send(200, {"object": "list", "data": [{"id": MODEL, "object": "model"}]})

        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            prompt = request["messages"][0]["content"]
            endpoint.prompts.append(prompt)
            endpoint.requests.append(request)
            if self.headers["Authorization"] != f"Bearer {KEY}":
                status, body, pause = failure(401, "wrong key")
            elif request["model"] != MODEL:
                status, body, pause = failure(404, "no such model")
            else:
                status, body, pause = endpoint.answer(prompt)
            time.sleep(pause)
            self._send(status, body)

        def _send(self, status: int, body: object) -> None:
            content = body.encode() if isinstance(body, str) else json.dumps(body).encode()
            try:
                self.send_response(status)
                self.send_header("Content-Type", "text/html" if isinstance(body, str) else "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)
            except BrokenPipeError:
                pass  # the client did not wait

        def log_message(self, *arguments: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    endpoint.url = f"http://127.0.0.1:{server.server_port}/v1"
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield endpoint
    finally:
        server.shutdown()
        server.server_close()
