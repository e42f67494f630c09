/** The directory of segments while the log runs: one is being written, those before it are sealed, released ones are removed. */
import { open, rename, rm, type FileHandle } from "node:fs/promises";
import { join } from "node:path";
import type { Log } from "@callchain/schemas/runtime/log.ts";
import { HEADER_BYTES, encodeHeader, segmentName } from "./format.ts";
import type { Segment } from "./recover.ts";

export class Segments {
  readonly #dir: string;
  readonly #logger: Log;
  /** Oldest first. The newest stays even when it was released: its name holds the offsets above those of earlier lives. */
  readonly #all: Segment[];
  /** Written by an earlier process, which may have died at it. */
  readonly #recovered: ReadonlySet<Segment>;
  #active: { readonly segment: Segment; readonly file: FileHandle } | null = null;
  readonly #damaged = new Set<Segment>();
  #releasedThrough = -1n;
  #sealedUnreleasedBytes = 0;

  constructor(dir: string, recovered: readonly Segment[], logger: Log) {
    this.#dir = dir;
    this.#all = [...recovered];
    this.#recovered = new Set(recovered);
    this.#logger = logger;
    this.#countSealed();
  }

  get count(): number {
    return this.#all.length;
  }

  get lastOffset(): bigint {
    return this.#all.at(-1)?.lastOffset ?? -1n;
  }

  /** Above every offset and every file name that was ever used here. */
  get endOffset(): bigint {
    const newest = this.#all.at(-1);
    if (newest === undefined) return 0n;
    return newest.lastOffset >= newest.firstOffset ? newest.lastOffset + 1n : newest.firstOffset + 1n;
  }

  get active(): { readonly segment: Segment; readonly file: FileHandle } | null {
    return this.#active;
  }

  /** Bytes of segments that hold records not yet released. */
  get unreleasedBytes(): number {
    return this.#sealedUnreleasedBytes + (this.#active?.segment.bytes ?? 0);
  }

  isActive(segment: Segment): boolean {
    return this.#active?.segment === segment;
  }

  /** Whether this process wrote it. */
  isOwn(segment: Segment): boolean {
    return !this.#recovered.has(segment);
  }

  /** The oldest segment that holds a record at `position` or behind it. */
  from(position: bigint): Segment | undefined {
    return this.#all.find((segment) => segment.lastOffset >= position);
  }

  /** Seals the active segment, if there is one, and opens the next; its existence is synced. Throws what the file system throws. */
  async openNext(firstOffset: bigint): Promise<{ readonly segment: Segment; readonly file: FileHandle }> {
    await this.seal();
    const previous = this.#all.at(-1) ?? null;
    const path = join(this.#dir, segmentName(firstOffset));
    const file = await open(path, "wx");
    try {
      const header = encodeHeader({ firstOffset, previous });
      const { bytesWritten } = await file.write(header, 0, HEADER_BYTES, 0);
      if (bytesWritten < HEADER_BYTES) throw new Error(`${path}: ${bytesWritten} of ${HEADER_BYTES} bytes were written`);
      await file.datasync();
      await this.#syncDirectory();
    } catch (error) {
      await file.close();
      await rm(path, { force: true });
      throw error;
    }
    const segment: Segment = { path, firstOffset, bytes: HEADER_BYTES, lastOffset: firstOffset - 1n };
    this.#all.push(segment);
    this.#active = { segment, file };
    await this.#removeReleased();
    return this.#active;
  }

  /** Nothing more is appended to the active segment. */
  async seal(): Promise<void> {
    const active = this.#active;
    this.#active = null;
    this.#countSealed();
    await active?.file.close();
  }

  /** The records through this offset are no longer needed: sealed segments that hold nothing else are removed. */
  async release(offset: bigint): Promise<void> {
    if (offset <= this.#releasedThrough) return;
    this.#releasedThrough = offset;
    this.#countSealed();
    await this.#removeReleased();
  }

  isReleased(segment: Segment): boolean {
    return segment.lastOffset <= this.#releasedThrough;
  }

  /** Damage was found in this segment: it is set aside instead of removed, so that it can be looked at. */
  markDamaged(segment: Segment): void {
    this.#damaged.add(segment);
  }

  #countSealed(): void {
    this.#sealedUnreleasedBytes = 0;
    for (const segment of this.#all) {
      if (!this.isActive(segment) && !this.isReleased(segment)) this.#sealedUnreleasedBytes += segment.bytes;
    }
  }

  async #removeReleased(): Promise<void> {
    for (;;) {
      const oldest = this.#all[0];
      if (oldest === undefined || this.#all.length === 1 || !this.isReleased(oldest)) return;
      this.#all.shift();
      if (this.#damaged.delete(oldest)) {
        await rename(oldest.path, `${oldest.path}.damaged`);
        this.#logger.error({ file: `${oldest.path}.damaged` }, "a damaged log segment was set aside");
      } else {
        await rm(oldest.path, { force: true });
      }
    }
  }

  /** A new file's name is only safe once its directory is synced (fsync(2)). Windows cannot open directories and needs no sync. */
  async #syncDirectory(): Promise<void> {
    if (process.platform === "win32") return;
    const directory = await open(this.#dir, "r");
    try {
      await directory.sync();
    } finally {
      await directory.close();
    }
  }
}
