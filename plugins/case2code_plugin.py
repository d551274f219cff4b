"""The Case2Code page in the navigation of the Airflow UI, behind its login."""

from typing import Any

from airflow.plugins_manager import AirflowPlugin


async def page(scope: Any, receive: Any, send: Any) -> None:
    """The page, made at its first request: every process of Airflow reads this file, the API server alone needs it."""
    from case2code_airflow.page import app

    await app()(scope, receive, send)


class Case2CodePlugin(AirflowPlugin):
    name = "case2code"
    fastapi_apps = [{"app": page, "url_prefix": "/case2code", "name": "Case2Code"}]  # noqa: RUF012
    external_views = [  # noqa: RUF012
        {"name": "Case2Code", "href": "/case2code/", "destination": "nav", "url_route": "case2code"}
    ]
