"""`tenantmetrics rls sql`: the migration that isolates tables, and its undo."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tenantmetrics.cli.aws_options import ClusterRegion, EndpointUrl, Url
from tenantmetrics.cli.rls.target import (
    COLUMN,
    USER_VARIABLE,
    VARIABLE,
    ColumnName,
    DatabaseName,
    ResourceArn,
    Roles,
    Schemas,
    SecretArn,
    UserColumn,
    UserVariable,
    Variable,
    connect,
    ends_with_2,
)
from tenantmetrics.errors import RlsError

if TYPE_CHECKING:
    from tenantmetrics.policies.migration import Migration

__all__ = ["sql"]


def sql(
    *,
    url: Url = None,
    resource_arn: ResourceArn = None,
    secret_arn: SecretArn = None,
    database: DatabaseName = None,
    region: ClusterRegion = None,
    endpoint_url: EndpointUrl = None,
    table: Annotated[
        list[str] | None,
        typer.Option(help='A table: table, schema.table or "Quoted Name". Repeatable.'),
    ] = None,
    pattern: Annotated[
        list[str] | None,
        typer.Option(help="Tables whose names match, with * and ?, such as 'app.*'. Repeatable."),
    ] = None,
    all_: Annotated[bool, typer.Option("--all", help="All tables that have the column.")] = False,
    column: ColumnName = COLUMN,
    variable: Variable = VARIABLE,
    user_column: UserColumn = None,
    user_variable: UserVariable = USER_VARIABLE,
    schema: Schemas = None,
    role: Roles = None,
    policy: Annotated[str, typer.Option(help="Name of the policy.")] = "tenant_isolation",
    not_null: Annotated[
        bool,
        typer.Option("--not-null/--keep-nullable", help="Make the tenant column NOT NULL."),
    ] = True,
    concurrently: Annotated[
        bool, typer.Option("--concurrently", help="Make indexes without locking the tables.")
    ] = False,
    undo: Annotated[bool, typer.Option("--undo", help="Print the undo instead.")] = False,
    output: Annotated[
        Path | None,
        typer.Option(help="Write to this file, and the undo beside it, as NAME.undo.sql."),
    ] = None,
) -> None:
    """Print the SQL that isolates tables by tenant.

    Row-level security, policies, roles and indexes. Read-only: only the catalogue is read. The SQL
    can be applied repeatedly.
    """
    from tenantmetrics.policies.migration import MigrationPlan, migration
    from tenantmetrics.policies.read import read
    from tenantmetrics.policies.scope import Scope, Settings
    from tenantmetrics.policies.selection import selected

    if not (table or pattern or all_):
        raise typer.BadParameter("name the tables: --table, --pattern or --all")
    settings = Settings(
        column=column,
        variable=variable,
        user_column=user_column,
        user_variable=user_variable,
    )
    with ends_with_2():
        with (
            connect(
                resource_arn=resource_arn,
                secret_arn=secret_arn,
                database=database,
                url=url,
                region=region,
                endpoint_url=endpoint_url,
            ) as connection,
            connection.transaction(read_only=True),
        ):
            catalogue = read(connection)
        tables, remarks = selected(
            catalogue,
            column,
            tables=table or (),
            patterns=pattern or (),
            schemas=schema or (),
            every=all_,
        )
        owners = {found.owner for found in tables}
        roles = tuple(
            role
            or (
                found.name
                for found in Scope(catalogue, settings).roles
                if not found.superuser and found.name not in owners
            )
        )
        written = migration(
            catalogue,
            MigrationPlan(
                tables, settings, roles, policy, not_null=not_null, concurrently=concurrently
            ),
        )
        for text in (*remarks, *written.warnings):
            typer.echo(f"tenantmetrics: warning: {text}", err=True)
        if output is not None:
            _write(output, written)
        else:
            typer.echo(written.down if undo else written.up, nl=False)


def _write(path: Path, written: Migration) -> None:
    undo = path.with_name(f"{path.stem}.undo.sql")
    try:
        path.write_text(written.up, encoding="utf-8")
        undo.write_text(written.down, encoding="utf-8")
    except OSError as error:
        raise RlsError(f"cannot write {error.filename}: {error.strerror}") from None
    typer.echo(f"wrote {path} and {undo}")
