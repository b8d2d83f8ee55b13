"""The tests: real servers, real processes, real sockets."""
