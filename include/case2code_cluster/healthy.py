"""`python -m case2code_cluster.healthy scheduler`: whether the API server calls a part of Airflow healthy.

One HTTP request with the standard library: `airflow jobs check` loads all of Airflow for each look.
"""

import json
import os
import sys
import urllib.request
from urllib.parse import urljoin


def is_healthy(part: str, execution_api: str) -> bool:
    """Whether the Airflow at this address has a healthy `part`."""
    with urllib.request.urlopen(urljoin(execution_api, "/api/v2/monitor/health"), timeout=15) as answer:  # noqa: S310
        found: bool = json.load(answer)[part]["status"] == "healthy"
    return found


if __name__ == "__main__":
    sys.exit(not is_healthy(sys.argv[1], os.environ["AIRFLOW__CORE__EXECUTION_API_SERVER_URL"]))
