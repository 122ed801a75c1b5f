// A service with one resource. Who asks is in the header x-tenant, which stands for whatever
// authentication the service really has.
import { createServer, type IncomingMessage } from "node:http";
import { bookings, withRLS } from "./db.js";

async function json(request: IncomingMessage): Promise<{ guest: string; nights: number }> {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part as Buffer);
  return JSON.parse(Buffer.concat(parts).toString());
}

const server = createServer(async (request, response) => {
  try {
    const tenant = String(request.headers["x-tenant"] ?? "");
    if (!tenant || request.url !== "/bookings") {
      response.writeHead(tenant ? 404 : 401).end();
      return;
    }
    const body = request.method === "POST" ? await json(request) : undefined;
    const result = await withRLS(tenant, (tx) =>
      body
        ? tx.insert(bookings).values({ tenantId: tenant, guest: body.guest, nights: body.nights })
            .returning()
        : // No WHERE on purpose: the policy on the table is what keeps tenants apart.
          tx.select().from(bookings),
    );
    response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(result));
  } catch (error) {
    console.error(error instanceof Error ? error.name : "error");
    response.writeHead(500).end();
  }
});

server.listen(Number(process.env.PORT ?? 3000), "127.0.0.1", () => {
  const address = server.address();
  console.log(`listening on ${typeof address === "object" ? address?.port : address}`);
});
process.on("SIGTERM", () => server.close(() => process.exit(0)));
