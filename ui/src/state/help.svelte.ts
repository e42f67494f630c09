/** Which dialog of the frame is open: the help of a page, that of the query language, or the command palette. */
export type HelpTopic = "services" | "search" | "map" | "service" | "diff" | "live" | "open" | "traceql";

class Help {
  topic = $state<HelpTopic | null>(null);
  open(topic: HelpTopic): void {
    this.topic = topic;
  }
  close(): void {
    this.topic = null;
  }
}

export const help = new Help();

class PaletteState {
  isOpen = $state(false);
}

export const palette = new PaletteState();
