/** `callchain export`: whole traces as lines of OTLP/JSON, to a file or to standard output. */
import { createWriteStream } from "node:fs";
import { rename, rm } from "node:fs/promises";
import { Readable, Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGzip } from "node:zlib";
import { readConfig, setting } from "@callchain/schemas/runtime/config.ts";
import type { ConfigSources } from "@callchain/schemas/runtime/config.ts";
import { Failure, messageOf } from "@callchain/schemas/span/errors.ts";
import { z } from "zod";
import { apiUrl, ask, searchSettings } from "./client.ts";

export const exportSettings = {
  ...searchSettings,
  limit: setting.wholeNumber(1_000, 1, 100_000, "traces at most (1000)"),
  output: setting.text("", "file to write, compressed where its name ends in .gz (standard output)"),
};

/** A file is there under its name only once it is whole. */
export async function exportCommand(sources: ConfigSources): Promise<void> {
  const { url, q, from, to, limit, output } = readConfig(exportSettings, sources);
  const response = await ask(apiUrl(url, "/export", { q, from, to, limit }));
  const watcher = new LineWatcher();
  const source = Readable.from(response.body ?? []);
  try {
    if (output === "") await pipeline(source, watcher, process.stdout, { end: false });
    else {
      const part = `${output}.part`;
      const file = createWriteStream(part);
      try {
        await (output.endsWith(".gz") ? pipeline(source, watcher, createGzip(), file) : pipeline(source, watcher, file));
      } catch (error) {
        await rm(part, { force: true });
        throw error;
      }
      await rename(part, output);
    }
  } catch (error) {
    // The reader of the pipe has enough.
    if (error instanceof Error && "code" in error && error.code === "EPIPE") return;
    throw new Failure("unavailable", `the export was cut off: ${messageOf(error)}`, { cause: error });
  }
  const cut = readCut(watcher.last);
  process.stderr.write(`callchain: ${watcher.lineCount - (cut === null ? 0 : 1)} lines exported\n`);
  if (cut !== null) process.stderr.write(`callchain: not everything: ${cut}\n`);
}

const LINE_BYTES_KEPT = 4_096;
const NEWLINE = 0x0a;

/** Passes everything on; counts the lines and keeps the last where it is short. */
class LineWatcher extends Transform {
  lineCount = 0;
  #tail = Buffer.alloc(0);

  get last(): string {
    return this.#tail.toString().trimEnd().split("\n").at(-1) ?? "";
  }

  override _transform(chunk: Buffer, _encoding: string, done: (error: null, chunk: Buffer) => void): void {
    for (let at = chunk.indexOf(NEWLINE); at >= 0; at = chunk.indexOf(NEWLINE, at + 1)) this.lineCount += 1;
    this.#tail = Buffer.concat([this.#tail, chunk]).subarray(-LINE_BYTES_KEPT);
    done(null, chunk);
  }
}

const CutLine = z.object({ callchain: z.object({ cut: z.string() }) });

/** Why the export is not everything, from its last line; null where it is. */
function readCut(line: string): string | null {
  if (!line.includes('"callchain"') || !line.startsWith("{")) return null;
  try {
    return CutLine.safeParse(JSON.parse(line)).data?.callchain.cut ?? null;
  } catch {
    // The end of a long line: spans, whatever they say.
    return null;
  }
}
