import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    root: new URL("..", import.meta.url).pathname,
    include: ["tests/**/*.test.ts"],
    exclude: ["tests/bench/**"],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    pool: "forks",
    maxWorkers: 2,
    // Tests that start and kill processes depend on a machine that schedules them in time; a test that fails twice more is broken.
    retry: process.env["CI"] ? 2 : 0,
    reporters: process.env["CI"] ? ["default", ["json", { outputFile: ".ci/reports/tests.json" }]] : ["default"],
  },
});
