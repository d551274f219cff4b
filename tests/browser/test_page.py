"""The Case2Code page in a real browser: what it shows is what is stored, and nothing in there runs."""

import re
from typing import Any

import pytest
import requests
from playwright.sync_api import Browser, Page, expect

from case2code import database
from case2code.evaluation import leaderboard_key
from case2code.publish_evaluation import read_leaderboard
from case2code.snapshot import open_snapshot
from case2code_page.app import PAGE, create_app
from tests.browser.conftest import EVALUATIONS, HOSTILE, LOGIN, MANY, Served

COOKIE = {LOGIN["name"]: LOGIN["value"]}


def stored(served: Served, name: str = "tiny/latest") -> list[dict[str, Any]]:
    """All samples of a snapshot."""
    keys = open_snapshot(served.store, name).data_keys()
    return [row for key in keys for row in served.store.read_table(key).to_pylist()]


# The door


def routes(served: Served) -> list[str]:
    app = create_app(lambda: served.store, lambda: None)
    known = {"recipe": "tiny", "version": "latest", "sample_id": "0", "name": "style.css"}
    return [re.sub(r"\{(\w+)\}", lambda found: known[found[1]], route.path) for route in app.routes]


def test_every_route_asks_for_the_login(served: Served):
    assert len(routes(served)) >= 8
    assert "/tiny/latest/leaderboard" in routes(served)
    for path in [*routes(served), "/tiny/differences/samples?old=latest&new=latest"]:
        assert requests.get(served.url + path, timeout=120).status_code == 401, path


def test_nothing_can_be_changed(served: Served):
    before = served.store.tags("")
    for path in routes(served):
        for method in ("POST", "PUT", "PATCH", "DELETE"):
            answer = requests.request(method, served.url + path, cookies=COOKIE, timeout=120)
            assert answer.status_code == 405, (method, path)
    assert served.store.tags("") == before


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/nothing", 404),
        ("/tiny/2026-03-01-000000000000", 404),
        ("/tiny/..%2f..%2fkeys", 404),
        ("/tiny/latest/samples/0123", 404),
        ("/tiny/latest/samples/0123/content", 404),
        ("/tiny/2026-03-01-000000000000/leaderboard", 404),
        ("/tiny/..%2f..%2fkeys/leaderboard/difficulty", 404),
        ("/tiny/latest/samples/' OR 1=1 --", 422),
        ("/tiny/latest/samples?after=' OR 1=1 --", 422),
        ("/tiny/differences?old=latest&new=<script>", 404),
        ("/_/../app.py", 404),
        ("/openapi.json", 404),
    ],
)
def test_what_does_not_exist_is_said_in_words(served: Served, path: str, status: int):
    answer = requests.get(served.url + path, cookies=COOKIE, timeout=120)
    assert answer.status_code == status
    if "%2f" not in path:  # that is another folder, whose server has no page
        assert "<h1>This cannot be shown</h1>" in answer.text
    assert "<script>alert" not in answer.text
    assert "Traceback" not in answer.text


def test_a_browser_is_told_to_load_nothing_from_elsewhere(served: Served):
    for path in ("/", "/tiny/latest", "/tiny/nothing", "/_/page.js"):
        headers = requests.get(served.url + path, cookies=COOKIE, timeout=120).headers
        assert headers["Content-Security-Policy"].startswith("default-src 'none'; style-src 'self'; script-src 'self'")
        assert "frame-ancestors 'self'" in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff"


# What it shows


def test_from_the_overview_to_a_sample_by_clicking(page: Page, served: Served):
    page.goto("/")
    page.get_by_role("link", name="tiny", exact=True).click()
    expect(page.get_by_role("heading", name="tiny")).to_be_visible()
    page.get_by_role("link", name=served.versions["2026-03-02"], exact=True).click()
    page.get_by_role("link", name="Browse samples").click()
    page.get_by_role("link", name="sign", exact=True).click()
    expect(page).to_have_url(re.compile(rf"/tiny/{served.versions['2026-03-02']}/samples/[0-9a-f]+$"))


