"""The command line, one thin file a command: what it is for, its options, an example; the work is in vlmkit."""
