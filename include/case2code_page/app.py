"""The page as a FastAPI app: pages and two files, all of them behind one login, none of them changing anything."""

import json
from collections.abc import Callable
from functools import cache
from importlib.resources import files
from typing import Annotated, Any, Final
from urllib.parse import quote, urlencode, urlsplit

import yaml
from fastapi import Depends, FastAPI, HTTPException, Path, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, Response
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.exceptions import HTTPException as StarletteHTTPException

from case2code import database
from case2code.errors import Case2CodeError, ConfigurationError, OutageError
from case2code.store import Store
from case2code_page import pictures
from case2code_page.published import Evaluated, Night, Published, splits, stage_rows

#: Rows of a page of the sample browser.
PAGE: Final = 25
#: Nights of a recipe's table; the pictures show more.
_NIGHTS: Final = 30
#: Evaluations that have a row of their own in the pictures, and those that share out the colours; the table has all.
_PICTURED: Final = 12
_COMPARED: Final = 6
#: Groups of a kind in a picture, those with most samples.
_GROUPS: Final = 10
#: Bands of difficulty, in the order of their columns.
_BANDS: Final = ("easy", "medium", "hard")
#: Own files only, no inline script or style, framed by the Airflow UI alone.
_POLICY: Final = (
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'self'"
)
_HEADERS: Final = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "private, no-cache",
}
#: What the groups of a report are called.
_KINDS: Final = {"length": "Length", "complexity": "Complexity", "license": "Licence", "origin": "Origin of the inputs"}
_ASSETS: Final = {"style.css": "text/css", "page.js": "text/javascript", "icon.svg": "image/svg+xml"}

#: What a refusal is called; its status says the rest.
_REFUSALS: Final = {401: "You are not logged in to Airflow.", 404: "There is no such page."}

SampleId = Annotated[str, Path(pattern="^[0-9a-f]{1,64}$")]


