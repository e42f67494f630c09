/**
 * Jaeger v2 from its Go module. Its release 2.13.0 is the module version 1.76.0 (one commit, two tags: a v2 tag is not a version of a
 * module without /v2 in its path), the last one that the module has. It is built in the module's own directory, so that its own go.mod and go.sum
 * say what goes in; the module's checksum below pins those. The page is not part of the module, and no part of what is measured.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, renameSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { z } from "zod";
import { cacheDir, lastWords, type Found } from "./cache.ts";

export const JAEGER_VERSION = "2.13.0";
/** Of the OTLP receiver and the nop exporter that this Jaeger is built with. */
export const JAEGER_COLLECTOR_VERSION = "0.140.0";
const MODULE = "github.com/jaegertracing/jaeger@v1.76.0";
const MODULE_SUM = "h1:sWCOOF1dr+NL0PLil7mFo3BqqQL8k4WiM7aguFbc14g=";
const GO_MINOR_MIN = 25;

const Download = z.object({ Dir: z.string(), Sum: z.string() });

/** Builds it where it is not in the cache: about a quarter of an hour on two cores, once. */
export function findJaeger(): Found {
  const path = join(cacheDir(`jaeger-${JAEGER_VERSION}`), "jaeger");
  if (existsSync(path)) return { path };
  const minor = goMinor();
  if (minor === null || minor < GO_MINOR_MIN) return { missing: `no Go 1.${GO_MINOR_MIN} or later on PATH` };
  process.stderr.write(`building Jaeger ${JAEGER_VERSION} from its Go module; this takes about a quarter of an hour, once\n`);
  const failure = build(path);
  return failure === null ? { path } : { missing: failure };
}

function goMinor(): number | null {
  const { status, stdout } = spawnSync("go", ["env", "GOVERSION"], { encoding: "utf8" });
  const found = status === 0 ? /^go1\.(\d+)/.exec(stdout) : null;
  return found === null ? null : Number(found[1]);
}

/** Null where it worked. */
function build(path: string): string | null {
  const download = spawnSync("go", ["mod", "download", "-json", MODULE], { encoding: "utf8", cwd: "/" });
  const found = Download.safeParse(download.status === 0 ? JSON.parse(download.stdout) : null);
  if (!found.success) return `go did not download ${MODULE}: ${lastWords(download.stdout + download.stderr)}`;
  if (found.data.Sum !== MODULE_SUM) return `${MODULE} has checksum ${found.data.Sum}, expected ${MODULE_SUM}`;
  mkdirSync(join(path, ".."), { recursive: true });
  const work = `${path}.${process.pid}`;
  const env = { ...process.env, CGO_ENABLED: "0" };
  const args = ["build", "-C", found.data.Dir, "-trimpath", "-ldflags", "-s -w", "-o", work, "./cmd/jaeger"];
  const built = spawnSync("nice", ["go", ...args], { encoding: "utf8", env });
  if (built.status !== 0) return `go did not build Jaeger: ${built.error?.message ?? lastWords(built.stderr)}`;
  renameSync(work, path);
  return null;
}
