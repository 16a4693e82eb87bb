/// <reference types="vitest/config" />
import tailwindcss from "@tailwindcss/vite";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";
import { SERVED } from "./src/api.gen.ts";

const server = { target: process.env.PAIRSCOPE_URL ?? "http://127.0.0.1:8000" };

export default defineConfig({
  base: "/app/",
  plugins: [react(), tailwindcss()],
  build: {
    outDir: "../src/pairscope/static",
    emptyOutDir: true,
    sourcemap: false,
    assetsInlineLimit: 0, // the page's Content-Security-Policy allows no data: addresses
    chunkSizeWarningLimit: 800, // kB before compression; the budget is 260 kB after it
    modulePreload: { polyfill: false },
  },
  server: { proxy: { [`^/(${SERVED.join("|")})([/?]|$)`]: { ...server, ws: true } } },
  // A DOM takes a second to make: the files that need one say so in their first line.
  test: { environment: "node", include: ["src/**/*.test.{ts,tsx}"] },
});
