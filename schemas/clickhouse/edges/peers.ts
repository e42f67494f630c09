/** What the attributes of a client, producer or consumer span say of its other end: read as one small JSON text, interpreted here. */
import { attributeNames } from "../../span/conventions.ts";
import { isWordKey } from "../word-keys.ts";

const DB_SYSTEM = attributeNames("db.system.name");
const DB_NAME = attributeNames("db.namespace");
const TOPIC = ["messaging.destination.name", "messaging.destination", "messaging.destination_publish.name"];
const MESSAGING_SYSTEM = ["messaging.system"];
const OPERATION = [...attributeNames("messaging.operation.type"), "messaging.operation.name"];
const PEER = attributeNames("service.peer.name");
const ADDRESS = ["server.address", "net.peer.name", "net.sock.peer.name", ...attributeNames("network.peer.address")];
const URL = attributeNames("url.full");

const quote = (texts: readonly string[]): string => texts.map((text) => `'${text}'`).join(", ");

const NAMING = [...DB_SYSTEM, ...DB_NAME, ...TOPIC, ...MESSAGING_SYSTEM, ...OPERATION, ...PEER, ...ADDRESS, ...URL];

/**
 * The attributes that name a peer, and nothing else, as SQL of JSON: few distinct texts, so that they are interpreted per text and not per
 * span. Of an address only the host, which repeats.
 */
export const PEER_TEXT_SQL = `toJSONString(mapConcat(
  CAST(mapFilter((key, value) -> key IN (${quote(NAMING.filter(isWordKey))}), attr_word), 'Map(String, String)'),
  CAST(mapApply((key, value) -> (key, if(key IN (${quote(URL)}), domainRFC(value), value)),
    mapFilter((key, value) -> key IN (${quote(NAMING.filter((key) => !isWordKey(key)))}), attr_string)), 'Map(String, String)')))`;

/** "named": the peer's service name was given; "none": nothing to draw; of a consumer: it does not say of what. */
export type PeerRole = "database" | "publish" | "consume" | "named" | "external" | "none";

export interface Peer {
  readonly role: PeerRole;
  /** Of a database: its kind, e.g. postgresql. */
  readonly system: string;
  readonly name: string;
  /** Where a message went to or came from, whatever the role; "" where no attribute says it. */
  readonly topic: string;
}

const CLIENT = 3;
const PRODUCER = 4;
const RECEIVING = new Set(["receive", "process", "poll", "deliver", "settle"]);
const NUMBER = /^[0-9]*$/;

/** `kind` is that of a client, producer or consumer span, `text` its PEER_TEXT_SQL. */
export function readPeer(kind: number, text: string): Peer {
  const values = new Map(Object.entries(JSON.parse(text) as Record<string, string>)); // toJSONString of a map of texts
  const firstOf = (names: readonly string[]): string =>
    names.map((name) => values.get(name) ?? "").find((value) => value !== "") ?? "";
  const topic = firstOf(TOPIC);
  const messaging = firstOf(MESSAGING_SYSTEM);
  const peer = (role: PeerRole, name: string, system = ""): Peer => ({ role, system, name, topic });
  if (kind === PRODUCER)
    return topic === "" && messaging === "" ? peer("none", "") : peer("publish", topic === "" ? messaging : topic);
  if (kind !== CLIENT) return topic === "" ? peer("none", "") : peer("consume", topic);
  const system = firstOf(DB_SYSTEM);
  const host = firstOf([...ADDRESS, ...URL]);
  if (system !== "") {
    // A database without a telling name (Redis numbers them) goes by its host, else by its system.
    const name = firstOf(DB_NAME);
    return peer("database", NUMBER.test(name) ? (host === "" ? system : host) : name, system);
  }
  if (topic !== "" && messaging !== "")
    return peer(RECEIVING.has(firstOf(OPERATION).toLowerCase()) ? "consume" : "publish", topic);
  const service = firstOf(PEER);
  if (service !== "") return peer("named", service);
  return host === "" ? peer("none", "") : peer("external", host);
}
