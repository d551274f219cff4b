"""The Case2Code page where its users meet it: in the navigation of the real Airflow UI, behind its login."""

import pytest
import requests
from playwright.sync_api import Page, expect

from case2code.store import Store
from case2code_embedded.airflow_server import AirflowClient
from case2code_embedded.stack import Stack
from tests.e2e.conftest import DAYS
from tests.e2e.test_refresh import wait_for

pytestmark = pytest.mark.stack


def test_it_asks_for_the_login_of_airflow(stack: Stack, client: AirflowClient) -> None:
    answer = requests.get(f"{stack.ui}/case2code/", timeout=120)
    assert answer.status_code == 401
    assert '<a class="button" href="/" target="_top">Log in</a>' in answer.text
    assert client.session.get(f"{stack.ui}/case2code/", timeout=120).status_code == 200


def test_it_is_in_the_navigation_and_shows_the_published_snapshot(
    stack: Stack, client: AirflowClient, store: Store, page: Page
) -> None:
    assert wait_for(client, f"make_run__{DAYS[3]:%Y-%m-%d}")["state"] == "success"
    version = store.read_json("snapshots/first/latest.json")["version"]
    page.get_by_role("link", name="Case2Code", exact=True).click()
    frame = page.frame_locator("iframe")
    frame.get_by_role("link", name=version).first.click()
    expect(frame.get_by_role("img", name="Funnel: 1 repositories")).to_be_visible()
    frame.get_by_role("link", name="Browse samples").click()
    frame.locator("tbody th a").first.click()
    expect(frame.get_by_role("heading", name="Shown in the prompt")).to_be_visible()
