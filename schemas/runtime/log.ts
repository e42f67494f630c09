/**
 * The log: one JSON object a line, or plain lines on a terminal. It never carries span attributes, statement parameters or secrets:
 * callers pass counts, names of parts, addresses and classified messages.
 */
import { pino, type Logger } from "pino";

export type Log = Logger;
export type LogLevel = "debug" | "info" | "warn" | "error" | "silent";

/** Writes to standard error, so that standard output stays for what a command answers. */
export function openLog(part: string, level: LogLevel = "info"): Log {
  return pino({ level, base: { part }, timestamp: pino.stdTimeFunctions.isoTime }, pino.destination({ dest: 2, sync: true }));
}
