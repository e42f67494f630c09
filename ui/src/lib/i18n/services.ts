/** The services page. */
export const SERVICES_TEXTS = {
  "services.title": ["x", "x"],
} as const;
