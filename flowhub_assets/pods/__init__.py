"""What travels to a task's pod: its code and pipeline in ConfigMaps, its manifest, no secret. It starts nothing."""
