"""Databases of nodes: clients that are kept, values as JSON, errors told without passwords."""
