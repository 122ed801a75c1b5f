"""`tenantmetrics dashboards`: the dashboards, and putting them into CloudWatch."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from tenantmetrics.catalog import NAMESPACE
from tenantmetrics.cli.aws_options import Region
from tenantmetrics.cli.dashboard_bodies import (
    bodies,
    committed_file,
    settings_from,
    summary,
    titles,
)
from tenantmetrics.errors import ConsoleError

__all__ = ["dashboards"]

_EXIT_DIFFERS = 3
_ACCOUNT = "123456789012"

dashboards = typer.Typer(
    name="dashboards",
    help="List, check, preview, put and remove dashboards.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Names = Annotated[
    list[str] | None, typer.Argument(help="fleet, tenant, pipeline. [default: all three]")
]
Namespace = Annotated[str, typer.Option(help="CloudWatch namespace of the metrics.")]
Cluster = Annotated[str, typer.Option(help="DBClusterIdentifier of the Aurora cluster.")]
LogGroup = Annotated[str, typer.Option(help="Log group of the EMF documents.")]
Prefix = Annotated[str, typer.Option(help="What the names of dashboards and alarms begin with.")]
Account = Annotated[
    str | None, typer.Option(help="AWS account of the alarms. [default: the caller's]")
]
Also = Annotated[
    list[str] | None, typer.Option(help="Another namespace that may be used; may be repeated.")
]
Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set", help="An alarm's threshold or a price, such as CpuPercent=70; may be repeated."
    ),
]
UndoFile = Annotated[Path, typer.Option(help="File that keeps what was there before.")]

_UNDO = Path("tenantmetrics-undo-dashboards.json")


@dashboards.command("list")
def list_() -> None:
    """List the dashboards."""
    from tenantmetrics.console.data import folder

    root = folder("dashboards")
    for path in sorted(root.rglob("*.json")):
        typer.echo(f"{path.parent.relative_to(root)}/{path.stem}\t{summary(path)}")


@dashboards.command()
def show(
    name: Annotated[str, typer.Argument(help="Such as fleet, or grafana/fleet.")],
    *,
    namespace: Namespace = NAMESPACE,
    region: Region = None,
    cluster: Cluster = "my-aurora-cluster",
    log_group: LogGroup = "tenantmetrics",
    prefix: Prefix = "tenantmetrics",
    account: Account = None,
    set_: Set = None,
) -> None:
    """Print a dashboard's JSON.

    A CloudWatch dashboard has the settings that are given; a Grafana dashboard is printed as it is.
    """
    if "/" in name and not name.startswith("cloudwatch/"):
        typer.echo(committed_file(name).read_text("utf-8"), nl=False)
        return
    settings = settings_from(
        namespace=namespace,
        region=region or "us-east-1",
        cluster=cluster,
        log_group=log_group,
        prefix=prefix,
        account=account or _ACCOUNT,
        set_=set_,
    )
    ((_, body),) = bodies([name.removeprefix("cloudwatch/")], settings).items()
    typer.echo(body, nl=False)


@dashboards.command()
def check(
    files: Annotated[
        list[Path] | None,
        typer.Argument(help="CloudWatch or Grafana JSON. [default: the committed ones]"),
    ] = None,
    namespace: Namespace = NAMESPACE,
    also: Also = None,
) -> None:
    """Check dashboards of CloudWatch and Grafana.

    Every metric, dimension, expression and limit.

    Exit code 0: nothing is wrong. 1: something is, a line each.
    """
    from tenantmetrics.console.checks.file import check_file
    from tenantmetrics.console.data import folder

    paths = files or sorted(folder("dashboards").rglob("*.json"))
    found = [fault for path in paths for fault in check_file(path, namespace, also or ())]
    for fault in found:
        typer.echo(str(fault))
    typer.echo(f"{len(paths)} files, {len(found)} faults", err=True)
    raise typer.Exit(int(bool(found)))


@dashboards.command()
def put(
    names: Names = None,
    *,
    namespace: Namespace = NAMESPACE,
    region: Region = None,
    cluster: Cluster = "my-aurora-cluster",
    log_group: LogGroup = "tenantmetrics",
    prefix: Prefix = "tenantmetrics",
    account: Account = None,
    set_: Set = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would change.")] = False,
    undo_file: UndoFile = _UNDO,
) -> None:
    """Put the dashboards that differ into CloudWatch.

    `undo` takes the last `put` back, `remove` takes them all away.
    """
    from tenantmetrics.console.put import changes
    from tenantmetrics.console.put import put as put_all

    client, wanted, there = _compare(
        names, namespace, region, cluster, log_group, prefix, account, set_
    )
    differing = changes(wanted, there)
    for name in wanted:
        if name not in differing:
            typer.echo(f"unchanged {name}")
        elif dry_run:
            typer.echo(f"would {'change' if there[name] is not None else 'create'} {name}")
            typer.echo("\n".join(differing[name]))
    if dry_run:
        return
    for remark in put_all(client, wanted, there, undo_file):
        typer.echo(f"tenantmetrics: warning: {remark}", err=True)
    for name in differing:
        typer.echo(f"{'changed' if there[name] is not None else 'created'} {name}")


@dashboards.command()
def diff(
    names: Names = None,
    *,
    namespace: Namespace = NAMESPACE,
    region: Region = None,
    cluster: Cluster = "my-aurora-cluster",
    log_group: LogGroup = "tenantmetrics",
    prefix: Prefix = "tenantmetrics",
    account: Account = None,
    set_: Set = None,
) -> None:
    """Show which dashboards were edited by hand.

    Exit code 0: none. 3: something differs.
    """
    from tenantmetrics.console.put import changes

    _, wanted, there = _compare(names, namespace, region, cluster, log_group, prefix, account, set_)
    differing = changes(wanted, there)
    for lines in differing.values():
        typer.echo("\n".join(lines))
    raise typer.Exit(_EXIT_DIFFERS if differing else 0)


@dashboards.command()
def remove(
    names: Names = None,
    *,
    region: Region = None,
    prefix: Prefix = "tenantmetrics",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be removed.")] = False,
    undo_file: UndoFile = _UNDO,
) -> None:
    """Remove the dashboards from CloudWatch.

    `undo` puts them back, with what was edited by hand.
    """
    from tenantmetrics.console.aws import clients
    from tenantmetrics.console.put import live
    from tenantmetrics.console.put import remove as remove_all

    make, _ = clients(region)
    client = make("cloudwatch")
    there = live(client, titles(names, settings_from(prefix=prefix)))
    if not dry_run:
        remove_all(client, there, undo_file)
    for name, body in there.items():
        if body is None:
            typer.echo(f"there is no {name}")
        else:
            typer.echo(f"{'would remove' if dry_run else 'removed'} {name}")


@dashboards.command()
def undo(region: Region = None, undo_file: UndoFile = _UNDO) -> None:
    """Undo the last put or remove.

    A second time redoes it.
    """
    from tenantmetrics.console.aws import clients
    from tenantmetrics.console.put import restore

    make, _ = clients(region)
    for line in restore(make("cloudwatch"), undo_file):
        typer.echo(line)


@dashboards.command()
def preview(
    recording: Annotated[
        Path,
        typer.Argument(help="A ledger's folder, a file of EMF documents, or a scenario (*.toml)."),
    ],
    *,
    output: Annotated[Path, typer.Option("--output", "--out", "-o", help="The page.")] = Path(
        "tenantmetrics-dashboards.html"
    ),
    tenant: Annotated[
        str | None, typer.Option(help="Tenant to show. [default: the busiest tenant]")
    ] = None,
    namespace: Namespace = NAMESPACE,
    cluster: Cluster = "my-aurora-cluster",
    prefix: Prefix = "tenantmetrics",
    set_: Set = None,
    no_open: Annotated[bool, typer.Option("--no-open", help="Only write the page.")] = False,
) -> None:
    """Draw the dashboards from recorded traffic.

    One local page, opened in a browser.
    """
    import webbrowser

    from tenantmetrics.console.preview import busiest
    from tenantmetrics.console.preview import page as draw
    from tenantmetrics.console.rehearsal.recordings import load

    store = load(recording)
    settings = settings_from(set_, namespace=namespace, cluster=cluster, prefix=prefix)
    page = draw(store, settings, tenant=tenant or busiest(store), recording=str(recording.name))
    try:
        output.write_text(page, "utf-8")
    except OSError as error:
        raise ConsoleError(f"{str(output)!r} cannot be written: {error.strerror}") from None
    typer.echo(f"wrote {output}", err=True)
    if not no_open:
        webbrowser.open(output.resolve().as_uri())


def _compare(  # noqa: PLR0917 - the options of two commands, in their order
    names: list[str] | None,
    namespace: str,
    region: str | None,
    cluster: str,
    log_group: str,
    prefix: str,
    account: str | None,
    set_: list[str] | None,
) -> tuple[Any, dict[str, str], dict[str, str | None]]:
    """A client, the wanted bodies by name, and those that are there."""
    from tenantmetrics.console.aws import asking, clients
    from tenantmetrics.console.checks.dashboard import check as faults_of
    from tenantmetrics.console.known import Known
    from tenantmetrics.console.put import live

    make, found = clients(region)
    if account is None:
        with asking("find the account's id; give --account"):
            account = str(make("sts").get_caller_identity()["Account"])
    settings = settings_from(
        namespace=namespace,
        region=found,
        cluster=cluster,
        log_group=log_group,
        prefix=prefix,
        account=account,
        set_=set_,
    )
    wanted = bodies(names, settings)
    for name, body in wanted.items():
        for fault in faults_of(name, body, Known.of(namespace)):
            raise ConsoleError(f"nothing was put: {fault}")
    client = make("cloudwatch")
    return client, wanted, live(client, wanted)
