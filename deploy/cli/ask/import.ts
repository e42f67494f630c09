/** `callchain import FILE...`: files of OTLP/JSON into a running Callchain. */
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { request as requestHttp, type IncomingMessage } from "node:http";
import { request as requestHttps } from "node:https";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { ImportLine, type ImportCounts } from "@callchain/schemas/api/transfer.ts";
import { readConfig } from "@callchain/schemas/runtime/config.ts";
import type { ConfigSources } from "@callchain/schemas/runtime/config.ts";
import { Failure, InvalidError, messageOf } from "@callchain/schemas/span/errors.ts";
import { Progress } from "../progress.ts";
import { apiUrl, failureOf, unreachable, urlSetting } from "./client.ts";
import { clean } from "./format.ts";

export const importSettings = { url: urlSetting };

const MEGABYTE = 1_000_000;

/** `-` is standard input. Rejects with the first file that cannot be read to its end; files before it are imported. */
export async function importCommand(sources: ConfigSources, files: readonly string[]): Promise<void> {
  const { url } = readConfig(importSettings, sources);
  for (const file of files) {
    const { body, sizeBytes } = await openFile(file);
    const counts = await importOne(apiUrl(url, "/import"), file, body, sizeBytes);
    const leftOut = [
      ...(counts.rejectedSpanCount > 0 ? [`${counts.rejectedSpanCount} spans rejected`] : []),
      ...(counts.refusedCount > 0 ? [`${counts.refusedCount} elements of resourceSpans refused`] : []),
    ];
    process.stdout.write(`${[`${file}: ${counts.acceptedSpanCount} spans imported`, ...leftOut].join(", ")}\n`);
    if (leftOut.length > 0) process.exitCode = 1;
  }
}

async function openFile(file: string): Promise<{ body: Readable; sizeBytes: number | null }> {
  if (file === "-") return { body: process.stdin, sizeBytes: null };
  try {
    const { size } = await stat(file);
    return { body: createReadStream(file), sizeBytes: size };
  } catch (error) {
    throw new InvalidError(`${file}: ${messageOf(error)}`, { cause: error });
  }
}

async function importOne(url: URL, file: string, body: Readable, sizeBytes: number | null): Promise<ImportCounts> {
  const response = await send(url, file, body);
  if (response.statusCode !== 200) {
    throw failureOf(response.statusCode ?? 0, Buffer.concat(await response.toArray()).toString());
  }
  const progress = sizeBytes === null ? null : new Progress(file, "MB");
  const inMegabytes = (bytes: number): number => Math.round(bytes / (MEGABYTE / 10)) / 10;
  for await (const text of createInterface({ input: response })) {
    const line = ImportLine.parse(JSON.parse(text));
    if (line.type === "rejected") process.stderr.write(`${describeRejection(file, line)}\n`);
    else if (line.type === "failed") {
      const before = `${line.acceptedSpanCount} spans before it were imported`;
      throw new InvalidError(`${file}: ${line.problem.detail} (${before})`);
    } else {
      progress?.update(inMegabytes(line.readBytes), inMegabytes(sizeBytes ?? 0));
      if (line.type === "done") return line;
    }
  }
  throw new Failure("unavailable", `${file}: the connection was cut off before the import was done`);
}

/** Resolves with the answer's beginning, which comes while the file is still being sent. */
function send(url: URL, file: string, body: Readable): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const request = (url.protocol === "https:" ? requestHttps : requestHttp)(url, { method: "POST" });
    request.once("response", (response) => {
      resolve(response);
      // A refusal comes before the end of the file: the rest has no one to go to.
      if (response.statusCode !== 200) body.destroy();
    });
    // After the answer has begun, what it says tells more.
    request.on("error", (error) => reject(unreachable(url, error)));
    body.once("error", (error) => {
      request.destroy();
      reject(new InvalidError(`${file}: ${error.message}`, { cause: error }));
    });
    body.pipe(request);
  });
}

function describeRejection(file: string, line: Extract<ImportLine, { type: "rejected" }>): string {
  const where = line.lastLine > line.line ? `lines ${line.line} to ${line.lastLine}` : `line ${line.line}`;
  const what = line.spanCount === null ? "an element of resourceSpans was refused" : `${line.spanCount} spans were left out`;
  return `${file}, ${where}: ${what}: ${clean(line.reason)}`;
}
