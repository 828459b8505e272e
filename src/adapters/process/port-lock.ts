import { createServer } from "node:net";
import { failed } from "../../domain/failure.ts";

/**
 * Holds a port's name among abstract sockets, which live in the same network namespace as the port and vanish with the process that has them. Connecting
 * would not do: a server that loads has bound its port and listens only much later.
 */
export async function lockPort(port: number): Promise<() => void> {
  const server = createServer((socket) => socket.destroy());
  await new Promise<void>((taken, refused) => {
    server.once("error", (error) => refused(toFailure(error, port)));
    server.listen(`\0holdfast/port/${port}`, () => taken());
  });
  server.unref();
  return () => void server.close();
}

function toFailure(error: Error, port: number): Error {
  if (!("code" in error) || error.code !== "EADDRINUSE") return error;
  return failed("conflict", `another Holdfast is switching the model on port ${port}`, { retry: "transient", remedy: "wait until it is done" });
}
