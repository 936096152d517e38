"""Pipelines written in Python: @task, @flow, and the command line of a workflow script."""
