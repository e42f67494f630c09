import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { Failure } from "../span/errors.ts";
import { lockDirectory } from "./directory-lock.ts";

const root = mkdtempSync(join(tmpdir(), "callchain-lock-"));
after(() => rmSync(root, { recursive: true, force: true }));

const holder = `
  import { lockDirectory } from ${JSON.stringify(new URL("./directory-lock.ts", import.meta.url).href)};
  lockDirectory(process.argv[1], "--data-dir");
  process.stdout.write("held");
  setInterval(() => {}, 1000);
`;

test("a second process is told which one holds the directory, and a kill -9 of the holder frees it", async () => {
  const dir = join(root, "held");
  const child = spawn(process.execPath, ["--input-type=module-typescript", "-e", holder, dir], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  await once(child.stdout, "data");
  after(() => child.kill("SIGKILL"));
  assert.throws(
    () => lockDirectory(dir, "--data-dir"),
    (error) => {
      assert.ok(error instanceof Failure);
      assert.equal(error.code, "unavailable");
      assert.match(error.message, new RegExp(`held is in use by process ${child.pid} .*--data-dir`));
      return true;
    },
  );
  child.kill("SIGKILL");
  await once(child, "exit");
  lockDirectory(dir, "--data-dir").release();
});

test("the same process cannot take a directory twice, and can once it was released", () => {
  const dir = join(root, "twice");
  const first = lockDirectory(dir, "--data-dir");
  assert.throws(() => lockDirectory(dir, "--data-dir"), /in use by process/);
  first.release();
  lockDirectory(dir, "--data-dir").release();
});

test("a path that cannot be a directory is refused with its name", () => {
  assert.throws(() => lockDirectory("/dev/null/data", "--data-dir"), /\/dev\/null\/data.*--data-dir/);
});
