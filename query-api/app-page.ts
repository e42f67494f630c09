/** The built page: hashed assets for ever, index.html for every page address. */
import { join } from "node:path";
import express, { Router, type Router as ExpressRouter } from "express";

/** Vite puts files whose names carry a content hash into `assets`. */
export function servePage(uiDir: string): ExpressRouter {
  const router = Router();
  router.use(
    "/assets",
    express.static(join(uiDir, "assets"), { immutable: true, maxAge: "365d", index: false, redirect: false }),
  );
  router.use(express.static(uiDir, { index: false, redirect: false, maxAge: 0 }));
  router.get("/{*page}", (request, response, next) => {
    const isPage = request.accepts("html") !== false && !request.path.startsWith("/assets/") && !/\.\w{1,5}$/.test(request.path);
    if (!isPage) {
      next();
      return;
    }
    response.set("Cache-Control", "no-cache").sendFile("index.html", { root: uiDir });
  });
  return router;
}
