// All five operations by the JavaScript SDK. Prints one JSON object, which test_javascript.py checks.
import {
  BatchExecuteStatementCommand,
  BeginTransactionCommand,
  CommitTransactionCommand,
  ExecuteStatementCommand,
  RDSDataClient,
  RollbackTransactionCommand,
} from "@aws-sdk/client-rds-data";

const arns = { resourceArn: process.env.RESOURCE_ARN, secretArn: process.env.SECRET_ARN };
const database = process.env.DATABASE;
const client = new RDSDataClient({});

const execute = (sql, more = {}) =>
  client.send(new ExecuteStatementCommand({ ...arns, database, sql, ...more }));
const parameter = (name, value, typeHint) => ({ name, value, typeHint });

await execute("CREATE TABLE t (id int, name text, key uuid, raw bytea, tags text[], at timestamp)");
const begun = await client.send(new BeginTransactionCommand({ ...arns, database }));
const inserted = await execute("INSERT INTO t VALUES (:id, :name, :key, :raw, :tags, :at)", {
  transactionId: begun.transactionId,
  parameters: [
    parameter("id", { longValue: 1 }),
    parameter("name", { stringValue: "it's é" }),
    parameter("key", { stringValue: "00000000-0000-0000-0000-00000000000a" }, "UUID"),
    parameter("raw", { blobValue: new Uint8Array([0, 255]) }),
    parameter("tags", { arrayValue: { stringValues: ["a", null] } }),
    parameter("at", { stringValue: "2024-01-01 00:00:00.5" }, "TIMESTAMP"),
  ],
});
const committed = await client.send(
  new CommitTransactionCommand({ ...arns, transactionId: begun.transactionId }),
);
const second = await client.send(new BeginTransactionCommand({ ...arns, database }));
await execute("DELETE FROM t", { transactionId: second.transactionId });
const rolledBack = await client.send(
  new RollbackTransactionCommand({ ...arns, transactionId: second.transactionId }),
);
const batch = await client.send(
  new BatchExecuteStatementCommand({
    ...arns,
    database,
    sql: "INSERT INTO t (id, name) VALUES (:id, NULL)",
    parameterSets: [2, 3].map((id) => [parameter("id", { longValue: id })]),
  }),
);
const selected = await execute("SELECT * FROM t ORDER BY id", { includeResultMetadata: true });
let error;
try {
  await execute("SELECT 1/0");
} catch (caught) {
  error = { name: caught.name, message: caught.message, status: caught.$metadata.httpStatusCode };
}

const times = [];
for (let call = 0; call < 100; call += 1) {
  const start = performance.now();
  await execute("SELECT 1");
  times.push(performance.now() - start);
}
times.sort((a, b) => a - b);

console.log(
  JSON.stringify({
    inserted: inserted.numberOfRecordsUpdated,
    hasRecords: "records" in inserted && inserted.records !== undefined,
    committed: committed.transactionStatus,
    rolledBack: rolledBack.transactionStatus,
    batch: batch.updateResults.length,
    labels: selected.columnMetadata.map((column) => column.label),
    rows: selected.records.map((row) =>
      row.map((field) => ("blobValue" in field ? [...field.blobValue] : Object.values(field)[0])),
    ),
    error,
    medianMs: times[50],
  }),
);
