/** Reads a file of traces off the page's thread and answers for them until another file is opened. Nothing leaves the browser. */
import type { SpanDetail, TraceSummary } from "@callchain/schemas/api/traces.ts";
import { InvalidError, messageOf } from "@callchain/schemas/span/errors.ts";
import { LocalTrace } from "../../lib/open/local-trace.ts";
import { readTraceFile, type FileFormat } from "../../lib/open/read-file.ts";

/** What the page asks for; each is answered once. `open` comes with a file, the others with a trace's id. */
export interface FileQuestion<K extends keyof FileAnswers = keyof FileAnswers> {
  readonly kind: K;
  readonly file?: Blob;
  readonly traceId?: string;
  readonly spanId?: string;
}

export interface OpenedTraces {
  readonly format: FileFormat;
  readonly traces: readonly TraceSummary[];
  readonly spanCount: number;
  readonly rejectedCount: number;
  readonly rejection: string | null;
}

export interface FileAnswers {
  readonly open: OpenedTraces;
  readonly frames: Uint8Array;
  readonly clocks: Float64Array;
  readonly otlp: object;
  readonly span: SpanDetail | null;
}

export type FileReply =
  | { readonly number: number; readonly answer: FileAnswers[keyof FileAnswers] }
  | { readonly number: number; readonly fault: string };

/** Decompressed; beyond it the parsed spans would not fit into a tab. */
const BYTES_MAX = 300_000_000;
const traces = new Map<string, LocalTrace>();

async function readBytes(file: Blob): Promise<Uint8Array> {
  const [first, second] = new Uint8Array(await file.slice(0, 2).arrayBuffer());
  const isGzip = first === 0x1f && second === 0x8b;
  const stream = isGzip ? file.stream().pipeThrough(new DecompressionStream("gzip")) : file.stream();
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  let length = 0;
  const reader = stream.getReader();
  try {
    for (let piece = await reader.read(); piece.value !== undefined; piece = await reader.read()) {
      chunks.push(piece.value);
      length += piece.value.length;
      if (length > BYTES_MAX) throw new InvalidError(`it has more than ${BYTES_MAX / 1e6} MB, which is what a page can hold`);
    }
  } catch (error) {
    if (error instanceof InvalidError) throw error;
    throw new InvalidError(isGzip ? `its gzip data is damaged: ${messageOf(error)}` : `it cannot be read: ${messageOf(error)}`);
  }
  return new Uint8Array(await new Blob(chunks).arrayBuffer());
}

async function open(file: Blob): Promise<OpenedTraces> {
  const read = readTraceFile(await readBytes(file));
  traces.clear();
  for (const [id, spans] of Map.groupBy(read.spans, ({ traceId }) => traceId)) traces.set(id, new LocalTrace(spans));
  const summaries = [...traces.values()].map((trace) => trace.summary());
  return {
    format: read.format,
    traces: summaries.toSorted((a, b) => (BigInt(a.startNano) < BigInt(b.startNano) ? 1 : -1)),
    spanCount: read.spans.length,
    rejectedCount: read.rejectedCount,
    rejection: read.rejection,
  };
}

async function answer({ kind, file, traceId = "", spanId = "" }: FileQuestion): Promise<FileAnswers[keyof FileAnswers]> {
  if (kind === "open" && file !== undefined) return open(file);
  const trace = traces.get(traceId);
  if (trace === undefined) throw new InvalidError(`trace ${traceId} is not in the file`);
  if (kind === "span") return trace.span(spanId);
  if (kind === "clocks") return trace.clocks();
  if (kind === "otlp") return trace.otlp();
  const frames: Uint8Array<ArrayBuffer>[] = [];
  for await (const frame of trace.skeleton()) frames.push(new Uint8Array(frame));
  return new Uint8Array(await new Blob(frames).arrayBuffer());
}

addEventListener("message", (event: MessageEvent<{ readonly number: number; readonly question: FileQuestion }>) => {
  const { number, question } = event.data;
  const reply = (message: FileReply): void => postMessage(message);
  answer(question).then(
    (found) => reply({ number, answer: found }),
    (error: unknown) => reply({ number, fault: messageOf(error) }),
  );
});
