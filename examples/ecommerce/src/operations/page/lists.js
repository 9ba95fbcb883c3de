import { h } from "preact";
import { CommandLine } from "./command-line.js";
import { html } from "./markup.js";
import { dayAndTime, howLong, number, took, visible, whyCommand } from "./wording.js";

/**
 * @import { StepLatency, StuckRun } from "../figures.ts"
 * @import { Reading } from "../figures-feed.ts"
 */

const STUCK_MAX = 100;

/** Of so many runs that need a person. */
export const stuckCount = (/** @type {readonly StuckRun[]} */ rows) =>
  rows.length > STUCK_MAX ? `${STUCK_MAX}+` : String(rows.length);

/** @param {Reading<readonly StuckRun[]>} reading @param {number} now */
export function stuckList({ rows, age }, now) {
  if (rows.length === 0) {
    return html`<p class="calm">${age === null ? "Not known yet." : "None. Every order gets on by itself."}</p>`;
  }
  const more = html`<p class="dim">There are more: <code>everstep list --status stuck</code></p>`;
  return html`
    <ul class="stuck">${rows.slice(0, STUCK_MAX).map((row) => stuckItem(row, now))}</ul>
    ${rows.length > STUCK_MAX ? more : ""}
  `;
}

/** @param {StuckRun} run @param {number} now */
function stuckItem({ run, workflow, code, step, at }, now) {
  const command = whyCommand(run);
  const name = visible(run);
  return html`
    <li key=${run}>
      <div class="who">
        <bdi class="id">${name}</bdi>
        <span class="dim">${visible(workflow)}${step === "" ? "" : `, at ${visible(step)}`}</span>
      </div>
      <div class="what">
        <code class="code">${visible(code)}</code>
        <span class="dim">for ${howLong(now - at * 1000)}, since <time datetime=${new Date(at * 1000).toISOString()}>${dayAndTime(at)}</time></span>
      </div>
      ${command === undefined ? html`<p class="dim">This is no id that a run can have.</p>` : h(CommandLine, { command, about: name })}
    </li>
  `;
}

/** The scale of the bars: from one millisecond to as long as a mail server may take. */
const SCALE_MAX_MS = 30_000;

/** @param {Reading<readonly StepLatency[]>} reading */
export function latencyTable({ rows, age }) {
  if (rows.length === 0) {
    return html`<p class="calm">${age === null ? "Not known yet." : "No steps in the last hour."}</p>`;
  }
  return html`
    <div class="scroll" tabindex="0" role="region" aria-label="Step latency, table">
      <table class="latency">
        <thead>
          <tr>
            <th scope="col">Step</th>
            <th scope="col" class="figure bodies">Bodies</th>
            <th scope="col" class="figure">p50</th>
            <th scope="col" class="figure">p95</th>
            <th scope="col" class="figure">p99</th>
            <th class="range" aria-hidden="true"><span>1 ms</span><span>30 s</span></th>
          </tr>
        </thead>
        <tbody>${rows.map(latencyRow)}</tbody>
      </table>
    </div>
  `;
}

/** @param {StepLatency} row */
function latencyRow({ workflow, step, count, p50Ms, p95Ms, p99Ms }) {
  return html`
    <tr key=${`${workflow}\n${step}`}>
      <th scope="row"><span class="dim">${visible(workflow)} / </span>${visible(step)}</th>
      <td class="figure bodies">${number(count)}</td>
      <td class="figure">${took(p50Ms)}</td>
      <td class="figure">${took(p95Ms)}</td>
      <td class="figure">${took(p99Ms)}</td>
      <td class="range" aria-hidden="true">
        <div class="track">
          <span class="span" style=${{ left: `${placeOf(p50Ms)}%`, right: `${100 - placeOf(p99Ms)}%` }}></span>
          <span class="mark" style=${{ left: `${placeOf(p95Ms)}%` }}></span>
        </div>
      </td>
    </tr>
  `;
}

/** On a scale of factors, in percent. @param {number} ms */
function placeOf(ms) {
  return (100 * Math.log(Math.min(Math.max(ms, 1), SCALE_MAX_MS))) / Math.log(SCALE_MAX_MS);
}
