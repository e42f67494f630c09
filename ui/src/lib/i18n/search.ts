/** The search page. */
export const SEARCH_TEXTS = {
  "search.title": ["x", "x"],
} as const;
