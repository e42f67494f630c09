/** What is kept in this browser. Storage is refused in some private windows; preferences then last as long as the page. */

const KEY_PREFIX = "callchain.";

export function loadPreference(key: string): string | null {
  try {
    return localStorage.getItem(KEY_PREFIX + key);
  } catch {
    return null;
  }
}

export function savePreference(key: string, value: string): void {
  try {
    localStorage.setItem(KEY_PREFIX + key, value);
  } catch {
    // Refused or full: see the head of this file.
  }
}
