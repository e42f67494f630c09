/**
 * Folds (`<details>`) whose state is in the address: `folds` names those that are not as they are at first. Keys have no comma; one
 * that stands for a part of a span has the span's id, so that it says nothing of other spans.
 */
import { router } from "./router.svelte.ts";

const PARAM = "folds";

function changedFolds(): string[] {
  return (router.params.get(PARAM) ?? "").split(",").filter((key) => key !== "");
}

export function isFoldOpen(key: string, isOpenAtFirst = false): boolean {
  return changedFolds().includes(key) !== isOpenAtFirst;
}

/** Attributes of the `<details>`. */
export function fold(
  key: string,
  isOpenAtFirst = false,
): { open: boolean; ontoggle: (event: Event & { currentTarget: HTMLDetailsElement }) => void } {
  return {
    open: isFoldOpen(key, isOpenAtFirst),
    ontoggle: ({ currentTarget }) => {
      // The browser tells of what the address has opened, too.
      if (currentTarget.open === isFoldOpen(key, isOpenAtFirst)) return;
      const changed = changedFolds();
      const others = changed.filter((other) => other !== key);
      router.setParams({ [PARAM]: (others.length < changed.length ? others : [...changed, key]).join(",") }, { replace: true });
    },
  };
}
