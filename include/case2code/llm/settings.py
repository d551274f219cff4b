"""What the recipe says about an LLM writer."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Prices(_Section):
    """US dollars per million tokens; without own prices a batch counts at those of single requests.

    What nobody said counts as nothing, but under a limit of cost it has to be said, be it 0: `Prices()` says nothing.
    """

    tokens_in: float | None = Field(None, ge=0)
    tokens_out: float | None = Field(None, ge=0)
    batch_tokens_in: float | None = Field(None, ge=0)
    batch_tokens_out: float | None = Field(None, ge=0)

    def cost_usd(self, tokens_in: int, tokens_out: int, is_batch: bool) -> float:
        """
        >>> Prices(tokens_in=1.0, tokens_out=2.0, batch_tokens_in=0.5).cost_usd(1_000_000, 1_000_000, True)
        2.5
        """
        price_in, price_out = self.tokens_in, self.tokens_out
        if is_batch and self.batch_tokens_in is not None:
            price_in = self.batch_tokens_in
        if is_batch and self.batch_tokens_out is not None:
            price_out = self.batch_tokens_out
        return (tokens_in * (price_in or 0.0) + tokens_out * (price_out or 0.0)) / 1_000_000


class Settings(_Section):
    """Model, prompts and sampling; who is asked about, how, and what it costs."""

    model: str = Field(min_length=1)
    prompt: str = "write_inputs"
    text_prompt: str = Field("write_inputs_text", description="for an endpoint without structured output")
    form: Literal["schema", "text"] = Field("schema", description="text: Python literals; cheaper with a strong model")
    inputs: int = Field(5, ge=1, le=50, description="asked for in one request")
    temperature: float | None = Field(0.7, ge=0, le=2, description="null: not sent, for models that refuse it")
    seed: int | None = 1
    max_tokens: int = Field(400, ge=16)
    ask: Literal["short", "always"] = Field("short", description="short: what the free inputs leave below the minima")
    min_returned: int = Field(4, ge=0, description="short below so many free inputs that return a value")
    min_distinct_outputs: int = Field(2, ge=0, description="short below so many different values")
    min_line_coverage: float = Field(1.0, ge=0, le=1, description="short below this share of the lines")
    max_functions: int | None = Field(None, ge=0, description="asked about at most so many functions of a day")
    mode: Literal["online", "batch"] = "online"
    concurrency: int = Field(4, ge=1, le=256, description="requests in flight in one task")
    usd_per_million: Prices = Prices()
