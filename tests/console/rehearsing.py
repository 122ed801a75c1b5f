"""Alarms rehearsed for tests: the settings, and what fired."""

from tenantmetrics.console.alarm import resolve
from tenantmetrics.console.alarms import ALARMS
from tenantmetrics.console.parameters import PARAMETERS
from tenantmetrics.console.rehearsal.evaluate import rehearse

__all__ = ["START_S", "fired", "values"]

START_S = 1_795_176_000  # 2026-11-20 12:00 UTC


def values(**given):
    topics = {"PageTopicArn": "page", "NotifyTopicArn": "notify", "DetailedMetrics": "true"}
    return resolve(PARAMETERS, {**topics, **given})


def fired(store, **given):
    """(minute, alarm, who) of every firing."""
    found = rehearse(ALARMS, store, values(**given))
    return [((one.from_s - store.start_s) // 60, one.alarm, one.who) for one in found.firings]