def create_app(open_store: Callable[[], Store], user: Callable[..., Any]) -> FastAPI:
    """The page over the store that `open_store` opens; `user` is the dependency that refuses whoever is not logged in.

    Routes are plain functions, so they run in threads and keep no event loop waiting.
    """
    app = FastAPI(title="Case2Code", dependencies=[Depends(user)], docs_url=None, redoc_url=None, openapi_url=None)
    published = Published(open_store)
    for name in _templates().list_templates(extensions=["html"]):
        _templates().get_template(name)  # compiled now, not while the first reader waits

    def show(request: Request, template: str, status: int = 200, **values: Any) -> HTMLResponse:
        base = request.scope.get("root_path", "").rstrip("/")
        html = _templates().get_template(template).render(base=base, status=status, **values)
        return HTMLResponse(html, status, headers=_HEADERS)

    @app.exception_handler(Case2CodeError)
    def explain(request: Request, error: Case2CodeError) -> HTMLResponse:
        status = 404 if isinstance(error, ConfigurationError) else 503 if isinstance(error, OutageError) else 500
        return show(request, "problem.html", status, text=str(error))

    @app.exception_handler(StarletteHTTPException)
    def refuse(request: Request, error: StarletteHTTPException) -> HTMLResponse:
        text = _REFUSALS.get(error.status_code, error.detail)
        return show(request, "problem.html", error.status_code, text=text)

    @app.exception_handler(RequestValidationError)
    def correct(request: Request, error: RequestValidationError) -> HTMLResponse:
        wrong = "; ".join(f"{found['loc'][-1]}: {found['msg']}" for found in error.errors())
        return show(request, "problem.html", 422, text=f"The address has a part that is none ({wrong}).")

    @app.get("/")
    def overview(request: Request) -> HTMLResponse:
        recipes = [(name, published.nights(name, 1)) for name in published.recipes() if published.latest(name)]
        return show(request, "overview.html", recipes=recipes)

    @app.get("/_/{name}")
    def asset(name: str) -> Response:
        if name not in _ASSETS:
            raise HTTPException(404)
        return Response(_asset(name), headers=_HEADERS | {"Content-Type": f"{_ASSETS[name]}; charset=utf-8"})

    @app.get("/{recipe}")
    def recipe(request: Request, recipe: str) -> HTMLResponse:
        return show(request, "recipe.html", recipe=recipe, nights=published.nights(recipe, _NIGHTS))

    @app.get("/{recipe}/growth")
    def growth(request: Request, recipe: str, only: str = "") -> HTMLResponse:
        nights = published.nights(recipe, pictures.NIGHTS).newest
        charts = [_growth(nights)] if only else [_growth(nights), _by_origin(nights, "inputs"), _paid(nights)]
        return show(request, "growth.html", charts=charts)

    @app.get("/{recipe}/differences")
    def differences(request: Request, recipe: str, old: str = "", new: str = "latest") -> HTMLResponse:
        nights = published.nights(recipe, _NIGHTS).newest
        new_snapshot = published.snapshot(recipe, new)
        versions = [night.version for night in reversed(nights)]
        before = [version for version in versions if version < new_snapshot.version]
        old_snapshot = published.snapshot(recipe, old or (before or [new_snapshot.version])[0])
        return show(
            request,
            "differences.html",
            recipe=recipe,
            versions=sorted({*versions, old_snapshot.version, new_snapshot.version}, reverse=True),
            old=old_snapshot,
            new=new_snapshot,
            stages=_side_by_side(stage_rows(old_snapshot.manifest), stage_rows(new_snapshot.manifest)),
            drops=_side_by_side(_drops(old_snapshot.manifest), _drops(new_snapshot.manifest)),
            settings=_changed_settings(old_snapshot.manifest, new_snapshot.manifest),
        )

    @app.get("/{recipe}/differences/samples")
    def different_samples(request: Request, recipe: str, old: str, new: str) -> HTMLResponse:
        old_snapshot, new_snapshot = published.snapshot(recipe, old), published.snapshot(recipe, new)
        found = {row["change"]: row for row in published.differences(old_snapshot, new_snapshot)}
        return show(request, "different_samples.html", found=found, old=old_snapshot, new=new_snapshot)

    @app.get("/{recipe}/{version}")
    def snapshot(request: Request, recipe: str, version: str) -> HTMLResponse:
        found = published.snapshot(recipe, version)
        manifest = found.manifest
        return show(
            request,
            "snapshot.html",
            snapshot=found,
            manifest=manifest,
            funnel=pictures.funnel(manifest),
            rows=stage_rows(manifest),
            drops=_by_stage(manifest.get("drops", [])),
            worth={row["origin"]: row for row in manifest.get("inputs_by_origin", [])},
            splits=splits(found),
            recipe_yaml=yaml.safe_dump(manifest.get("recipe", {}), sort_keys=False, allow_unicode=True),
            command=_command(published.store, found.prefix),
        )

    @app.get("/{recipe}/{version}/samples")
    def samples(
        request: Request,
        recipe: str,
        version: str,
        split: str = Query("", max_length=40),
        after: str = Query("", pattern="^[0-9a-f]{0,64}$"),
        name: str = Query("", max_length=100),
    ) -> HTMLResponse:
        found = published.snapshot(recipe, version)
        rows = published.samples(found, split, after, name, PAGE + 1)
        return show(
            request,
            "samples.html",
            snapshot=found,
            splits=splits(found),
            samples=rows[:PAGE],
            more=rows[PAGE - 1]["sample_id"] if len(rows) > PAGE else None,
            split=split,
            after=after,
            name=name,
        )

    @app.get("/{recipe}/{version}/samples/{sample_id}")
    def sample(request: Request, recipe: str, version: str, sample_id: SampleId) -> HTMLResponse:
        found = published.snapshot(recipe, version)
        return show(request, "sample.html", snapshot=found, sample=published.facts(found, sample_id))

    @app.get("/{recipe}/{version}/samples/{sample_id}/content")
    def content(request: Request, recipe: str, version: str, sample_id: SampleId) -> HTMLResponse:
        found = published.snapshot(recipe, version)
        return show(request, "content.html", sample=published.sample(found, sample_id))

    @app.get("/{recipe}/{version}/leaderboard")
    def leaderboard(request: Request, recipe: str, version: str) -> HTMLResponse:
        found = published.snapshot(recipe, version)
        evaluations = published.evaluations(found)
        best = evaluations[:_COMPARED]
        kinds = dict.fromkeys(group["group"] for one in best for group in one.report["groups"])
        return show(
            request,
            "leaderboard.html",
            snapshot=found,
            evaluations=evaluations,
            pictured=min(len(evaluations), _PICTURED),
            compared=len(best),
            pictures=[_pass_at_k(evaluations[:_PICTURED]), _shown_and_hidden(evaluations[:_PICTURED])],
            groups=[_by_group(best, kind) for kind in kinds],
        )

    @app.get("/{recipe}/{version}/leaderboard/difficulty")
    def difficulty(request: Request, recipe: str, version: str) -> HTMLResponse:
        found = published.snapshot(recipe, version)
        best = published.evaluations(found)[:_COMPARED]
        rows = published.by_difficulty(found, best) if best else []
        cells = {(row["evaluation"], row["band"]): row for row in rows}
        return show(request, "difficulty.html", evaluations=best, bands=_BANDS, cells=cells)

    @app.exception_handler(404)
    def missing(request: Request, _error: HTTPException) -> Response:
        return JSONResponse({"detail": "Not Found"}, 404, headers=_HEADERS)

    return app


