"""The engine as a child process: JSON-RPC 2.0 on its standard input and output, a line each way."""
