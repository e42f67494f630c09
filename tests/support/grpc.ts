/** gRPC calls byte by byte on node:http2, for tests that send what no gRPC client would. */
import { once } from "node:events";
import { connect, constants } from "node:http2";
import type { ClientHttp2Session, IncomingHttpHeaders, OutgoingHttpHeaders } from "node:http2";

export interface GrpcAnswer {
  readonly httpStatus: number;
  /** `grpc-status`, from the trailers or the only headers; null where there is none. */
  readonly status: number | null;
  /** `grpc-message`, decoded; the body where the answer is not gRPC. */
  readonly message: string;
  /** google.rpc.Status in protobuf, as Latin-1 text. */
  readonly details: string;
  /** Messages with their prefixes. */
  readonly body: Buffer;
}

export const EXPORT_HEADERS: OutgoingHttpHeaders = {
  ":method": "POST",
  ":path": "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
  "content-type": "application/grpc+proto",
  te: "trailers",
};
const HANG_MS = 60_000;

export async function openGrpc(url: string): Promise<ClientHttp2Session> {
  const session = connect(url);
  await once(session, "connect");
  return session;
}

/** 1 byte "compressed", 4 bytes length, the message; either may lie. */
export function frameMessage(message: Uint8Array, flag = 0, length = message.length): Buffer {
  const prefix = Buffer.alloc(5);
  prefix.writeUInt8(flag, 0);
  prefix.writeUInt32BE(length, 1);
  return Buffer.concat([prefix, message]);
}

/** Sends the bytes as one call. Rejects where the stream is reset without an answer, and after a minute of silence. */
export async function callGrpc(
  session: ClientHttp2Session,
  headers: OutgoingHttpHeaders,
  bytes: Uint8Array,
): Promise<GrpcAnswer> {
  const stream = session.request(headers);
  const told: IncomingHttpHeaders = {};
  const chunks: Buffer[] = [];
  stream.setTimeout(HANG_MS, () => stream.destroy(new Error("no answer within a minute")));
  stream.on("response", (head) => Object.assign(told, head));
  stream.on("trailers", (trailers) => Object.assign(told, trailers));
  stream.on("data", (chunk: Buffer) => chunks.push(chunk));
  // An answer may come before the request was read; the stream then closes with NO_ERROR, which a late write reports as its failure.
  const failure = Promise.withResolvers<unknown>();
  stream.on("error", (error) => failure.resolve(error));
  stream.end(bytes);
  await Promise.race([once(stream, "close").catch(() => undefined), failure.promise]);
  if (told[":status"] === undefined) throw new Error(`no answer; the stream was reset with code ${stream.rstCode}`);
  if (stream.rstCode !== constants.NGHTTP2_NO_ERROR) throw new Error(`the stream was reset with code ${stream.rstCode}`);
  const body = Buffer.concat(chunks);
  const status = told["grpc-status"];
  const httpStatus = Number(told[":status"]);
  return {
    httpStatus,
    status: status === undefined ? null : Number(status),
    message: httpStatus === 200 ? decodeURIComponent(String(told["grpc-message"] ?? "")) : body.toString(),
    details: Buffer.from(String(told["grpc-status-details-bin"] ?? ""), "base64").toString("latin1"),
    body,
  };
}

/** One export of an ExportTraceServiceRequest in protobuf. */
export function exportOverGrpc(session: ClientHttp2Session, request: Uint8Array): Promise<GrpcAnswer> {
  return callGrpc(session, EXPORT_HEADERS, frameMessage(request));
}
