"""The Case2Code page with Airflow's store and Airflow's login."""

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fastapi import FastAPI


@cache
def app() -> "FastAPI":
    """The page, made once for each process."""
    from airflow.api_fastapi.core_api.security import get_user

    from case2code_airflow.connections import open_store
    from case2code_page.app import create_app

    return create_app(open_store, get_user)
