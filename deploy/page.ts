import { existsSync } from "node:fs";
import { join } from "node:path";

const UI_DIR = join(import.meta.dirname, "../ui/dist");

/** Where `npm start` and the container image build the page; null where it is not built. */
export function findPage(): string | null {
  return existsSync(UI_DIR) ? UI_DIR : null;
}
