-- Texts of attributes whose values are few (schemas/clickhouse/word-keys.ts has the same list) as numbers of a dictionary, apart from all others.
-- Parts from before compute them when they are read, until the mutation has rewritten them in the background; it may be repeated. Until then,
-- and for rows that a writer of an earlier release adds later, they stand in attr_string, too.
ALTER TABLE spans ADD COLUMN IF NOT EXISTS attr_word Map(LowCardinality(String), LowCardinality(String))
  DEFAULT mapFilter((key, value) -> key IN (
    'http.request.method', 'http.method', 'http.route', 'http.scheme', 'http.flavor', 'http.host', 'http.server_name', 'http.user_agent',
    'user_agent.original', 'url.scheme', 'url.template', 'network.protocol.name', 'network.protocol.version', 'network.transport',
    'network.type', 'net.protocol.name', 'net.protocol.version', 'net.transport', 'server.address', 'net.peer.name', 'net.host.name',
    'net.sock.peer.name', 'service.peer.name', 'peer.service', 'db.system.name', 'db.system', 'db.namespace', 'db.name',
    'db.operation.name', 'db.operation', 'db.collection.name', 'db.sql.table', 'db.mongodb.collection', 'db.cassandra.table',
    'db.query.summary', 'db.user', 'rpc.system.name', 'rpc.system', 'rpc.service', 'rpc.method', 'messaging.system',
    'messaging.operation.type', 'messaging.operation.name', 'messaging.operation', 'messaging.destination.name', 'messaging.destination',
    'messaging.destination.template', 'messaging.destination_publish.name', 'messaging.consumer.group.name',
    'messaging.kafka.consumer.group', 'messaging.consumer_group', 'graphql.operation.name', 'graphql.operation.type', 'faas.trigger',
    'faas.invoked_name', 'feature_flag.key', 'code.function.name', 'code.function', 'code.namespace', 'code.file.path', 'code.filepath',
    'thread.name', 'error.type', 'exception.type', 'component', 'span.kind', 'otel.status_code'), attr_string) AFTER scope;
ALTER TABLE spans ADD INDEX IF NOT EXISTS attr_word_bloom mapValues(attr_word) TYPE bloom_filter(0.01) GRANULARITY 1;
-- What is left is read one granule for each span that is found, and hardly compresses better with ZSTD: DECISIONS.md.
ALTER TABLE spans MODIFY COLUMN attr_string CODEC(LZ4);
-- What attr_word has leaves attr_string; as it is read, it is written.
ALTER TABLE spans UPDATE
  attr_word = mapFilter((key, value) -> 1, attr_word),
  attr_string = mapFilter((key, value) -> NOT has(mapKeys(attr_word), key), attr_string)
WHERE hasAny(mapKeys(attr_string), mapKeys(attr_word));
