"""Serving a registered model: a BentoML service, the front before it, and the switch from one version to the next.

bento       the service of one version as a folder of files, with all that it needs
service     what runs inside BentoML: /predict, its checks, its counters
processes   servers that outlive the step that starts them, and how all of one are found and ended
front       the one address that callers know: forwards, splits between versions, counts
golden      rows whose answers are known from the model in MLflow
switching   old to new, and back where anything fails
traffic     what the counters say of the last while, for checks
compose     the same service as several containers behind nginx
"""