def test_growth_and_cost_are_pictures_over_all_nights(page: Page):
    page.goto("/tiny")
    expect(page.locator("figure.chart svg[role=img]").first).to_have_attribute(
        "aria-label", "Samples over 2 nights, at most 2 samples"
    )
    expect(page.locator("figure.chart").first.locator("rect")).to_have_count(2)
    row = page.get_by_role("row", name="2026-03-02")
    assert [text.strip() for text in row.get_by_role("cell").all_inner_texts()][1:3] == ["2", "+1"]
    page.goto("/hostile")
    expect(page.get_by_text("US dollars")).to_be_visible()
    expect(page.get_by_text("budget reached: 3 not asked about")).to_be_visible()


def test_the_funnel_of_a_snapshot_is_a_picture_with_its_numbers(page: Page, served: Served):
    page.goto("/tiny/latest")
    manifest = open_snapshot(served.store, "tiny/latest").manifest
    said = ", ".join(f"{row['rows']:,} {row['stage']}" for row in manifest["funnel"])
    picture = page.get_by_role("img", name=f"Funnel: {said}")
    expect(picture.locator("rect.kept")).to_have_count(len(manifest["funnel"]))
    top, bottom = 64, 64 + 150
    for shape in picture.locator("rect.kept, rect.drop[width='68.0']").all():
        y, height = (float(shape.get_attribute(name) or "nan") for name in ("y", "height"))
        assert top <= y <= y + height <= bottom + 0.1
    for drop in manifest["drops"]:
        cells = page.get_by_role("row", include_hidden=True).filter(has=page.locator(f"code:text-is('{drop['rule']}')"))
        expect(cells.filter(has_text=f"{drop['dropped']:,}").first).to_be_attached()


def test_the_copied_command_runs_in_duckdb(browser: Browser, page: Page, served: Served):
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto("/tiny/latest")
    page.get_by_role("button", name="Copy").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert served.store.access.secret not in page.content()
    assert "CREATE SECRET (TYPE s3, PROVIDER credential_chain, ENDPOINT '127.0.0.1:" in copied
    answer = database.connect(served.store).sql(copied[copied.index("SELECT") :])
    assert sum(row[1] for row in answer.fetchall()) == 2


def test_a_sample_shows_its_prompt_program_and_both_kinds_of_cases(page: Page, served: Served):
    (sample,) = [row for row in stored(served) if row["function_name"] == "sign"]
    page.goto(f"/tiny/latest/samples/{sample['sample_id']}")
    for text in (sample["prompt"], sample["code"]):
        expect(page.locator("pre", has_text=text.strip().splitlines()[0]).first).to_contain_text(text.strip())
    for caption, shown in (("Shown in the prompt", True), ("Hidden, to judge the answer", False)):
        group = page.get_by_role("group", name=f"Table of cases: {caption}")
        rows = group.locator("tbody tr").all()
        cases = [case for case in sample["cases"] if case["shown"] is shown]
        assert [row.locator("code").all_inner_texts() for row in rows] == [[c["arguments"], c["value"]] for c in cases]
    assert f"{sample['path']}:{sample['start_line']}" in page.content()


def test_the_sample_browser_shows_every_sample_once(page: Page):
    page.goto("/hostile/latest/samples")
    seen: list[str] = []
    while True:
        links = page.locator("tbody th a").all()
        seen += [(link.get_attribute("href") or "").rpartition("/")[2] for link in links]
        assert len(links) <= PAGE
        following = page.get_by_role("link", name="Next page")
        if following.count() == 0:
            break
        following.click()
        expect(page).to_have_url(re.compile(f"after={seen[-1]}"))
    assert seen == [f"{n:032x}" for n in range(MANY)]
    page.get_by_role("link", name="First page").click()
    expect(page.locator("tbody th a")).to_have_count(PAGE)


