import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vite";

/** Where `npm run dev` finds the query API; the production build is served by the query API itself. */
const API_URL = process.env["CALLCHAIN_API_URL"] ?? "http://127.0.0.1:16686";

export default defineConfig({
  plugins: [svelte()],
  server: { proxy: { "/api": { target: API_URL, changeOrigin: true } } },
  build: {
    target: "es2023",
    // Served under CSP `script-src 'self'`: no data: URLs and no inline polyfill.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    // What each page loads, for the check of its size.
    manifest: true,
    chunkSizeWarningLimit: 400,
  },
  worker: { format: "es" },
});
