/**
 * The three questions behind the service graph. A span is known by `cityHash64(trace_id, span_id)`: a join on 8 bytes costs half of one on
 * 24, and among five million spans two share a hash once in a million graphs.
 *
 *   calls      parent and child in different services: cart(client) -> payment(server)
 *   peers      what is told by attributes: databases, topics, and outgoing calls that nobody answered with a span
 *   received   consumers without a topic of their own, and spans that link to producers: the topic is the producer's
 *
 * Bound in each: from, to (the range), childFrom, childTo (a little wider: clocks differ), parentFrom, parentTo (much wider to the past:
 * a parent may have begun long before), every (1: all traces; n: each n-th by hash).
 */
import { attributeNames } from "@callchain/schemas/span/conventions.ts";
import { IN_RANGE, NO_PARENT, instantSql } from "../range.ts";

const SELF = "cityHash64(trace_id, span_id)";
const PARENT = "cityHash64(trace_id, parent_span_id)";
const SAMPLED = "cityHash64(trace_id) % {every:UInt64} = 0";
const between = (from: string, to: string): string => `start >= ${instantSql(from)} AND start < ${instantSql(to)}`;

/** Columns of every answer: counts, percentiles and examples of the calls of a group. `t` trace id, `d` duration, `e` failed. */
const MEASURES = `count() AS calls, countIf(e) AS errors, quantilesExact(0.5, 0.95, 0.99)(d) AS percentiles,
  [lower(hex(argMax(t, d))), lower(hex(argMaxIf(t, d, e))), lower(hex(any(t)))] AS traceIds`;

export interface MeasuresRow {
  readonly calls: string;
  readonly errors: string;
  readonly percentiles: readonly string[];
  /** Slowest, slowest failed (zeros without errors), any. */
  readonly traceIds: readonly string[];
}

export interface CallRow extends MeasuresRow {
  readonly caller: string;
  readonly callee: string;
  /** Calls of client spans that the callee answered with a span of an unusual kind, see `buildPeersSql`. */
  readonly unusual: string;
}

/**
 * The parent is a span of the same service. Most internal, client and producer spans have such a parent, a server, consumer or internal span;
 * leaving them out by a set of 8-byte hashes costs half of joining them, and a quarter of the memory. What it misses is joined.
 */
const HAS_LOCAL_PARENT = `cityHash64(${PARENT}, service) IN (
  SELECT cityHash64(${SELF}, service) FROM spans WHERE ${IN_RANGE} AND ${SAMPLED} AND kind IN (0, 1, 2, 5))`;

/**
 * Spans whose parent is in another service, once each. A call failed where the callee's span or the client span above it did; its duration
 * is the callee's. Consumers are left to `peers`.
 */
export const CALLS = `
SELECT caller, callee, ${MEASURES}, countIf(isUnusual) AS unusual
FROM (
  SELECT child.id AS id, above.service AS caller, child.service AS callee, above.trace_id AS t, child.duration_nano AS d,
    child.status = 2 OR (above.kind = 3 AND above.status = 2) AS e, above.kind = 3 AND child.kind NOT IN (0, 2) AS isUnusual
  FROM (
    SELECT ${SELF} AS id, trace_id, service, kind, status FROM spans
    WHERE ${between("parentFrom", "parentTo")} AND ${SAMPLED}
      AND (start >= ${instantSql("childFrom")} OR kind = 4 OR toUnixTimestamp64Nano(start) + toInt64(duration_nano) >= {childFrom:Int64})
  ) AS above
  INNER JOIN (
    SELECT ${SELF} AS id, ${PARENT} AS parent, service, kind, duration_nano, status FROM spans
    WHERE ${IN_RANGE} AND ${SAMPLED} AND parent_span_id != ${NO_PARENT} AND (kind IN (0, 2) OR (kind IN (1, 3, 4) AND NOT ${HAS_LOCAL_PARENT}))
  ) AS child ON above.id = child.parent
  WHERE caller != callee
  LIMIT 1 BY id
)
GROUP BY caller, callee ORDER BY calls DESC LIMIT {edgeLimit:UInt32}`;

const DB_SYSTEM = attributeNames("db.system.name");
const DB_NAME = attributeNames("db.namespace");
const TOPIC = ["messaging.destination.name", "messaging.destination", "messaging.destination_publish.name"];
const MESSAGING_SYSTEM = ["messaging.system"];
const OPERATION = [...attributeNames("messaging.operation.type"), "messaging.operation.name"];
const PEER = attributeNames("service.peer.name");
const ADDRESS = ["server.address", "net.peer.name", "net.sock.peer.name", ...attributeNames("network.peer.address")];
const URL = attributeNames("url.full");

const quote = (texts: readonly string[]): string => texts.map((text) => `'${text}'`).join(", ");

