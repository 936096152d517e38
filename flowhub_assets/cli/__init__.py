"""The ``flowhub`` command."""
