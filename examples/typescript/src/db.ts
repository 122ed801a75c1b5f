// The database of the service: nothing here knows of tenantmetrics. The SDK reads
// AWS_ENDPOINT_URL_RDS_DATA, which leads to the sidecar.
import { RDSDataClient } from "@aws-sdk/client-rds-data";
import { sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/aws-data-api/pg";
import { integer, pgTable, serial, text } from "drizzle-orm/pg-core";

export const bookings = pgTable("bookings", {
  id: serial("id").primaryKey(),
  tenantId: text("tenant_id").notNull(),
  guest: text("guest").notNull(),
  nights: integer("nights").notNull(),
});

function needed(name: string): string {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set`);
  return value;
}

export const db = drizzle(new RDSDataClient({}), {
  resourceArn: needed("RESOURCE_ARN"),
  secretArn: needed("SECRET_ARN"),
  database: needed("DATABASE"),
});

export type Transaction = Parameters<Parameters<typeof db.transaction>[0]>[0];

/** Run work as a tenant: its rows and no others, by the policies on the tables. */
export function withRLS<T>(tenant: string, work: (tx: Transaction) => Promise<T>): Promise<T> {
  return db.transaction(async (tx) => {
    // true: for this transaction only. The connection goes back to a pool afterwards.
    await tx.execute(sql`SELECT set_config('app.current_tenant_id', ${tenant}, true)`);
    return work(tx);
  });
}
