"""What else a cluster is called on a bill: its resource id, its instances."""

from __future__ import annotations

import json
import os
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tenantmetrics.cost.bill.model import BillFilter, pattern_of
from tenantmetrics.cost.cells import read_rows
from tenantmetrics.errors import ReportError, why_unreadable

__all__ = [
    "ClusterNames",
    "Reference",
    "account_of",
    "read_clusters",
    "same_name",
    "short",
]

_PARTS = 7
_ACCOUNT, _KIND, _NAME = 4, 5, 6
"""Where an ARN has them: arn:aws:rds:REGION:ACCOUNT:cluster:NAME."""


def _part(arn: str, place: int) -> str:
    parts = arn.split(":")
    return parts[place] if parts[0] == "arn" and len(parts) >= _PARTS else ""


def account_of(arn: str) -> str:
    """The account in a cluster's ARN; "" where it is none."""
    return _part(arn, _ACCOUNT)


def short(resource: str) -> str:
    """A resource's own name: what an ARN ends in."""
    return _part(resource, _NAME) or resource


def same_name(one: str, other: str) -> bool:
    """Whether two clusters have one name, in any case; a resource id is no name in capitals."""
    names = short(one), short(other)
    if any(Reference.of(name).is_id for name in names):
        return names[0] == names[1]
    return names[0].lower() == names[1].lower()


@dataclass(frozen=True, slots=True)
class Reference:
    """What a resource of a bill refers to.

    Attributes:
        name: Its own name.
        is_cluster: It is a cluster, by name or resource id, and not an instance of one.
        is_id: It is a resource id, which no name tells.
    """

    name: str
    is_cluster: bool
    is_id: bool

    @classmethod
    def of(cls, resource: str) -> Reference:
        """Read a resource: an ARN, or a bare name."""
        name = short(resource)
        kind = _part(resource, _KIND)
        # A resource id is `cluster-` and capitals (RDS API, DbClusterResourceId).
        is_id = re.fullmatch(r"cluster-[A-Z0-9]+", name) is not None
        return cls(name, kind == "cluster" or (is_id and not kind), is_id)


@dataclass(frozen=True, slots=True)
class ClusterNames:
    """Clusters by what else they are called.

    Attributes:
        aliases: Name or ARN of a cluster, by resource id and by instance.
    """

    aliases: Mapping[str, str] = field(default_factory=dict)
    _lowered: Mapping[str, str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        lowered: dict[str, dict[str, str]] = defaultdict(dict)
        for name, cluster in self.aliases.items():
            if not Reference.of(name).is_id:
                its_own = cluster if Reference.of(cluster).is_id else cluster.lower()
                lowered[name.lower()][its_own] = cluster
        # What two clusters are called but for the case names neither.
        one = {name: min(of.values()) for name, of in lowered.items() if len(of) == 1}
        object.__setattr__(self, "_lowered", one)

    def cluster_of(self, resource: str) -> str:
        """The cluster that a resource belongs to; "" where that is not known.

        A name in another case is the same one, where no other is written as the resource is, and
        where it is one cluster's; a resource id has one case.
        """
        names = (resource, short(resource))
        found = next((self.aliases[name] for name in names if self.aliases.get(name)), "")
        if found or Reference.of(resource).is_id:
            return found
        return next((self._lowered[low] for n in names if (low := n.lower()) in self._lowered), "")

    def widened(self, only: BillFilter | None) -> BillFilter | None:
        """A filter by a cluster's name, with what else it is called."""
        if only is None or not only.cluster:
            return only
        pattern = re.compile(pattern_of(only.cluster))
        more = tuple(
            alias
            for alias, cluster in sorted(self.aliases.items())
            if pattern.fullmatch(cluster) or pattern.fullmatch(short(cluster))
        )
        return replace(only, resources=more)


def read_clusters(path: str | os.PathLike[str]) -> ClusterNames:
    """Clusters from the answer of `aws rds describe-db-clusters`, or a CSV of cluster, resource.

    Raises:
        ReportError: The file cannot be read, is neither, or gives a resource to two clusters.
    """
    aliases: dict[str, str] = {}
    for resource, cluster in _pairs(Path(path)):
        known = aliases.setdefault(resource, cluster)
        if known != cluster:
            raise ReportError(
                f"{os.fspath(path)!r}: {resource!r} is of {known!r} and of {cluster!r}"
            )
    return ClusterNames(aliases)


def _pairs(path: Path) -> Iterator[tuple[str, str]]:
    if path.suffix.lower() != ".json":
        for row in read_rows(path, ("cluster", "resource")):
            cluster, resource = row["cluster"].named("a name"), row["resource"].named("a name")
            yield resource.text.strip(), cluster.text.strip()
        return
    try:
        data: Any = json.loads(path.read_text("utf-8"))
        for cluster in data["DBClusters"]:
            arn = _text(cluster["DBClusterArn"])
            yield _text(cluster["DbClusterResourceId"]), arn
            for member in cluster.get("DBClusterMembers", ()):
                yield _text(member["DBInstanceIdentifier"]), arn
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ReportError(f"{str(path)!r} cannot be read: {why_unreadable(error)}") from None
    except (KeyError, TypeError, AttributeError):
        raise ReportError(
            f"{str(path)!r} is no answer of describe-db-clusters: DBClusters with DBClusterArn and "
            "DbClusterResourceId are missing"
        ) from None


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise TypeError(value)
    return value
