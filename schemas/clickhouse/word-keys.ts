/**
 * Span attributes whose values are few and come again and again: names that OpenTelemetry's semantic conventions, old and new, give to
 * methods, routes, hosts, systems and operations. Their texts lie in `attr_word`, as numbers of a dictionary; those of all other attributes
 * in `attr_string`. An attribute's name alone decides, so that a question knows where to look; a value that is not as expected is only
 * stored less well. Migration 0005 holds the same list: a change of it needs a migration of its own.
 * Source: https://opentelemetry.io/docs/specs/semconv/registry/attributes/
 */
export const WORD_KEYS: readonly string[] = [
  "http.request.method",
  "http.method",
  "http.route",
  "http.scheme",
  "http.flavor",
  "http.host",
  "http.server_name",
  "http.user_agent",
  "user_agent.original",
  "url.scheme",
  "url.template",
  "network.protocol.name",
  "network.protocol.version",
  "network.transport",
  "network.type",
  "net.protocol.name",
  "net.protocol.version",
  "net.transport",
  "server.address",
  "net.peer.name",
  "net.host.name",
  "net.sock.peer.name",
  "service.peer.name",
  "peer.service",
  "db.system.name",
  "db.system",
  "db.namespace",
  "db.name",
  "db.operation.name",
  "db.operation",
  "db.collection.name",
  "db.sql.table",
  "db.mongodb.collection",
  "db.cassandra.table",
  "db.query.summary",
  "db.user",
  "rpc.system.name",
  "rpc.system",
  "rpc.service",
  "rpc.method",
  "messaging.system",
  "messaging.operation.type",
  "messaging.operation.name",
  "messaging.operation",
  "messaging.destination.name",
  "messaging.destination",
  "messaging.destination.template",
  "messaging.destination_publish.name",
  "messaging.consumer.group.name",
  "messaging.kafka.consumer.group",
  "messaging.consumer_group",
  "graphql.operation.name",
  "graphql.operation.type",
  "faas.trigger",
  "faas.invoked_name",
  "feature_flag.key",
  "code.function.name",
  "code.function",
  "code.namespace",
  "code.file.path",
  "code.filepath",
  "thread.name",
  "error.type",
  "exception.type",
  "component",
  "span.kind",
  "otel.status_code",
];

const WORDS: ReadonlySet<string> = new Set(WORD_KEYS);

export function isWordKey(key: string): boolean {
  return WORDS.has(key);
}

/** The map that holds an attribute's texts. */
export function textMapOf(key: string): "attr_word" | "attr_string" {
  return WORDS.has(key) ? "attr_word" : "attr_string";
}