def test_samples_are_found_by_split_and_name(page: Page, served: Served):
    page.goto("/tiny/latest/samples")
    (split,) = {row["split"] for row in stored(served)}
    page.get_by_label("Split").select_option(split)
    page.get_by_label("Function's name has").fill("SIG")
    page.get_by_role("button", name="Show").click()
    expect(page.locator("tbody th")).to_have_text(["sign"])
    page.get_by_label("Function's name has").fill("%")
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_text("No sample with such a name.")).to_be_visible()


def test_two_snapshots_are_compared(page: Page, served: Served):
    page.goto("/tiny")
    page.get_by_role("link", name="to the night before").click()
    expect(page.get_by_text("1 added: only in the new one")).to_be_visible()
    expect(page.get_by_text("0 removed")).to_be_visible()
    expect(page.get_by_role("link", name="sign", exact=True)).to_be_visible()
    expect(page.get_by_role("row", name=re.compile("^samples 1 2 \\+1$"))).to_be_visible()
    page.get_by_label("Old").select_option(served.versions["2026-03-02"])
    page.get_by_label("New").select_option(served.versions["2026-03-01"])
    page.get_by_role("button", name="Compare").click()
    expect(page.get_by_text("1 removed: only in the old one")).to_be_visible()


# The leaderboard


def test_from_a_snapshot_to_its_leaderboard_with_what_is_stored(page: Page, served: Served):
    page.goto("/tiny/latest")
    page.get_by_role("link", name="Leaderboard").click()
    board = read_leaderboard(served.store, open_snapshot(served.store, "tiny/latest").name)
    assert sorted(row["names"] for row in board) == ["hidden", "shown"]
    rows = page.get_by_role("group", name="Table of evaluations").locator("tbody tr")
    expect(rows).to_have_count(len(board))
    for number, stored_row in enumerate(board):
        cells = [text.strip() for text in rows.nth(number).locator("th, td").all_inner_texts()]
        assert cells[1] == stored_row["model"]
        assert f"names {stored_row['names']}" in cells[2]
        wanted = [f"{100 * stored_row[name]:.1f} %" for name in ("pass_at_1", "pass_shown_at_1", "pass_hidden_at_1")]
        assert [cells[5], cells[8], cells[9]] == wanted
        assert cells[6] == f"{100 * stored_row['low']:.1f} % to {100 * stored_row['high']:.1f} %"
    expect(page.get_by_text("Baselines tell nothing of difficulty")).to_be_visible()
    expect(page.get_by_text("solved").first).to_be_visible()


def test_its_pictures_have_a_dot_within_each_interval(page: Page, served: Served):
    page.goto("/tiny/latest/leaderboard")
    names = (
        "Solved: all cases right",
        "Right on shown cases",
        "Length",
        "Complexity",
        "Licence",
        "Origin of the inputs",
    )
    for name in names:
        picture = page.get_by_role("img", name=re.compile(f"^{name}"))
        marks = picture.locator("g").all()
        assert marks, name
        for mark in marks:
            line, dot = mark.locator("rect"), mark.locator("circle")
            left, width = (float(line.get_attribute(key) or "nan") for key in ("x", "width"))
            assert left <= float(dot.get_attribute("cx") or "nan") <= left + width + 0.01
    solved = page.get_by_role("img", name=re.compile("^Solved"))
    said = solved.locator("g title").first.text_content() or ""
    assert re.fullmatch(r"baseline:search.*, pass@1: [\d.]+ % of \d+, [\d.]+ % to [\d.]+ % with 95 % confidence", said)


def test_many_evaluations_are_all_in_the_table_and_the_best_in_the_pictures(page: Page):
    page.goto("/hostile/latest/leaderboard")
    expect(page.get_by_role("group", name="Table of evaluations").locator("tbody tr")).to_have_count(EVALUATIONS)
    solved = page.get_by_role("img", name=re.compile("^Solved"))
    expect(solved.locator("g")).to_have_count(2 * 12)  # pass@1 and pass@5 of the best twelve
    expect(page.get_by_role("img", name=re.compile("^Licence")).locator("g")).to_have_count(6 * 10)
    table = page.locator("table", has=page.locator("caption", has_text="pass@1 by difficulty"))
    expect(table.locator("tbody tr")).to_have_count(6)
    cells = table.locator("tbody tr").first.get_by_role("cell").all_inner_texts()
    assert [cell.strip() for cell in cells] == ["100.0 % of 1", "50.0 % of 1", "0.0 % of 1"]


