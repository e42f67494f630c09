/** Runs load.ts on the sender's core. */
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { makeTempDir, removeDir } from "../../support/process.ts";
import type { LoadOptions, LoadResult } from "../load.ts";
import { SENDER_CORE } from "./system.ts";

/** Aborting ends the sender; the promise then rejects. */
export async function startLoad(options: LoadOptions, signal?: AbortSignal): Promise<LoadResult> {
  const load = join(import.meta.dirname, "../load.ts");
  const dir = makeTempDir();
  try {
    const resultPath = join(dir, "result.json");
    const given = JSON.stringify({ ...options, resultPath });
    await promisify(execFile)(
      "taskset",
      ["-c", String(SENDER_CORE), process.execPath, load, given],
      signal === undefined ? {} : { signal },
    );
    // Written by load.ts.
    return JSON.parse(readFileSync(resultPath, "utf8")) as LoadResult;
  } finally {
    removeDir(dir);
  }
}
