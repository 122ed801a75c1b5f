"""The destinations of this package: each file's `DESTINATION` is one, and its name is the file's.

The files are light. What sends (botocore, EMF's library, OpenTelemetry, pyarrow) is imported when a
destination is made.
"""
