"""Typed node kinds: the SDK, the registry, and what a pipeline file can name without installing anything."""
