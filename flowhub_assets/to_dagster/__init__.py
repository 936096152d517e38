"""A pipeline → Dagster: assets, ops, jobs, schedules, sensors, and the repository that loads them lazily."""
