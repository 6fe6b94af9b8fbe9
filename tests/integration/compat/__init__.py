"""The same requests and configurations to two programs, and what differs."""
