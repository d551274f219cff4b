"""What can end a run. A row's failure is data and never appears here."""


class Case2CodeError(Exception):
    """Base of every error that the project raises on purpose; its text is written for the user."""


class ConfigurationError(Case2CodeError):
    """A recipe, a key or an address is wrong: a retry cannot help, a person must change something."""


class OutageError(Case2CodeError):
    """S3, a source, the LLM endpoint or the sandbox did not answer: worth a retry, never a result."""


class CorruptError(Case2CodeError):
    """A table in the store is not what was written there: the next run of the day makes it again."""


class RepositoryError(Case2CodeError):
    """One repository cannot be read. The night records `rule` and the message, and goes on without it."""

    def __init__(self, rule: str, message: str) -> None:
        super().__init__(message)
        self.rule = rule


class CheckError(Case2CodeError):
    """A snapshot did not pass one of the checks in `include/sql/checks`, so it was not published."""
