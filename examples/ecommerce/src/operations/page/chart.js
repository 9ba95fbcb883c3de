import { Component } from "preact";
import { html } from "./markup.js";
import { Plot } from "./plot.js";

/**
 * @import { Series } from "./plot.js"
 *
 * @typedef {object} Point
 * @property {number} at Where its interval begins, in seconds since 1970.
 * @property {number} value
 * @property {string} when In words.
 * @property {string} text The value in words, with what else is known.
 *
 * @typedef {object} Words What is said of them.
 * @property {string} name
 * @property {readonly Point[]} points Oldest first.
 * @property {string} empty What is said without points.
 *
 * @typedef {Omit<Series, "points"> & Words} ChartProps
 */

/**
 * Bars over time, with the one under the pointer in words above them, and all of them as a table for who can't see the canvas.
 *
 * @extends {Component<ChartProps, { pointed: number | undefined }>}
 */
export class ChartView extends Component {
  /** @type {Plot | undefined} */
  #plot;

  /** @readonly Called with the element when it is there, with null when it goes. @param {HTMLElement | null} host */
  #place = (host) => {
    this.#plot?.remove();
    this.#plot = host === null ? undefined : new Plot(host, this.props, (pointed) => this.#point(pointed));
  };

  /** @param {number | undefined} pointed */
  #point(pointed) {
    if (pointed !== this.state.pointed) this.setState({ pointed });
  }

  /** @override @param {ChartProps} before */
  componentDidUpdate(before) {
    const { points, to } = this.props;
    if (points !== before.points || to !== before.to) this.#plot?.show(this.props);
  }

  /** @override */
  render() {
    const { name, points, empty } = this.props;
    const shown = points.find(({ at }) => at === this.state.pointed) ?? points.at(-1);
    return html`
      <p class="reading">${shown === undefined ? "" : html`<span>${shown.when}</span> <b>${shown.text}</b>`}</p>
      <div class="frame" aria-hidden="true">
        <div ref=${this.#place}></div>
        ${points.length === 0 ? html`<p class="empty">${empty}</p>` : ""}
      </div>
      <details>
        <summary>As a table</summary>
        ${points.length === 0 ? html`<p>${empty}.</p>` : tableOf(name, points)}
      </details>
    `;
  }
}

/** @param {string} name @param {readonly Point[]} points */
function tableOf(name, points) {
  const rows = points
    .toReversed()
    .map(({ at, when, text }) => html`<tr key=${at}><th scope="row">${when}</th><td>${text}</td></tr>`);
  return html`<table><caption class="aside">${name}</caption><tbody>${rows}</tbody></table>`;
}