def test_a_snapshot_without_an_evaluation_says_how_to_start_one(page: Page, served: Served):
    page.goto(f"/tiny/{served.versions['2026-03-01']}/leaderboard")
    said = f"Start the DAG case2code_evaluate with the snapshot tiny/{served.versions['2026-03-01']}"
    expect(page.get_by_text(said)).to_be_visible()
    expect(page.locator("svg")).to_have_count(0)


def test_an_evaluation_that_is_published_later_is_there_at_the_next_look(page: Page, served: Served):
    key = leaderboard_key(open_snapshot(served.store, "hostile/latest").name)
    table = served.store.read_table(key)
    page.goto("/hostile/latest/leaderboard")
    rows = page.get_by_role("group", name="Table of evaluations").locator("tbody tr")
    expect(rows).to_have_count(EVALUATIONS)
    served.store.write_table(key, table.slice(1))
    try:
        page.reload()
        expect(rows).to_have_count(EVALUATIONS - 1)
    finally:
        served.store.write_table(key, table)


# Hostile text


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/hostile",
        "/hostile/latest",
        "/hostile/latest/samples",
        "/hostile/latest/samples/" + f"{0:032x}",
        "/hostile/differences",
        "/hostile/latest/leaderboard",
        f"/hostile/latest/samples?name={HOSTILE.replace('#', '%23')}",
    ],
)
def test_hostile_text_is_shown_as_text(page: Page, path: str):
    page.goto(path)
    page.locator("details:not([open])").evaluate_all("all => all.forEach(one => { one.open = true; })")
    page.wait_for_load_state("networkidle")
    assert page.evaluate("window.pwned") is None
    assert page.locator("script").count() == 1  # the page's own
    assert page.locator("main img, main [onerror], main [style]").count() == 0
    assert page.locator("[data-fragment] [role=status]").count() == 0
    assert "49" not in page.locator("h1").first.inner_text()
    if path.startswith("/hostile/latest/samples/"):
        assert page.locator("h1").inner_text().startswith(HOSTILE)


def test_only_web_addresses_become_links(page: Page):
    for number, linked in ((0, False), (1, False), (2, True)):
        page.goto(f"/hostile/latest/samples/{number:032x}")
        links = page.locator("#source[href]")
        expect(links).to_have_count(int(linked))
        if linked:
            assert (links.get_attribute("href") or "").startswith("https://example.org/?")
            assert links.get_attribute("rel") == "noopener noreferrer"


# How it looks


def background(page: Page) -> str:
    found: str = page.evaluate("getComputedStyle(document.body).backgroundColor")
    return found


def test_it_is_light_or_dark_as_the_system_or_airflow_says(page: Page):
    page.emulate_media(color_scheme="light")
    page.goto("/")
    light = background(page)
    page.emulate_media(color_scheme="dark")
    dark = background(page)
    assert light != dark
    page.evaluate("localStorage.setItem('theme', 'light')")  # where the UI of Airflow keeps what its user chose
    page.reload()
    expect(page.locator("html")).to_have_attribute("data-theme", "light")
    assert background(page) == light


def test_it_can_be_used_with_the_keyboard_alone(page: Page):
    page.goto("/tiny")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent") == "to the night before":
            break
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Differences")).to_be_visible()


@pytest.mark.parametrize(
    "path",
    ["/", "/tiny", "/tiny/latest", "/hostile/latest/samples", "/tiny/differences", "/hostile/latest/leaderboard"],
)
def test_a_narrow_window_scrolls_down_only(page: Page, path: str):
    page.set_viewport_size({"width": 390, "height": 800})
    page.goto(path)
    page.wait_for_load_state("networkidle")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
