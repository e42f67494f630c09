/** What the kernel says of processes (Linux): CPU seconds and resident memory of a process and all its children. */
import { readFileSync, readdirSync } from "node:fs";
import { spawnSync } from "node:child_process";

const TICKS_PER_SECOND = 100;

function statOf(pid: number): { parent: number; cpuSeconds: number } | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "utf8");
    // Fields after the command name, which may hold spaces: state ppid pgrp ... utime(14) stime(15).
    const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
    return { parent: Number(fields[1]), cpuSeconds: (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND };
  } catch {
    return undefined;
  }
}

/** The process and its descendants. */
export function familyOf(pid: number): number[] {
  const parents = new Map(
    readdirSync("/proc")
      .map(Number)
      .filter((id) => id > 0)
      .map((id) => [id, statOf(id)?.parent ?? 0]),
  );
  const family = [pid];
  for (const member of family) family.push(...[...parents].filter(([, parent]) => parent === member).map(([id]) => id));
  return family;
}

export function cpuSecondsOf(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => sum + (statOf(pid)?.cpuSeconds ?? 0), 0);
}

export function rssBytesOf(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => {
    try {
      return sum + Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0) * 1024;
    } catch {
      return sum;
    }
  }, 0);
}

/** Binds a process, its threads and its children to one processor, where taskset is there. Says whether it did. */
export function pin(pids: readonly number[], processor: number): boolean {
  return pids.every((pid) => spawnSync("taskset", ["-a", "-p", "-c", String(processor), String(pid)]).status === 0);
}

export function bytesOnDisk(path: string): number {
  return Number(spawnSync("du", ["-sb", path], { encoding: "utf8" }).stdout.split("\t")[0] ?? 0);
}

/** What the files below really take: a file that was made large ahead of its content counts by its blocks. */
export function bytesAllocated(path: string): number {
  return Number(spawnSync("du", ["-s", "--block-size=1", path], { encoding: "utf8" }).stdout.split("\t")[0] ?? 0);
}
