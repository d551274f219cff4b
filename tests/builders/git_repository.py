"""Builds real git repositories with dated commits, to be cloned by their `file://` address."""

import os
import subprocess
from datetime import datetime
from pathlib import Path

LICENSED = '[project]\nname = "made"\nlicense = "MIT"\n'


class GitRepository:
    """A repository under `folder` on the branch `main`; every commit has the date it is given."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True)
        self.git("init", "--quiet", "--initial-branch=main")
        self.git("config", "user.name", "Tester")
        self.git("config", "user.email", "tester@example.org")

    @property
    def url(self) -> str:
        return self.folder.as_uri()

    def git(self, *arguments: str, date: datetime | None = None, stdin: bytes = b"") -> str:
        stamp = date.isoformat() if date else "2026-01-01T00:00:00+00:00"
        environment = {"GIT_AUTHOR_DATE": stamp, "GIT_COMMITTER_DATE": stamp, "GIT_CONFIG_GLOBAL": os.devnull}
        command = ["git", "-C", str(self.folder), *arguments]
        done = subprocess.run(command, env=os.environ | environment, input=stdin, capture_output=True, check=True)
        return done.stdout.decode().strip()

    def write(self, files: dict[str, str | bytes | None]) -> None:
        """Write files into the working tree; None removes one."""
        for path, content in files.items():
            file = self.folder / path
            if content is None:
                file.unlink()
                continue
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content if isinstance(content, bytes) else content.encode())

    def commit(self, date: datetime, files: dict[str, str | bytes | None]) -> str:
        """Commit `files` at `date`; returns the commit's id."""
        self.write(files)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", "change", date=date)
        return self.git("rev-parse", "HEAD")
