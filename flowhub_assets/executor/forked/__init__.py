"""Run workers on one machine: forks of a process that has imported what runs need."""
