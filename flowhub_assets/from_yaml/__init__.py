"""YAML and JSON pipelines → ir.Pipeline, with the place of every value."""
