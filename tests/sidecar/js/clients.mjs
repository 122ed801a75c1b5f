// The same work through four clients; prints what each saw.
import { RDSDataClient, ExecuteStatementCommand } from "@aws-sdk/client-rds-data";
import * as rds from "@aws-sdk/client-rds-data";
import { sql as drizzleSql } from "drizzle-orm";
import AWS from "aws-sdk";
import dataApi from "data-api-client";
import { drizzle } from "drizzle-orm/aws-data-api/pg";
import { Kysely, sql } from "kysely";
import { DataApiDialect } from "kysely-data-api";

const target = {
  resourceArn: process.env.RESOURCE_ARN,
  secretArn: process.env.SECRET_ARN,
  database: process.env.DATABASE,
};
const seen = {};
const failed = (error) => [error.name, error.message];

const client = new RDSDataClient({ maxAttempts: 1 });
const run = (text) => client.send(new ExecuteStatementCommand({ ...target, sql: text }));
await run("DROP TABLE IF EXISTS t");
await run("CREATE TABLE t (id int PRIMARY KEY, name text)");
seen.sdk = [
  (await run("INSERT INTO t VALUES (1, 'é')")).numberOfRecordsUpdated,
  (await run("SELECT * FROM t")).records,
  (await run("SELECT repeat('x', 500000)")).records[0][0].stringValue.length,
  await run("SELECT 1/0").catch(failed),
];

const db = drizzle(client, target);
seen.drizzle = await db.transaction(async (tx) => {
  await tx.execute(drizzleSql`SELECT set_config('app.tenant_id', ${"acme"}, true)`);
  await tx.execute(drizzleSql`INSERT INTO t VALUES (${2}, ${"two"})`);
  return (await tx.execute(drizzleSql`SELECT count(*) FROM t`)).rows;
});

const kysely = new Kysely({
  dialect: new DataApiDialect({
    mode: "postgres",
    driver: { client: new rds.RDSData({ maxAttempts: 1 }), ...target },
  }),
});
seen.kysely = [
  await kysely.transaction().execute(async (tx) => {
    await sql`SELECT set_config('app.tenant_id', ${"bee"}, true)`.execute(tx);
    await tx.insertInto("t").values({ id: 3, name: "three" }).execute();
    return tx.selectFrom("t").selectAll().orderBy("id").execute();
  }),
  await kysely.insertInto("t").values({ id: 3, name: "again" }).execute().catch(failed),
];

// The SDK of before, through the client that most of its users take.
AWS.config.update({ maxRetries: 0 });
const old = dataApi({
  ...target,
  AWS,
  options: { endpoint: process.env.AWS_ENDPOINT_URL_RDS_DATA },
});
seen.dataApiClient = [
  await old.query("SELECT * FROM t WHERE name = :name", { name: "three" }),
  await old
    .transaction()
    .query("SELECT set_config('app.tenant_id', :tenant, true)", { tenant: "cat" })
    .query("INSERT INTO t VALUES (:id, :name)", [[{ id: 4, name: "four" }], [{ id: 5, name: null }]])
    .query(() => ["SELECT * FROM t WHERE id > :id ORDER BY id", { id: 3 }])
    .commit(),
  await old.query("SELECT nothing").catch(failed),
];
console.log(JSON.stringify(seen));
