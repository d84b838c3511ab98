"""The commands, one file each: declaration and body."""
