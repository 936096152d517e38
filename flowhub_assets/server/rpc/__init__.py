"""gRPC: flowhub.v1 and the typed services of flows."""
