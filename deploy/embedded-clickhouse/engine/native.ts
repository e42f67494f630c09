/**
 * chDB's native addon, called below the `Session` class of the chdb package: a session closes its connection only when no operation of
 * the whole process is running, so under constant load closed sessions pile up. Here connections are opened and closed as sessions.ts wants
 * (opening one takes 0.2 to 0.6 ms once the engine runs); with one go its settings, parameters and current database.
 */
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

export interface NativeConnection {
  readonly native: unique symbol;
}

export interface NativeResult {
  readonly bytes: Uint8Array;
  /** Seconds of the last statement. */
  readonly elapsed: number;
  /** Rows of the result; for INSERT ... FROM INFILE the rows written. */
  readonly rowsRead: number;
  readonly bytesRead: number;
}

export interface NativeBinding {
  /** Opens the engine on the first call; all later ones must name the same directory. Blocks. Throws when the directory is locked. */
  CreateConnection(dir: string, args: readonly string[]): NativeConnection;
  CloseConnection(connection: NativeConnection): void;
  /** Blocks the event loop: for start-up only. */
  QueryWithConnection(connection: NativeConnection, sql: string, format: string): string;
  /** Runs statements separated by `;` on a libuv thread and returns what the last one answered. */
  QueryAsyncConnection(connection: NativeConnection, sql: string, format: string): Promise<NativeResult>;
}

/** Loads the addon. Takes 150 ms and maps 540 MB; throws with chdb's own advice where the platform has no build. */
export function loadNative(): NativeBinding {
  const require = createRequire(import.meta.url);
  const loader: { loadNative(): NativeBinding } = require(join(dirname(require.resolve("chdb")), "dist", "loader.js"));
  return loader.loadNative();
}
