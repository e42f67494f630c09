/** Which dialog of the frame is open: the help of a page, that of the query language, or the command palette. */
export type HelpTopic = "services" | "search" | "map" | "service" | "diff" | "live" | "open" | "traceql";

/** Each opening is one of its own: a dialog tells late that it was closed, when the next may be open already. */
export interface OpenHelp {
  readonly topic: HelpTopic;
}

class Help {
  shown = $state.raw<OpenHelp | null>(null);
  open(topic: HelpTopic): void {
    this.shown = { topic };
  }
  /** What is open, or only this where it still is. */
  close(only: OpenHelp | null = this.shown): void {
    if (this.shown === only) this.shown = null;
  }
}

export const help = new Help();

class PaletteState {
  isOpen = $state(false);
}

export const palette = new PaletteState();
