"""What ``flowhub deploy check`` looks at: the files of deploy/, rendered as a cluster would get them, without one."""
