/** Zipkin's server as its release has it: one jar that Maven fetches and a checksum verifies. */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { cacheDir, lastWords, sha256Of, type Found } from "./cache.ts";

export const ZIPKIN_VERSION = "3.6.1";
const SHA256 = "d8326e0ed4f43855dba81228f688554706e52578a7c782d9a90b73f8680654a1";
const COPY_GOAL = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy";
const JAR = `zipkin-server-${ZIPKIN_VERSION}-exec.jar`;
const JAVA_MIN = 17;

export function findZipkin(): Found {
  const java = javaVersion();
  if (java === null || java < JAVA_MIN) return { missing: `no Java ${JAVA_MIN} or later on PATH` };
  const dir = cacheDir(`zipkin-${ZIPKIN_VERSION}`);
  const path = join(dir, JAR);
  if (!existsSync(path)) {
    const failure = fetchJar(dir);
    if (failure !== null) return { missing: failure };
  }
  const sum = sha256Of(path);
  return sum === SHA256 ? { path } : { missing: `${path} has checksum ${sum}, expected ${SHA256}` };
}

function javaVersion(): number | null {
  const { status, stderr } = spawnSync("java", ["-version"], { encoding: "utf8" });
  const found = status === 0 ? /version "(\d+)/.exec(stderr) : null;
  return found === null ? null : Number(found[1]);
}

/** Null where it worked. */
function fetchJar(dir: string): string | null {
  process.stderr.write(`fetching Zipkin ${ZIPKIN_VERSION} through Maven\n`);
  mkdirSync(dir, { recursive: true });
  const work = mkdtempSync(join(dir, "fetch-"));
  try {
    const args = [
      "-q",
      "-B",
      COPY_GOAL,
      `-Dartifact=io.zipkin:zipkin-server:${ZIPKIN_VERSION}:jar:exec`,
      `-DoutputDirectory=${work}`,
    ];
    const { status, error, stdout } = spawnSync("mvn", args, { cwd: work, encoding: "utf8", timeout: 5 * 60_000 });
    if (status !== 0) return `Maven did not fetch Zipkin: ${error?.message ?? lastWords(stdout)}`;
    renameSync(join(work, JAR), join(dir, JAR));
    return null;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}
