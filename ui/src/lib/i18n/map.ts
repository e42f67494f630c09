/** The map page. */
export const MAP_TEXTS = {
  "map.title": ["x", "x"],
} as const;
