"""The monthly report as a job: a Lambda handler, and the stack that runs it on the third.

AWS closes a month's bill in its first days. The schedule runs every day from the third on: a month
whose bill is still open says DRAFT and is made again the next day, until it is final; then the
schedule does nothing more. `{"month": "2026-10"}` makes a month again whatever it was.
"""

from tenantmetrics.scheduled.job import handler
from tenantmetrics.scheduled.stack import template

__all__ = ["handler", "template"]
