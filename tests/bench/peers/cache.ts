/** Where the bench keeps other projects' releases: the user's cache directory, never the repository. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import process from "node:process";

/** A program that can be started, or why it is not here. */
export type Found =
  | { readonly path: string; readonly missing?: undefined }
  | { readonly path?: undefined; readonly missing: string };

export function cacheDir(name: string): string {
  return join(process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache"), "callchain", name);
}

export function sha256Of(path: string): string {
  return createHash("sha256").update(readFileSync(path)).digest("hex");
}

/** The last lines of a tool's output, as one: what a person needs to see why it failed. */
export function lastWords(output: string): string {
  return output.trim().split("\n").slice(-3).join(" ").slice(0, 400);
}
