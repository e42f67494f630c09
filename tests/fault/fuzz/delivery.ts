/** How a mutated body is sent: over HTTP or gRPC, plain or compressed, mostly as it should be, sometimes not. */
import { deflateSync, gzipSync, zstdCompressSync } from "node:zlib";
import type { ClientHttp2Session } from "node:http2";
import { EXPORT_HEADERS, callGrpc, frameMessage } from "../../support/grpc.ts";
import type { GrpcAnswer } from "../../support/grpc.ts";
import { mutateBytes } from "./bytes.ts";
import type { Dice } from "../dice.ts";

export type Encoding = "protobuf" | "json";

export interface Delivery {
  readonly transport: "http" | "grpc";
  readonly encoding: Encoding;
  readonly headers: Readonly<Record<string, string>>;
  readonly bytes: Buffer;
}

const CONTENT_TYPES: Readonly<Record<Encoding, string>> = { protobuf: "application/x-protobuf", json: "application/json" };
const WRONG_TYPES = [
  "text/plain",
  "application/x-www-form-urlencoded",
  "application/xml",
  "multipart/form-data; boundary=x",
  "\u00e9/x",
];
/** A hundred MiB of nothing: more than a request may be. */
const BOMB = gzipSync(Buffer.alloc(100 * 1024 * 1024), { level: 9 });
const CODERS = { gzip: gzipSync, deflate: deflateSync, zstd: zstdCompressSync };
const HANG_MS = 60_000;

export function planDelivery(dice: Dice, body: Buffer, encoding: Encoding): Delivery {
  return encoding === "protobuf" && dice.chance(50) ? planGrpc(dice, body) : planHttp(dice, body, encoding);
}

function planHttp(dice: Dice, body: Buffer, encoding: Encoding): Delivery {
  const type = dice.chance(6) ? dice.pick([...WRONG_TYPES, ...Object.values(CONTENT_TYPES)]) : CONTENT_TYPES[encoding];
  const answerIn: Encoding = type === CONTENT_TYPES.protobuf ? "protobuf" : "json";
  const { bytes, coding } = compress(dice, body, ["gzip", "deflate", "zstd"]);
  const headers = { "content-type": type, ...(coding === null ? {} : { "content-encoding": coding }) };
  return { transport: "http", encoding: answerIn, headers, bytes };
}

function planGrpc(dice: Dice, body: Buffer): Delivery {
  const { bytes, coding } = compress(dice, body, ["gzip", "deflate"]);
  const headers: Record<string, string> = coding === null ? {} : { "grpc-encoding": coding };
  if (dice.chance(3)) headers["content-type"] = dice.pick(["application/json", "application/grpc-web", "text/html"]);
  if (dice.chance(3)) headers[":path"] = dice.pick(["/", "/v1/traces", "/x.Y/Z"]);
  if (dice.chance(3)) headers["grpc-timeout"] = dice.pick(["soon", "-1S", "999999999S"]);
  const isLying = dice.chance(10);
  const flag = isLying ? dice.below(256) : coding === null ? 0 : 1;
  const length = isLying ? dice.pick([0, bytes.length - 1, bytes.length + 1, 2 ** 31, 2 ** 32 - 1]) : bytes.length;
  const framed = frameMessage(bytes, flag, Math.max(0, length));
  return {
    transport: "grpc",
    encoding: "protobuf",
    headers,
    bytes: dice.chance(3) ? mutateBytes(dice, framed) : framed,
  };
}

/** Half of the bodies are compressed; a tenth of those badly, or not as they say. */
function compress(
  dice: Dice,
  body: Buffer,
  codings: readonly (keyof typeof CODERS)[],
): { readonly bytes: Buffer; readonly coding: string | null } {
  if (dice.chance(50)) return { bytes: body, coding: null };
  if (dice.chance(2)) return { bytes: BOMB, coding: "gzip" };
  const coding = dice.pick(codings);
  const bytes = CODERS[coding](body);
  if (!dice.chance(20)) return { bytes, coding };
  switch (dice.below(4)) {
    case 0:
      return { bytes: body, coding };
    case 1:
      return { bytes, coding: dice.pick(["br", "snappy", "gzip, gzip", "identity"]) };
    case 2:
      return { bytes: Buffer.concat([bytes, bytes]), coding };
    default:
      return { bytes: mutateBytes(dice, bytes), coding };
  }
}

export interface HttpAnswer {
  readonly httpStatus: number;
  readonly mediaType: string;
  readonly retryAfter: string | null;
  readonly body: Buffer;
}

/** Rejects where the connection breaks, and after a minute of silence. */
export async function sendHttp(endpoint: string, { headers, bytes }: Delivery): Promise<HttpAnswer> {
  const response = await fetch(`${endpoint}/v1/traces`, {
    method: "POST",
    headers,
    body: new Uint8Array(bytes),
    signal: AbortSignal.timeout(HANG_MS),
  });
  return {
    httpStatus: response.status,
    mediaType: response.headers.get("content-type") ?? "",
    retryAfter: response.headers.get("retry-after"),
    body: Buffer.from(await response.arrayBuffer()),
  };
}

export function sendGrpc(session: ClientHttp2Session, { headers, bytes }: Delivery): Promise<GrpcAnswer> {
  return callGrpc(session, { ...EXPORT_HEADERS, ...headers }, bytes);
}
