"""CloudWatch Logs Insights queries.

`grammar.lark` is the language, `parsing` makes a tree of a query or says where it is not one,
`language` lists functions and fields, and `faults` judges the tree.
"""

from tenantmetrics.console.checks.logsinsights.faults import log_query_faults, view_fault
from tenantmetrics.console.checks.logsinsights.language import EMF_FIELDS, MAX_CHARS

__all__ = ["EMF_FIELDS", "MAX_CHARS", "log_query_faults", "view_fault"]
