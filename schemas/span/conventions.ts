/**
 * Attributes that OpenTelemetry's semantic conventions renamed. Spans are stored as sent; a question about one name is a question about
 * all of its names. Source: https://opentelemetry.io/docs/specs/semconv/ (HTTP, database, RPC, messaging and general migration guides).
 */
const RENAMED: readonly (readonly string[])[] = [
  ["http.request.method", "http.method"],
  ["http.response.status_code", "http.status_code"],
  ["http.request.body.size", "http.request_content_length"],
  ["http.response.body.size", "http.response_content_length"],
  ["url.full", "http.url"],
  ["url.scheme", "http.scheme"],
  ["user_agent.original", "http.user_agent"],
  ["network.protocol.version", "http.flavor"],
  ["client.address", "http.client_ip"],
  ["server.address", "net.peer.name", "net.host.name"],
  ["server.port", "net.peer.port", "net.host.port"],
  ["network.peer.address", "net.sock.peer.addr", "net.peer.ip"],
  ["network.peer.port", "net.sock.peer.port"],
  ["network.transport", "net.transport"],
  ["service.peer.name", "peer.service"],
  ["db.system.name", "db.system"],
  ["db.namespace", "db.name"],
  ["db.query.text", "db.statement"],
  ["db.operation.name", "db.operation"],
  ["db.collection.name", "db.sql.table", "db.mongodb.collection", "db.cassandra.table"],
  ["messaging.operation.type", "messaging.operation"],
  ["messaging.client.id", "messaging.client_id"],
  ["messaging.consumer.group.name", "messaging.kafka.consumer.group", "messaging.consumer_group"],
  ["rpc.system.name", "rpc.system"],
  ["code.function.name", "code.function"],
  ["code.file.path", "code.filepath"],
  ["code.line.number", "code.lineno"],
  ["deployment.environment.name", "deployment.environment"],
];

const NAMES: ReadonlyMap<string, readonly string[]> = new Map(
  RENAMED.flatMap((names) => names.map((name) => [name, [name, ...names.filter((other) => other !== name)]] as const)),
);

/** Every name under which an attribute may have been sent, the given one first. */
export function attributeNames(key: string): readonly string[] {
  return NAMES.get(key) ?? [key];
}
