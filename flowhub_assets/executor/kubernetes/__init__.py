"""Heavy steps as Kubernetes Jobs: made, watched, followed, taken away. Imported only where there is a cluster."""
