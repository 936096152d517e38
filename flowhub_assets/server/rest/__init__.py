"""HTTP: FastAPI. One file for each group of paths."""