@cache
def _asset(name: str) -> bytes:
    return (files(__package__) / "templates" / name).read_bytes()


@cache
def _templates() -> Environment:
    """Every value that a template prints is escaped; a name that it is not given is an error."""
    environment = Environment(
        loader=PackageLoader(__package__),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    filters: dict[str, Callable[..., Any]] = {
        "count": _count,
        "share": lambda value: "-" if value is None else f"{100 * value:.0f} %",
        "percent": lambda value: f"{100 * value:.1f} %",
        "usd": lambda value: f"${value or 0:,.2f}",
        "segment": lambda text: quote(str(text), safe=""),
        "query": urlencode,
        "web": web_address,
    }
    environment.filters |= filters
    environment.globals["signed"] = lambda value: "±0" if not value else f"{value:+,}"
    return environment


def _count(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,.0f}" if value == int(value) else f"{value:,.2f}"


def web_address(url: str | None) -> str | None:
    """The address where it is one that a browser may be sent to, else None.

    >>> web_address("https://example.org/a"), web_address("javascript:alert(1)"), web_address(None)
    ('https://example.org/a', None, None)
    """
    try:
        parsed = urlsplit(url or "")
    except ValueError:
        return None
    return url if parsed.scheme in ("http", "https") and parsed.netloc else None


def _growth(nights: list[Night]) -> pictures.Chart:
    return pictures.chart("Samples", "samples", [(night.date, {"samples": night.samples}) for night in nights])


def _by_origin(nights: list[Night], column: str) -> pictures.Chart:
    values = [(n.date, {str(c["origin"]): float(c[column] or 0) for c in n.record.get("cost", [])}) for n in nights]
    return pictures.chart("Inputs in force, by origin", column, values)


def _paid(nights: list[Night]) -> pictures.Chart:
    """What the inputs of each night cost: dollars where any were paid, else tokens."""
    costs = [(night.date, night.record.get("cost", [])) for night in nights]
    in_dollars = any(row["cost_usd"] for _, cost in costs for row in cost)

    def price(row: dict[str, Any]) -> float:
        paid = row["cost_usd"] if in_dollars else (row["tokens_in"] or 0) + (row["tokens_out"] or 0)
        return float(paid or 0)

    values = [(date, {str(row["origin"]): price(row) for row in cost}) for date, cost in costs]
    unit = "US dollars" if in_dollars else "tokens"
    return pictures.chart("Cost of the inputs in force, by origin", unit, values)


def _called(one: Evaluated) -> str:
    """The model, and what of an evaluation is not as usual."""
    unusual = [one.row["split"]] if one.row["split"] != "test" else []
    unusual += [one.row["view"]] if one.row["view"] != "relaxed" else []
    unusual += ["names hidden"] if one.row["names"] == "hidden" else []
    return f"{one.row['model']} ({', '.join(unusual)})" if unusual else str(one.row["model"])


def _pass_at_k(evaluations: list[Evaluated]) -> pictures.Intervals:
    rows = [(_called(one), [(f"pass@{e['k']}", e) for e in one.report["pass"]]) for one in evaluations]
    return pictures.intervals("Solved: all cases right, shown and hidden", rows)


def _shown_and_hidden(evaluations: list[Evaluated]) -> pictures.Intervals:
    kinds = (("shown cases", "pass_shown"), ("hidden cases", "pass_hidden"))
    rows = [(_called(one), [(name, one.report[column][0]) for name, column in kinds]) for one in evaluations]
    return pictures.intervals("Right on shown cases, and on hidden ones (pass@1)", rows)


def _by_group(evaluations: list[Evaluated], kind: str) -> pictures.Intervals:
    """pass@1 of some evaluations on the groups of one kind that have most samples."""
    names = _names(evaluations)
    found: dict[str, list[tuple[str, dict[str, Any]]]] = {}
    tasks: dict[str, int] = {}
    for name, one in zip(names, evaluations, strict=True):
        for group in one.report["groups"]:
            if group["group"] == kind:
                found.setdefault(group["name"], []).append((name, group))
                tasks[group["name"]] = max(group["tasks"], tasks.get(group["name"], 0))
    most = sorted(sorted(found, key=lambda name: -tasks[name])[:_GROUPS])
    rows = [(f"{name} · {tasks[name]:,}", found[name]) for name in most]
    return pictures.intervals(_KINDS.get(kind, kind), rows)


def _names(evaluations: list[Evaluated]) -> list[str]:
    """What each is called, with its place where another is called the same."""
    called = [_called(one) for one in evaluations]
    return [f"{place}. {name}" if called.count(name) > 1 else name for place, name in enumerate(called, 1)]


def _by_stage(drops: list[dict[str, Any]]) -> list[tuple[str, int, list[dict[str, Any]]]]:
    """Stage, number of drops, and the drops, the most frequent first."""
    stages: dict[str, list[dict[str, Any]]] = {}
    for drop in drops:
        stages.setdefault(drop["stage"], []).append(drop)
    return [
        (stage, sum(row["dropped"] for row in rows), sorted(rows, key=lambda row: -row["dropped"]))
        for stage, rows in stages.items()
    ]


def _drops(manifest: dict[str, Any]) -> dict[str, int]:
    return {f"{row['stage']}: {row['rule']}": row["dropped"] for row in manifest.get("drops", [])}


def _side_by_side(old: dict[str, int], new: dict[str, int]) -> list[tuple[str, int, int]]:
    """(name, old, new) of everything that either has, in the order of the new one."""
    return [(name, old.get(name, 0), new.get(name, 0)) for name in dict.fromkeys([*new, *old])]


def _changed_settings(old: dict[str, Any], new: dict[str, Any]) -> list[tuple[str, str, str]]:
    """(name, old, new) of what differs in the recipe or in what built the snapshots."""
    names = ("case2code", "git_commit", "python_version", "isolation")
    sides = [
        {name: manifest.get(name) for name in names}
        | {f"recipe: {name}": setting for name, setting in manifest.get("recipe", {}).items()}
        for manifest in (old, new)
    ]
    return [
        (name, _compact(sides[0].get(name)), _compact(sides[1].get(name)))
        for name in dict.fromkeys([*sides[1], *sides[0]])
        if sides[0].get(name) != sides[1].get(name)
    ]


def _compact(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _command(store: Store, prefix: str) -> str:
    """What to paste into DuckDB. Keys are never in it: DuckDB finds its own."""
    options = "TYPE s3, PROVIDER credential_chain"
    if store.access.endpoint_url:
        address = urlsplit(store.access.endpoint_url)
        options += f", ENDPOINT {database.literal(address.netloc)}, URL_STYLE 'path'"
        options += f", USE_SSL {str(address.scheme == 'https').lower()}"
    data = database.literal(store.uri(f"{prefix}/data/*.parquet"))
    return (
        f"INSTALL httpfs; LOAD httpfs;\nCREATE SECRET ({options});\n"
        f"SELECT split, count(*) AS samples, count(DISTINCT repository) AS repositories\n"
        f"FROM read_parquet({data})\nGROUP BY split;"
    )
