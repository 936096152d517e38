"""The built-in node kinds, one file for each."""
