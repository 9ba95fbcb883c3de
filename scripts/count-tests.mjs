// Prints the last line of `.ci/run` and sets its exit code: `count-tests.mjs <report> <exit code>…`.
//
// The report is what vitest's JSON reporter wrote. A file that does not load and a command that fails without a
// failed test (a check, a crash of the runner) count as one failure each: the line never says 0 when the exit code
// does not. Runs on the machine's own Node.js, like run.mjs.
import { readFileSync } from "node:fs";

/** @typedef {{ status: string, assertionResults: { status: string }[] }} TestFile */

/**
 * @param {string} path
 * @returns {TestFile[]}
 */
function readReport(path) {
  try {
    const report = /** @type {{ testResults: TestFile[] }} */ (JSON.parse(readFileSync(path, "utf8")));
    return report.testResults;
  } catch {
    console.error("The test run left no report.");
    return [];
  }
}

const [path = "", ...exitCodes] = process.argv.slice(2);
const files = readReport(path);
const tests = files.flatMap((file) => file.assertionResults);

const passed = tests.filter(({ status }) => status === "passed").length;
const failedTests = tests.filter(({ status }) => status === "failed").length;
const brokenFiles = files.filter(
  (file) => file.status === "failed" && file.assertionResults.every(({ status }) => status !== "failed"),
).length;

const testsExit = exitCodes.pop();
const succeeded = testsExit === "0" && passed > 0;
const unexplained = !succeeded && failedTests + brokenFiles === 0 ? 1 : 0;
const failedChecks = exitCodes.filter((code) => code !== "0").length;
if (failedChecks > 0) console.log("The checks above failed; they count as one failure.");
if (unexplained > 0)
  console.log("No test failed and still the run did, or none ran; it counts as one failure.");

const failed = failedTests + brokenFiles + unexplained + failedChecks;
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
