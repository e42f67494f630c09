/** Runs load.ts on the sender's core. */
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import type { LoadOptions, LoadResult } from "../load.ts";
import { SENDER_CORE } from "./system.ts";

const OUTPUT_BYTES_MAX = 1 << 26;

export async function startLoad(options: LoadOptions): Promise<LoadResult> {
  const load = join(import.meta.dirname, "../load.ts");
  const args = ["-c", String(SENDER_CORE), process.execPath, load, JSON.stringify(options)];
  const { stdout } = await promisify(execFile)("taskset", args, { maxBuffer: OUTPUT_BYTES_MAX });
  // Printed by load.ts.
  return JSON.parse(stdout) as LoadResult;
}
