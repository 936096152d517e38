"""The second, optional code location: folders of legacy Airflow DAGs as Dagster jobs, by dagster-airflow.

It lives in the environment of Airflow 2.11 alone (see deploy/workspace-airflow.yaml), so of ours it imports only the
errors and the red assets of files that do not load. What a DAG does otherwise in Dagster than in Airflow stands in its
job's description and is warned of.
"""
