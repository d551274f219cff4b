"""Case2Code: turn real programs into "from these cases, recover the program" data.

The domain of the project, in plain Python: it never imports Airflow (import-linter proves it).
A stage is one module, one function and one task of one name; `plan_day` begins and `publish_snapshot` ends.
"""

__version__ = "0.1.0"
