"""The Case2Code page: published snapshots to look at, in the Airflow UI. It never writes, and knows no Airflow."""