/** The attributes that name a peer, and nothing else: few distinct ones, so that they are interpreted per group and not per span. */
const PEER_ATTRIBUTES = `mapFilter((key, value) -> key IN (${quote([...DB_SYSTEM, ...DB_NAME, ...TOPIC, ...MESSAGING_SYSTEM, ...OPERATION, ...PEER, ...ADDRESS, ...URL])}), attr_string)`;
/** Of an address only the host, which repeats. */
const WITHOUT_PATHS = (map: string): string =>
  `mapApply((key, value) -> (key, if(key IN (${quote(URL)}), domainRFC(value), value)), ${map})`;

/** The first of these attributes that is there and not empty, or ''. */
const firstOf = (names: readonly string[]): string =>
  names.length === 1 ? `m['${names[0] ?? ""}']` : `coalesce(${names.map((name) => `nullIf(m['${name}'], '')`).join(", ")}, '')`;

export type PeerRole = "database" | "publish" | "consume" | "external" | "named" | "unknown";

export interface PeerRow extends MeasuresRow {
  readonly service: string;
  /** "named": the peer's service name was given; "unknown": a consumer that does not say of what. */
  readonly role: PeerRole;
  /** Of a database: its kind, e.g. postgresql. */
  readonly system: string;
  readonly name: string;
}

const RECEIVES = `lower(${firstOf(OPERATION)}) IN ('receive', 'process', 'poll', 'deliver', 'settle')`;
const IS_NAMED_DATABASE = `match(database, '^[0-9]*$') = 0`;

/** Client spans with a child in another service that is neither server nor consumer. */
const UNUSUALLY_ANSWERED = `
  SELECT above.id FROM (SELECT ${SELF} AS id, service FROM spans WHERE ${IN_RANGE} AND ${SAMPLED} AND kind = 3) AS above
  INNER JOIN (
    SELECT ${PARENT} AS parent, service FROM spans
    WHERE ${IN_RANGE} AND ${SAMPLED} AND kind IN (1, 3, 4) AND parent_span_id != ${NO_PARENT}
  ) AS child ON above.id = child.parent
  WHERE above.service != child.service`;

/**
 * Client, producer and consumer spans by the peer that their attributes name, once each. Client spans count where no span of the callee
 * answered: a server span below them, or one of any other kind in another service. The latter costs a join and is rare, so it is looked
 * for only where `CALLS` found some. A database without a telling name (Redis numbers them) goes by its host, else by its system.
 */
export function buildPeersSql(isUnusualAnswered: boolean): string {
  return `
SELECT service, role, system, name, sum(groupCalls) AS calls, sum(groupErrors) AS errors,
  quantilesExactMerge(0.5, 0.95, 0.99)(groupPercentiles) AS percentiles,
  [lower(hex(argMaxMerge(slowest))), lower(hex(argMaxIfMerge(slowestError))), lower(hex(any(anyTrace)))] AS traceIds
FROM (
  SELECT *, ${firstOf(DB_SYSTEM)} AS dbSystem, ${firstOf(DB_NAME)} AS database, ${firstOf(TOPIC)} AS topic, ${firstOf(PEER)} AS peer,
    coalesce(nullIf(${firstOf(ADDRESS)}, ''), ${firstOf(URL)}) AS host,
    multiIf(
      kind = 4, if(topic != '' OR ${firstOf(MESSAGING_SYSTEM)} != '', 'publish', 'none'),
      kind = 5, if(topic != '', 'consume', 'unknown'),
      dbSystem != '', 'database',
      topic != '' AND ${firstOf(MESSAGING_SYSTEM)} != '', if(${RECEIVES}, 'consume', 'publish'),
      peer != '', 'named', host != '', 'external', 'none') AS role,
    if(role = 'database', dbSystem, '') AS system,
    multiIf(
      role = 'database', multiIf(${IS_NAMED_DATABASE}, database, host != '', host, dbSystem),
      role IN ('publish', 'consume'), if(topic != '', topic, ${firstOf(MESSAGING_SYSTEM)}),
      role = 'named', peer, role = 'external', host, '') AS name
  FROM (
    SELECT service, kind, m, count() AS groupCalls, countIf(e) AS groupErrors, quantilesExactState(0.5, 0.95, 0.99)(d) AS groupPercentiles,
      argMaxState(t, d) AS slowest, argMaxIfState(t, d, e) AS slowestError, any(t) AS anyTrace
    FROM (
      SELECT ${SELF} AS id, trace_id AS t, service, kind, status = 2 AS e, duration_nano AS d, ${WITHOUT_PATHS(PEER_ATTRIBUTES)} AS m
      FROM spans
      PREWHERE ${IN_RANGE} AND kind IN (3, 4, 5) AND ${SAMPLED} AND (kind != 3 OR ${SELF} NOT IN (
        SELECT ${PARENT} FROM spans
        WHERE ${between("childFrom", "childTo")} AND ${SAMPLED} AND kind IN (0, 2) AND parent_span_id != ${NO_PARENT}
        ${isUnusualAnswered ? `UNION ALL ${UNUSUALLY_ANSWERED}` : ""}
      ))
      LIMIT 1 BY id
    )
    GROUP BY service, kind, m
  )
)
WHERE role != 'none'
GROUP BY service, role, system, name ORDER BY calls DESC LIMIT {edgeLimit:UInt32}`;
}

