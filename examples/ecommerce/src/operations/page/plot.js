import uPlot from "uplot";
import { timeOfDay } from "./wording.js";

/**
 * @typedef {object} Series
 * @property {string} color The variable of the style sheet that has it.
 * @property {readonly { at: number, value: number }[]} points An interval without a point is a gap.
 * @property {number} from In seconds since 1970, as is `at`, where the interval of a point begins.
 * @property {number} to
 * @property {number} step The length of an interval, in seconds.
 * @property {(value: number) => string} format
 * @property {number} leastMax The scale ends no lower.
 * @property {boolean} isWhole Values are whole numbers, and so is the scale.
 */

const HEIGHT = 190;
const FONT = "12px system-ui, sans-serif";
/** Steps of a scale of whole numbers. */
const WHOLE = [1, 10, 100, 1000, 10_000, 100_000, 1_000_000].flatMap((power) => [
  power,
  2 * power,
  5 * power,
]);
const { bars } = uPlot.paths;
const darkness = matchMedia("(prefers-color-scheme: dark)");

/** Bars over time in an element, as wide as that is. */
export class Plot {
  /** @readonly */
  #host;
  /** @readonly */
  #onPoint;
  #series;
  #plot;
  /** @readonly */
  #resized = new ResizeObserver(() => this.#plot.setSize({ width: this.#host.clientWidth, height: HEIGHT }));

  /**
   * @param {HTMLElement} host
   * @param {Series} series
   * @param {(at: number | undefined) => void} onPoint Told the interval under the pointer when that is another one.
   */
  constructor(host, series, onPoint) {
    this.#host = host;
    this.#series = series;
    this.#onPoint = onPoint;
    this.#plot = this.#draw();
    this.#resized.observe(host);
    darkness.addEventListener("change", this.#redraw);
  }

  /** @param {Series} series */
  show(series) {
    this.#series = series;
    this.#plot.setData(this.#data());
  }

  remove() {
    darkness.removeEventListener("change", this.#redraw);
    this.#resized.disconnect();
    this.#plot.destroy();
  }

  /** @readonly A canvas has no style sheet: other colours are another plot. */
  #redraw = () => {
    this.#plot.destroy();
    this.#plot = this.#draw();
  };

  #draw() {
    return new uPlot(this.#options(getComputedStyle(this.#host)), this.#data(), this.#host);
  }

  /** Every interval of the stretch, so that what is missing is seen. @returns {uPlot.AlignedData} */
  #data() {
    const { from, to, step, points } = this.#series;
    const values = new Map(points.map(({ at, value }) => [at, value]));
    const at = Array.from({ length: Math.round((to - from) / step) }, (_, place) => from + place * step);
    return [at, at.map((time) => values.get(time) ?? null)];
  }

  /** @param {CSSStyleDeclaration} style @returns {uPlot.Options} */
  #options(style) {
    return {
      width: this.#host.clientWidth,
      height: HEIGHT,
      padding: [8, 20, 0, 0],
      legend: { show: false },
      cursor: { y: false, drag: { x: false, y: false }, points: { show: false } },
      scales: {
        x: { range: () => [this.#series.from, this.#series.to] },
        y: {
          range: (_plot, _min, /** @type {number | null} */ max) => [
            0,
            Math.max((max ?? 0) * 1.1, this.#series.leastMax),
          ],
        },
      },
      axes: this.#axes(style),
      series: [{}, this.#bars(style.getPropertyValue(this.#series.color))],
      hooks: { setCursor: [(plot) => this.#onPoint(plot.data[0][plot.cursor.idx ?? -1])] },
    };
  }

  /** To the right of where its interval begins, and not quite as wide. @param {string} fill @returns {uPlot.Series} */
  #bars(fill) {
    if (bars === undefined) throw new Error("this build of uPlot draws no bars");
    return {
      fill,
      points: { show: false },
      paths: bars({ align: 1, size: [0.8, 48], gap: 1, radius: 0.12 }),
    };
  }

  /** @param {CSSStyleDeclaration} style @returns {uPlot.Axis[]} */
  #axes(style) {
    const stroke = style.getPropertyValue("--dim");
    const line = { stroke: style.getPropertyValue("--line"), width: 1 };
    return [
      {
        stroke,
        font: FONT,
        space: 56,
        size: 28,
        grid: { show: false },
        ticks: { ...line, size: 4 },
        values: (_plot, times) => times.map(timeOfDay),
      },
      {
        stroke,
        font: FONT,
        space: 36,
        size: 56,
        grid: line,
        ticks: { show: false },
        ...(this.#series.isWhole ? { incrs: WHOLE } : {}),
        values: (_plot, values) => values.map(this.#series.format),
      },
    ];
  }
}
