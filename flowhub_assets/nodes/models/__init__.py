"""Calls to language models behind an OpenAI-compatible server."""
