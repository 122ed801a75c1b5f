"""`tenantmetrics rls prove`: two tenants' rows, every operation, all of it rolled back."""

from __future__ import annotations

import json
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from tenantmetrics.cli.aws_options import ClusterRegion, EndpointUrl, Url
from tenantmetrics.cli.rls.check import safe
from tenantmetrics.cli.rls.target import (
    COLUMN,
    USER_VARIABLE,
    VARIABLE,
    ColumnName,
    DatabaseName,
    ResourceArn,
    Schemas,
    SecretArn,
    UserColumn,
    UserVariable,
    Variable,
    connect,
    ends_with_2,
)

if TYPE_CHECKING:
    from tenantmetrics.policies.proof.prove import Proof

__all__ = ["prove"]


class ProofFormat(StrEnum):
    """How the proof is printed."""

    TABLE = "table"
    JSON = "json"


def prove(
    *,
    url: Url = None,
    resource_arn: ResourceArn = None,
    secret_arn: SecretArn = None,
    database: DatabaseName = None,
    region: ClusterRegion = None,
    endpoint_url: EndpointUrl = None,
    role: Annotated[
        str | None,
        typer.Option(
            help="The role that the application connects as. [default: the one that has grants]"
        ),
    ] = None,
    table: Annotated[
        list[str] | None, typer.Option(help="Only this table. Repeatable. [default: all]")
    ] = None,
    column: ColumnName = COLUMN,
    variable: Variable = VARIABLE,
    user_column: UserColumn = None,
    user_variable: UserVariable = USER_VARIABLE,
    schema: Schemas = None,
    functions: Annotated[
        bool,
        typer.Option(
            "--functions/--no-functions",
            help="Call SECURITY DEFINER functions; what they do outside of the database stays.",
        ),
    ] = True,
    format_: Annotated[
        ProofFormat, typer.Option("--format", help="How to print.")
    ] = ProofFormat.TABLE,
) -> None:
    """Prove that tenants are isolated.

    Puts in rows of two tenants and tries every operation as one of them, in one transaction that is
    rolled back. Connect as a role that may SET ROLE to the application's. Exits with 0 if all is
    isolated, 1 if something is not, 2 if something could not be tried.
    """
    from tenantmetrics.policies.proof.prove import prove as proved
    from tenantmetrics.policies.scope import Settings

    settings = Settings(
        column=column,
        variable=variable,
        user_column=user_column,
        user_variable=user_variable,
        schemas=tuple(schema or ()),
        roles=(role,) if role is not None else (),
    )
    with (
        ends_with_2(),
        connect(
            resource_arn=resource_arn,
            secret_arn=secret_arn,
            database=database,
            url=url,
            region=region,
            endpoint_url=endpoint_url,
        ) as connection,
    ):
        proof = proved(connection, settings, tables=table or (), functions=functions)
    if format_ is ProofFormat.JSON:
        document = {"role": proof.role, "proved": [tried.as_dict() for tried in proof.proved]}
        print(json.dumps(document, ensure_ascii=False, indent=2))
    else:
        _print(proof)
    if proof.leaks:
        raise typer.Exit(1)
    if proof.unproved:
        raise typer.Exit(2)


def _print(proof: Proof) -> None:
    """One line an object, then what is not isolated, what was not proved, and remarks."""
    from rich.console import Console
    from rich.table import Table

    from tenantmetrics.policies.proof.verdict import Verdict

    marks = {
        Verdict.ISOLATED: "isolated",
        Verdict.LEAK: "[red]NOT[/]",
        Verdict.DENIED: "-",
        Verdict.NOT_THERE: "-",
        Verdict.UNPROVED: "[yellow]?[/]",
    }
    # What is piped is never folded.
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = 200
    operations = ("SELECT", "INSERT", "UPDATE", "DELETE", "UPSERT", "MERGE", "TRUNCATE", "COPY")
    grid = Table(title=f"As role {safe(proof.role)}", title_justify="left")
    grid.add_column("object", overflow="fold")
    for heading in (*operations, "else"):
        grid.add_column(heading, no_wrap=True)
    by_object: dict[str, dict[str, Verdict]] = {}
    for tried in proof.proved:
        by_object.setdefault(tried.object, {})[tried.operation] = tried.verdict
    for name, found in by_object.items():
        rest = [verdict for operation, verdict in found.items() if operation not in operations]
        worst = next((v for v in (Verdict.LEAK, Verdict.UNPROVED) if v in rest), None)
        other = marks[worst or rest[0]] if rest else ""
        cells = [marks[found[name]] if name in found else "" for name in operations]
        grid.add_row(safe(name).replace("[", r"\["), *cells, other)
    console.print(grid)
    for tried in proof.proved:
        if tried.why and tried.verdict in {Verdict.LEAK, Verdict.UNPROVED, Verdict.ISOLATED}:
            said = "note" if tried.verdict is Verdict.ISOLATED else str(tried.verdict)
            console.print(
                f"{said}: {safe(tried.object)}: {tried.operation}: {tried.why}",
                markup=False,
                soft_wrap=True,
            )
    objects = len(by_object)
    leaking = len({leak.object for leak in proof.leaks})
    unproved = len({leak.object for leak in proof.unproved} - {leak.object for leak in proof.leaks})
    console.print(
        f"{objects} objects: {leaking} not isolated, {unproved} not proved; nothing was kept",
        markup=False,
        soft_wrap=True,
    )
