"""The doors through which runs are started from outside: HTTP, webhooks, gRPC, the command line. All end in runs.py."""
