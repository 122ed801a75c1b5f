"""`tenantmetrics alarms`: the alarms, deploying them, and rehearsing them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from tenantmetrics.cli.aws_options import Region
from tenantmetrics.cli.parameters import pairs
from tenantmetrics.errors import ConsoleError

__all__ = ["alarms"]

_EXIT_DIFFERS = 3

alarms = typer.Typer(
    name="alarms",
    help="List, check, rehearse, deploy and remove CloudWatch alarms.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)

StackName = Annotated[str, typer.Option("--stack", help="Name of the CloudFormation stack.")]
Namespace = Annotated[str | None, typer.Option(help="CloudWatch namespace of the metrics.")]
Cluster = Annotated[str | None, typer.Option(help="DBClusterIdentifier of the cluster.")]
Prefix = Annotated[str | None, typer.Option(help="What the alarms' names begin with.")]
PageTopic = Annotated[str | None, typer.Option(help="ARN of the SNS topic that pages somebody.")]
NotifyTopic = Annotated[
    str | None, typer.Option(help="ARN of the SNS topic for the rest. [default: --page-topic]")
]
Also = Annotated[
    list[str] | None, typer.Option(help="Another namespace that may be used; may be repeated.")
]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", help="A parameter, such as LatencyMs=300; may be repeated."),
]
UndoFile = Annotated[Path, typer.Option(help="File that keeps what was there before.")]

_UNDO = Path("tenantmetrics-undo-alarms.json")


@alarms.command("list")
def list_() -> None:
    """List the alarms: action, periods, what each needs.

    After the name: whether it wakes somebody, after how many of how many periods, and what a
    deployment must give for it to exist.
    """
    from tenantmetrics.console.alarms import ALARMS

    for alarm in ALARMS:
        when = (
            "rule" if alarm.rule else f"{alarm.datapoints} of {alarm.periods} x {alarm.period_s} s"
        )
        if alarm.promql:
            when = f"PromQL, {alarm.pending_s} s"
        typer.echo(f"{alarm.id}\t{alarm.severity}\t{when}\t{alarm.needs or 'always'}")


@alarms.command()
def show(
    name: Annotated[
        str | None, typer.Argument(help="Such as fleet-error-rate. [default: the whole template]")
    ] = None,
    set_: Set = None,
) -> None:
    """Print an alarm with its runbook, or the template."""
    from tenantmetrics.console import cloudformation
    from tenantmetrics.console.alarm import resolve
    from tenantmetrics.console.alarms import ALARMS
    from tenantmetrics.console.parameters import PARAMETERS

    if name is None:
        typer.echo(cloudformation.committed(), nl=False)
        return
    values = {"PageTopicArn": "PAGE", "NotifyTopicArn": "NOTIFY", **_values(set_)}
    for alarm in ALARMS:
        if alarm.id == name:
            break
    else:
        raise ConsoleError(f"there is no alarm {name!r}: tenantmetrics alarms list names them")
    filled = alarm.filled(resolve(PARAMETERS, values))
    for what, text in (("means", filled.means), ("look", filled.look), ("do", filled.do)):
        typer.echo(f"{what + ':':<7} {text}")
    for query in filled.queries:
        text = query.expression or f"{query.stat} of {query.namespace}/{query.metric}"
        typer.echo(f"{query.id + ':':<7} {text}{'  <- watched' if query.returned else ''}")
    typer.echo(f"fires:  {_fires(filled)}")


@alarms.command()
def check(
    files: Annotated[
        list[Path] | None, typer.Argument(help="Templates. [default: the committed one]")
    ] = None,
    namespace: Namespace = None,
    also: Also = None,
) -> None:
    """Check the alarms of templates.

    Exit code 0: nothing is wrong. 1: something is, a line each.
    """
    from tenantmetrics.catalog import NAMESPACE
    from tenantmetrics.console.checks.file import check_file
    from tenantmetrics.console.data import folder

    paths = files or [folder("alarms") / "cloudformation.yaml"]
    found = [
        fault for path in paths for fault in check_file(path, namespace or NAMESPACE, also or ())
    ]
    for fault in found:
        typer.echo(str(fault))
    typer.echo(f"{len(paths)} files, {len(found)} faults", err=True)
    raise typer.Exit(int(bool(found)))


@alarms.command()
def deploy(
    *,
    stack: StackName = "tenantmetrics-alarms",
    region: Region = None,
    namespace: Namespace = None,
    cluster: Cluster = None,
    prefix: Prefix = None,
    page_topic: PageTopic = None,
    notify_topic: NotifyTopic = None,
    set_: Set = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would change.")] = False,
    undo_file: UndoFile = _UNDO,
) -> None:
    """Deploy the alarms as one CloudFormation stack.

    By a change set. A parameter that is not given gets its default, even if the stack has another
    value now.
    """
    from tenantmetrics.console import deploy as deploying
    from tenantmetrics.console.aws import clients

    make, _ = clients(region)
    client = make("cloudformation")
    values = _values(
        set_,
        namespace=namespace,
        cluster=cluster,
        prefix=prefix,
        page_topic=page_topic,
        notify_topic=notify_topic,
    )
    before, wanted = deploying.plan(client, stack, values)
    for name, value in wanted.parameters.items():
        if before.template and before.parameters.get(name) != value:
            typer.echo(f"{name}: {before.parameters.get(name)} -> {value}")
    changes = deploying.deploy(client, stack, before, wanted, None if dry_run else undo_file)
    for change in changes:
        typer.echo(f"{'would ' if dry_run else ''}{change.action.lower()} {change.resource}")
    if not changes:
        typer.echo(f"stack {stack} is up to date")


@alarms.command()
def diff(
    *,
    region: Region = None,
    namespace: Namespace = None,
    cluster: Cluster = None,
    prefix: Prefix = None,
    page_topic: PageTopic = None,
    notify_topic: NotifyTopic = None,
    set_: Set = None,
    stack: StackName = "tenantmetrics-alarms",
) -> None:
    """Show which alarms were edited by hand.

    Compares the alarms in CloudWatch with the stack's parameters.

    Exit code 0: nothing. 3: something differs.
    """
    from tenantmetrics.console import deploy as deploying
    from tenantmetrics.console.aws import clients

    make, _ = clients(region)
    deployed = deploying.state(make("cloudformation"), stack)
    given = _values(
        set_,
        namespace=namespace,
        cluster=cluster,
        prefix=prefix,
        page_topic=page_topic,
        notify_topic=notify_topic,
    )
    lines = deploying.differences(make("cloudwatch"), {**deployed.parameters, **given})
    for line in lines:
        typer.echo(line)
    raise typer.Exit(_EXIT_DIFFERS if lines else 0)


@alarms.command()
def remove(
    *,
    stack: StackName = "tenantmetrics-alarms",
    region: Region = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be removed.")] = False,
    undo_file: UndoFile = _UNDO,
) -> None:
    """Remove the alarms: delete their CloudFormation stack.

    `undo` puts them back, as they were deployed.
    """
    from tenantmetrics.console import deploy as deploying
    from tenantmetrics.console.aws import clients

    make, _ = clients(region)
    gone = deploying.remove(make("cloudformation"), stack, None if dry_run else undo_file)
    for name in gone:
        typer.echo(f"{'would remove' if dry_run else 'removed'} {name}")
    if not gone:
        typer.echo(f"there is no stack {stack}")


@alarms.command()
def undo(region: Region = None, undo_file: UndoFile = _UNDO) -> None:
    """Undo the last deploy or remove.

    A second time redoes it.
    """
    from tenantmetrics.console.aws import clients
    from tenantmetrics.console.deploy import restore

    make, _ = clients(region)
    for line in restore(make("cloudformation"), undo_file):
        typer.echo(line)


@alarms.command("test")
def rehearse(
    recording: Annotated[
        Path,
        typer.Argument(help="A ledger's folder, a file of EMF documents, or a scenario (*.toml)."),
    ],
    *,
    set_: Set = None,
    quiet_expected: Annotated[
        bool, typer.Option("--expect-quiet", help="Exit with 3 if anything fires.")
    ] = False,
) -> None:
    """Rehearse the alarms on recorded or described traffic.

    Prints which fires when, and for whom.

    Anomaly bands are a stand-in: CloudWatch's own model is not public.
    """
    from datetime import UTC, datetime

    from tenantmetrics.console.alarm import resolve
    from tenantmetrics.console.alarms import ALARMS
    from tenantmetrics.console.parameters import PARAMETERS
    from tenantmetrics.console.rehearsal.evaluate import rehearse as run
    from tenantmetrics.console.rehearsal.recordings import load

    store = load(recording)
    values = resolve(
        PARAMETERS, {"DetailedMetrics": "true", "OtlpMetrics": "true", **_values(set_)}
    )
    found = run(ALARMS, store, values)

    def clock(moment_s: int) -> str:
        return f"{datetime.fromtimestamp(moment_s, UTC):%Y-%m-%d %H:%M}"

    typer.echo(f"{clock(store.start_s)} to {clock(store.end_s)} UTC", err=True)
    for firing in found.firings:
        who = f"\t{', '.join(firing.who)}" if firing.who else ""
        typer.echo(f"{clock(firing.from_s)}\t{clock(firing.to_s)}\t{firing.alarm}{who}")
    if not found.firings:
        typer.echo("no alarm fires")
    for name, metrics in found.unheard.items():
        typer.echo(f"tenantmetrics: {name} was not rehearsed: no {metrics} recorded", err=True)
    raise typer.Exit(_EXIT_DIFFERS if quiet_expected and found.firings else 0)


def _values(
    set_: list[str] | None,
    *,
    namespace: str | None = None,
    cluster: str | None = None,
    prefix: str | None = None,
    page_topic: str | None = None,
    notify_topic: str | None = None,
) -> dict[str, Any]:
    """Parameters by name, without those that are not given."""
    named = {
        "Namespace": namespace,
        "ClusterId": cluster,
        "Prefix": prefix,
        "PageTopicArn": page_topic,
        "NotifyTopicArn": notify_topic or page_topic,
    }
    found: dict[str, Any] = {name: value for name, value in named.items() if value is not None}
    return found | pairs(set_)


def _fires(alarm: Any) -> str:
    if alarm.rule:
        return str(alarm.rule)
    if alarm.promql:
        return f"{alarm.promql}, for {alarm.pending_s} s"
    against = f"the band {alarm.band}" if alarm.band else alarm.threshold
    return (
        f"{alarm.comparison} {against} in {alarm.datapoints} of {alarm.periods} periods of "
        f"{alarm.period_s} s; no data is {alarm.missing}"
    )
