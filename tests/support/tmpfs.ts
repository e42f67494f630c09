/** A small file system of its own, for tests of a full disk. Only root can mount one. */
import { execFileSync } from "node:child_process";
import { closeSync, mkdirSync, openSync, rmSync, statfsSync, writeSync } from "node:fs";
import { join } from "node:path";
import { makeTempDir, removeDir } from "./process.ts";

const MIB = 1024 * 1024;

export interface SmallDisk {
  /** Where it is mounted. */
  readonly dir: string;
  freeBytes(): number;
  /** Takes all but so many bytes of the free space. */
  fill(leaveBytes: number): void;
  /** Gives back what `fill` took. */
  clear(): void;
  unmount(): void;
}

/** Why there is none, where there is none; with CI=true root must have one, so that a full disk is surely tested. */
export function mountSmallDisk(megabytes: number): SmallDisk | { readonly missing: string } {
  const dir = makeTempDir();
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", `size=${megabytes}m`, "tmpfs", dir], { stdio: "ignore" });
  } catch (error) {
    removeDir(dir);
    if (process.env["CI"] === "true" && process.getuid?.() === 0) throw error;
    return { missing: "this user cannot mount a small tmpfs, so a full disk is not tested" };
  }
  const filler = join(dir, "filler");
  const freeBytes = (): number => {
    const { bavail, bsize } = statfsSync(dir);
    return bavail * bsize;
  };
  mkdirSync(join(dir, "data"));
  return {
    dir,
    freeBytes,
    fill: (leaveBytes) => {
      const file = openSync(filler, "a");
      const block = Buffer.alloc(MIB);
      while (freeBytes() > leaveBytes) writeSync(file, block, 0, Math.min(MIB, Math.max(4096, freeBytes() - leaveBytes)));
      closeSync(file);
    },
    clear: () => rmSync(filler, { force: true }),
    unmount: () => {
      // Lazy: a process that a failed test left behind must not keep it.
      execFileSync("umount", ["--lazy", dir]);
      removeDir(dir);
    },
  };
}
