// Prints the one line that a CI service reads: `N passed, N failed[, N skipped]`. Without a readable report it counts one failure, so that a run
// that never got to its tests is not green. Usage: node .ci/summary.mjs <report.json>
import { readFileSync } from "node:fs";

const counts = countsIn(process.argv[2] ?? ".ci/reports/tests.json");
const skipped = counts.skipped > 0 ? `, ${counts.skipped} skipped` : "";
process.stdout.write(`${counts.passed} passed, ${counts.failed} failed${skipped}\n`);

function countsIn(path) {
  try {
    const report = JSON.parse(readFileSync(path, "utf8"));
    const { numPassedTests: passed, numFailedTests: tests, numPendingTests: pending, numTodoTests: todo } = report;
    // A file that could not be loaded fails as a suite and has no tests.
    const suites = report.testResults.filter(
      (file) => file.status === "failed" && file.assertionResults.every((test) => test.status !== "failed"),
    ).length;
    if (![passed, tests, pending, todo].every(Number.isInteger) || passed + tests === 0) throw new Error("no tests in the report");
    return { passed, failed: tests + suites, skipped: pending + todo };
  } catch {
    return { passed: 0, failed: 1, skipped: 0 };
  }
}
