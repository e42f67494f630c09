/**
 * Apache Kafka for the tests: plain jars that Maven fetches and the list beside this file verifies, kept in the user's cache
 * directory. CALLCHAIN_KAFKA_JARS names another directory, which must hold the same files.
 */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import process from "node:process";

const KAFKA_VERSION = "4.1.1";
/** Writes what the broker logs to standard error. */
const SLF4J_SIMPLE_VERSION = "1.7.36";
const COPY_GOAL = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies";
/** Lines as sha256sum writes them; made from a directory that Maven had filled. */
const LIST = join(import.meta.dirname, "kafka-jars.sha256");

export type FoundKafka =
  | { readonly classPath: string; readonly missing?: undefined }
  | { readonly classPath?: undefined; readonly missing: string };

/** Where the jars are, or why there are none. With `install` missing ones are fetched. */
export function findKafka(options: { install: boolean }): FoundKafka {
  const java = javaVersion();
  if (java === null || java < 17) return { missing: "no Java 17 or later on PATH" };
  const named = process.env["CALLCHAIN_KAFKA_JARS"];
  const dir = named ?? join(process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache"), "callchain", `kafka-${KAFKA_VERSION}`);
  const fault = verify(dir);
  if (fault === null) return { classPath: join(dir, "*") };
  if (named !== undefined) return { missing: `CALLCHAIN_KAFKA_JARS names ${named}: ${fault}` };
  if (!options.install) return { missing: fault };
  const failure = fetchJars(dir);
  return failure === null ? { classPath: join(dir, "*") } : { missing: failure };
}

function javaVersion(): number | null {
  const { status, stderr } = spawnSync("java", ["-version"], { encoding: "utf8" });
  const found = /version "(\d+)/.exec(stderr);
  return status === 0 && found !== null ? Number(found[1]) : null;
}

/** Null where the directory holds exactly the listed files. */
function verify(dir: string): string | null {
  let present: string[];
  try {
    present = readdirSync(dir);
  } catch {
    return `${dir} is not there`;
  }
  const expected = new Map<string, string>();
  for (const line of readFileSync(LIST, "utf8").trim().split("\n")) {
    const [sum = "", name = ""] = line.split(/\s+/);
    expected.set(name, sum);
  }
  const stranger = present.find((name) => !expected.has(name));
  if (stranger !== undefined) return `${stranger} in ${dir} is not in the list of ${LIST}`;
  for (const [name, sum] of expected) {
    if (!present.includes(name)) return `${name} is not in ${dir}`;
    const actual = createHash("sha256")
      .update(readFileSync(join(dir, name)))
      .digest("hex");
    if (actual !== sum) return `${name} in ${dir} has checksum ${actual}, expected ${sum}`;
  }
  return null;
}

/** Null where it worked. Whole directories take each other's place, so that two at once do no harm. */
function fetchJars(dir: string): string | null {
  const parent = join(dir, "..");
  mkdirSync(parent, { recursive: true });
  const work = mkdtempSync(join(parent, "fetch-"));
  try {
    process.stdout.write(`fetching Apache Kafka ${KAFKA_VERSION} through Maven\n`);
    writeFileSync(join(work, "pom.xml"), pom());
    const jars = join(work, "jars");
    const { status, error, stdout } = spawnSync(
      "mvn",
      ["-q", "-B", COPY_GOAL, "-DincludeScope=runtime", `-DoutputDirectory=${jars}`],
      {
        cwd: work,
        encoding: "utf8",
        timeout: 5 * 60_000,
      },
    );
    if (status !== 0) return `Maven did not fetch Kafka: ${error?.message ?? stdout.trim().split("\n").slice(0, 3).join(" ")}`;
    const fault = verify(jars);
    if (fault !== null) return fault;
    rmSync(dir, { recursive: true, force: true });
    try {
      renameSync(jars, dir);
    } catch (failure) {
      if (verify(dir) !== null) throw failure;
    }
    return null;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

function pom(): string {
  const dependency = (group: string, artifact: string, version: string): string =>
    `<dependency><groupId>${group}</groupId><artifactId>${artifact}</artifactId><version>${version}</version></dependency>`;
  return `<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>callchain</groupId><artifactId>kafka-for-tests</artifactId><version>1</version><packaging>pom</packaging><dependencies>
${dependency("org.apache.kafka", "kafka_2.13", KAFKA_VERSION)}
${dependency("org.slf4j", "slf4j-simple", SLF4J_SIMPLE_VERSION)}
</dependencies></project>
`;
}
