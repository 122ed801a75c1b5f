"""The RDS Data API's wire, once: what its operations are called, and how its bodies are read.

Needs no extra, and imports neither the local endpoint nor a database driver.
"""
