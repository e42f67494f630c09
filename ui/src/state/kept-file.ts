/**
 * The file that a tab has open, kept in this browser so that a reload or a link within the tab still finds it. Where storage is refused or
 * full, the file lasts as long as the page. Closing the file forgets it; what a closed tab left behind goes after a day.
 */
const DATABASE = "callchain";
const STORE = "files";
const TAB_KEY = "callchain.opened-file";
const KEPT_MS = 86_400_000;

interface Kept {
  readonly name: string;
  readonly blob: Blob;
  readonly atMs: number;
}

/** This tab's key in the store; null while it has no file. */
function tabKey(): string | null {
  try {
    return sessionStorage.getItem(TAB_KEY);
  } catch {
    return null;
  }
}

/** Whether the tab had a file before it was loaded; known at once. */
export function hasKeptFile(): boolean {
  return tabKey() !== null;
}

function openStore(): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(DATABASE, 1);
    request.addEventListener("upgradeneeded", () => request.result.createObjectStore(STORE));
    request.addEventListener("success", () => resolve(request.result));
    request.addEventListener("error", () => reject(request.error ?? new Error("the browser refuses storage")));
  });
}

/** Runs one transaction; resolves with what `run` asked for, once everything is stored. */
async function transact<T>(mode: IDBTransactionMode, run: (store: IDBObjectStore) => IDBRequest<T>): Promise<T> {
  const database = await openStore();
  try {
    return await new Promise((resolve, reject) => {
      const transaction = database.transaction(STORE, mode);
      const request = run(transaction.objectStore(STORE));
      transaction.addEventListener("complete", () => resolve(request.result));
      transaction.addEventListener("abort", () => reject(transaction.error ?? new Error("the browser could not store it")));
    });
  } finally {
    database.close();
  }
}

function isKept(value: unknown): value is Kept {
  return typeof value === "object" && value !== null && "blob" in value && value.blob instanceof Blob && "name" in value;
}

export async function keepFile(file: File): Promise<void> {
  const key = tabKey() ?? crypto.randomUUID();
  const kept: Kept = { name: file.name, blob: file, atMs: Date.now() };
  try {
    await transact("readwrite", (store) => {
      removeOld(store);
      return store.put(kept, key);
    });
    sessionStorage.setItem(TAB_KEY, key);
  } catch {
    // Refused or full: see the head of this file.
    forgetFile();
  }
}

function removeOld(store: IDBObjectStore): void {
  const cursors = store.openCursor();
  cursors.addEventListener("success", () => {
    const cursor = cursors.result;
    if (cursor === null) return;
    const value: unknown = cursor.value;
    if (!isKept(value) || value.atMs < Date.now() - KEPT_MS) cursor.delete();
    cursor.continue();
  });
}

/** The file that the tab had; null where there is none any more. */
export async function findKeptFile(): Promise<File | null> {
  const key = tabKey();
  if (key === null) return null;
  try {
    const value: unknown = await transact<unknown>("readonly", (store) => store.get(key));
    if (isKept(value)) return new File([value.blob], value.name);
  } catch {
    // As if it had never been kept.
  }
  forgetFile();
  return null;
}

export function forgetFile(): void {
  const key = tabKey();
  if (key === null) return;
  sessionStorage.removeItem(TAB_KEY);
  transact("readwrite", (store) => store.delete(key)).catch(() => {
    // It goes with the next file that is kept a day from now.
  });
}
