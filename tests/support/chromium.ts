/**
 * The browser of the page's tests: a Chromium that is on the machine, or Debian's package, whose origin and checksum apt verifies.
 * CHROMIUM names another one.
 */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import process from "node:process";

const PLACES = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

/** Flags for a headless run that looks nothing up outside. Root (as in containers) cannot use the sandbox. */
export const CHROMIUM_FLAGS = [
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  ...(process.getuid?.() === 0 ? ["--no-sandbox"] : []),
];

export type FoundChromium =
  | { readonly path: string; readonly missing?: undefined }
  | { readonly path?: undefined; readonly missing: string };

/** Where the browser is, or why there is none. With `install` a missing one is installed from Debian's packages, given root. */
export function findChromium(options: { install: boolean }): FoundChromium {
  const named = process.env["CHROMIUM"];
  if (named !== undefined)
    return existsSync(named) ? { path: named } : { missing: `CHROMIUM names ${named}, which does not exist` };
  const path = PLACES.find((place) => existsSync(place));
  if (path !== undefined) return { path };
  if (!options.install) return { missing: `none of ${PLACES.join(", ")} exists` };
  if (process.getuid?.() !== 0 || !existsSync("/usr/bin/apt-get")) {
    return {
      missing: "no Chromium here, and only root on Debian can have it installed by this script; install it or set CHROMIUM",
    };
  }
  process.stdout.write("installing chromium and a CJK font from Debian's packages\n");
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  for (const args of [
    ["update"],
    ["install", "-y", "--no-install-recommends", "chromium", "fonts-dejavu-core", "fonts-noto-cjk"],
  ]) {
    const { status, stderr } = spawnSync("apt-get", ["-q", ...args], {
      env,
      stdio: ["ignore", "ignore", "pipe"],
      encoding: "utf8",
    });
    if (status !== 0) return { missing: `apt-get ${args[0]} failed: ${stderr.trim().split("\n").at(-1) ?? ""}` };
  }
  return findChromium({ install: false });
}
