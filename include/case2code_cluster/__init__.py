"""What the production-like stack of `docker-compose.yaml` needs beside Airflow: keys, a bucket, health checks."""