export interface ReceivedRow extends MeasuresRow {
  readonly topic: string;
  /** Of the producer. */
  readonly caller: string;
  readonly callee: string;
}

/** Whether any span but a consumer links to another. Reads sizes only. */
export const HAS_LINKS = `SELECT count() AS n FROM (SELECT 1 FROM spans WHERE ${IN_RANGE} AND kind IN (0, 1, 2) AND notEmpty(link_span_id) LIMIT 1)`;

const PRODUCER_ATTRIBUTES = `mapFilter((key, value) -> key IN (${quote(TOPIC)}), attr_string)`;

/** Spans above a receiver, by its parent (consumers only) and its links. */
const ABOVE = `arrayConcat(if(kind = 5 AND parent_span_id != ${NO_PARENT}, [${PARENT}], []),
  arrayMap((trace, span) -> cityHash64(trace, span), link_trace_id, link_span_id))`;

/**
 * Spans by their links to producers, and where a topic is missing also the consumers that name none, by their parent or links. Once per span
 * and topic. A link may lead far back: producers are looked for from parentFrom on.
 */
export function buildReceivedSql(isTopicMissing: boolean): string {
  const isReceiver = isTopicMissing
    ? "(kind = 5 OR (kind IN (0, 1, 2) AND notEmpty(link_span_id)))"
    : "kind IN (0, 1, 2) AND notEmpty(link_span_id)";
  return `
SELECT topic, if(topic = '', sender, '') AS caller, callee, ${MEASURES}
FROM (
  SELECT receiver.id AS id, above.topic AS topic, above.service AS sender, receiver.service AS callee, receiver.trace_id AS t,
    receiver.duration_nano AS d, receiver.status = 2 AS e
  FROM (
    SELECT ${SELF} AS id, trace_id, service, kind, status, duration_nano, arrayJoin(${ABOVE}) AS aboveId
    FROM (
      SELECT trace_id, span_id, parent_span_id, service, kind, status, duration_nano, link_trace_id, link_span_id
        ${isTopicMissing ? `, ${PRODUCER_ATTRIBUTES} AS m` : ""}
      FROM spans PREWHERE ${IN_RANGE} AND ${isReceiver} AND ${SAMPLED}
      ${isTopicMissing ? `WHERE kind != 5 OR ${firstOf(TOPIC)} = ''` : ""}
    )
  ) AS receiver
  INNER JOIN (
    SELECT ${SELF} AS id, service, kind, ${PRODUCER_ATTRIBUTES} AS m, if(kind = 4, ${firstOf(TOPIC)}, '') AS topic
    FROM spans PREWHERE ${between("parentFrom", "parentTo")} AND ${isTopicMissing ? "1" : "kind = 4"}
      AND ${SELF} IN (SELECT arrayJoin(${ABOVE}) FROM spans WHERE ${IN_RANGE} AND ${isReceiver} AND ${SAMPLED})
  ) AS above ON above.id = receiver.aboveId
  WHERE topic != '' OR (sender != callee AND (above.kind = 4 OR receiver.kind = 5))
  LIMIT 1 BY id, topic, if(topic = '', sender, '')
)
GROUP BY topic, caller, callee ORDER BY calls DESC LIMIT {edgeLimit:UInt32}`;
}

export interface ServiceCountRow {
  readonly service: string;
  readonly spans: string;
  readonly errors: string;
  readonly serverRoots: string;
  readonly otherRoots: string;
  /** "" where none was sent. */
  readonly namespace: string;
}

const namespaceOf = (key: string): string => `nullIf(JSONExtractString(aResource, '${key}'), '')`;

/** All resources of a service are taken to be of one namespace. */
export const SERVICE_COUNTS = `SELECT service, spans, errors, serverRoots, otherRoots,
  coalesce(${namespaceOf("service.namespace")}, ${namespaceOf("k8s.namespace.name")}, '') AS namespace
FROM (
  SELECT service, count() AS spans, countIf(status = 2) AS errors,
    countIf(parent_span_id = ${NO_PARENT} AND kind = 2) AS serverRoots,
    countIf(parent_span_id = ${NO_PARENT} AND kind NOT IN (2, 5)) AS otherRoots, any(toString(resource)) AS aResource
  FROM spans WHERE ${IN_RANGE}
  GROUP BY service ORDER BY spans DESC LIMIT {nodeLimit:UInt32}
)
ORDER BY spans DESC`;
