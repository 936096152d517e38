"""Any pipeline → one Airflow DAG file and one ConfigMap file, for clusters that cannot install this package."""
