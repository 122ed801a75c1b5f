"""The monthly report as a job: a Lambda handler, and the stack that runs it on the third.

AWS closes a month's bill in its first days, so the third finds most months final; one that is not
says DRAFT and can be made again with the event `{"month": "2026-10"}`.
"""

from tenantmetrics.scheduled.job import handler
from tenantmetrics.scheduled.stack import template

__all__ = ["handler", "template"]
