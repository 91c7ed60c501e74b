"""The embedded AWS of this machine: a ministack process, its front door, and the commands that hold it."""
