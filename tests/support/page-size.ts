/**
 * What a browser downloads for the pages, compressed, against the most that it may be (`npm run check`). The build's manifest says
 * which files a page needs before it shows; code that waits for a click counts in the sum of all alone.
 */
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { gzipSync } from "node:zlib";
import { z } from "zod";
import { ROOT } from "./process.ts";

const DIST = join(ROOT, "ui/dist");
const KB = 1000;

const Manifest = z.record(
  z.string(),
  z.object({ file: z.string(), imports: z.array(z.string()).optional(), isEntry: z.boolean().optional() }),
);

/** Pages with a bound of their own: the entry and these sources. */
const BOUNDED: readonly (readonly [name: string, source: string, maxBytes: number])[] = [
  ["first route", "src/views/services/ServicesPage.svelte", 90 * KB],
  ["trace page", "src/views/trace/TracePage.svelte", 130 * KB],
];
const ALL_BYTES_MAX = 350 * KB;

export interface PageSize {
  readonly name: string;
  /** Of the JavaScript, gzip. */
  readonly bytes: number;
  readonly maxBytes: number;
}

function gzBytes(file: string): number {
  return gzipSync(readFileSync(join(DIST, file))).length;
}

/** Workers are named in the code that starts them, not in the manifest. */
function workersIn(file: string): string[] {
  const text = readFileSync(join(DIST, file), "utf8");
  return [...text.matchAll(/assets\/[\w-]+-worker-[\w-]+\.js/g)].map(([path]) => path);
}

export function measurePageSizes(): PageSize[] {
  const manifest = Manifest.parse(JSON.parse(readFileSync(join(DIST, ".vite/manifest.json"), "utf8")));
  const filesOf = (sources: readonly string[]): Set<string> => {
    const files = new Set<string>();
    const open = [...sources];
    for (let source = open.pop(); source !== undefined; source = open.pop()) {
      const chunk = manifest[source];
      if (chunk === undefined) throw new Error(`the page's build knows no ${source}; is it built?`);
      if (files.has(chunk.file)) continue;
      files.add(chunk.file);
      open.push(...(chunk.imports ?? []));
      for (const worker of workersIn(chunk.file)) files.add(worker);
    }
    return files;
  };
  const sum = (files: Iterable<string>): number => [...files].reduce((bytes, file) => bytes + gzBytes(file), 0);
  const entry = Object.entries(manifest)
    .filter(([, { isEntry }]) => isEntry === true)
    .map(([source]) => source);
  const all = readdirSync(join(DIST, "assets")).filter((file) => file.endsWith(".js"));
  return [
    ...BOUNDED.map(([name, source, maxBytes]) => ({ name, bytes: sum(filesOf([...entry, source])), maxBytes })),
    { name: "all", bytes: sum(all.map((file) => join("assets", file))), maxBytes: ALL_BYTES_MAX },
  ];
}

if (import.meta.main) {
  for (const { name, bytes, maxBytes } of measurePageSizes()) {
    const isFine = bytes <= maxBytes;
    process.stdout.write(`${name}: ${(bytes / KB).toFixed(1)} of ${maxBytes / KB} KB gzip${isFine ? "" : ", too large"}\n`);
    if (!isFine) process.exitCode = 1;
  }
}
