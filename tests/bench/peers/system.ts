/** What the bench asks of a tracing system, Callchain or a peer, so that all of them are measured by one program. */

/** Callchain and the sender never share a core: figures are of one core. */
export const SYSTEM_CORE = 1;
export const SENDER_CORE = 0;

export interface StartedSystem {
  /** All its processes, also those that came later. */
  pids(): number[];
  readonly httpUrl: string;
  /** Null: it takes no gRPC. */
  readonly grpcUrl: string | null;
  /** Where its query API answers. Null: it has none. */
  readonly queryUrl: string | null;
  /** Spans of the trace that the query API tells of; 0 where it knows no such trace. */
  countSpans(traceId: string): Promise<number>;
  /** All spans that it has; null: it cannot say. */
  countAll(): Promise<number | null>;
  /** Resolves when what it merges by itself has come to rest. */
  settle(): Promise<void>;
  /** Resolves when all that was stored is counted in what answers are made from; left out: there is no such thing. */
  readonly catchUp?: () => Promise<void>;
  /** Bytes that hold spans and their indexes now; null: nothing is kept on disk. */
  bytesStored(): Promise<number | null>;
  /** Ends it in its own way. */
  stop(): Promise<void>;
  /** kill -9 of all its processes. */
  kill(): Promise<void>;
}

export interface TracingSystem {
  readonly name: string;
  readonly version: string;
  /** How it was set up, in a few words. */
  readonly setup: string;
  readonly format: "otlp" | "zipkin";
  /** False: it discards what it takes. */
  readonly isSearchable: boolean;
  /** Whether a start on the same directory is meant to find what was there. */
  readonly isPersistent: boolean;
  /** Resolves when it takes spans and answers questions. Its processes are pinned to SYSTEM_CORE. */
  start(dir: string): Promise<StartedSystem>;
}

/** A system, or why it cannot be started on this machine. */
export type FoundSystem = { readonly system: TracingSystem } | { readonly name: string; readonly missing: string };
