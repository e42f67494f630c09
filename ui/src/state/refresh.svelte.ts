/** Asking again: by hand, or by itself every so often while the page is visible. */
export const REFRESH_SECONDS = [0, 5, 15, 60] as const;

class Refresh {
  /** Grows with every refresh: an effect that reads it loads again. */
  tick = $state(0);
  #everySeconds = $state(0);
  #timer: ReturnType<typeof setInterval> | undefined;

  now(): void {
    this.tick += 1;
  }

  /** 0: never. Lasts as long as the page. */
  get everySeconds(): number {
    return this.#everySeconds;
  }
  set everySeconds(seconds: number) {
    this.#everySeconds = seconds;
    clearInterval(this.#timer);
    if (seconds === 0) return;
    this.#timer = setInterval(() => {
      if (!document.hidden) this.now();
    }, seconds * 1000);
  }
}

export const refresh = new Refresh();
