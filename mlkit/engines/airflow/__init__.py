"""Airflow 3: one DAG file, with one task for each stage."""
