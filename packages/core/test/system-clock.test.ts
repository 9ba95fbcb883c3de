import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { systemClock } from "../src/clock.ts";

const DAY_MS = 86_400_000;

/** Node's timers, and those that stand in for them here, fire at once when a delay has more than 31 bits. */
describe("F116: a timer that is longer than Node's timers can be", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  test.each([24, 25, 60, 3650])("of %i days fires after so many days, and once", (days) => {
    const run = vi.fn<() => void>();
    systemClock.after(days * DAY_MS, run);
    vi.advanceTimersByTime(days * DAY_MS - 1);
    expect(run).not.toHaveBeenCalled();
    vi.advanceTimersByTime(1);
    vi.advanceTimersByTime(100 * DAY_MS);
    expect(run).toHaveBeenCalledOnce();
  });

  test("can be canceled in each of its parts", () => {
    for (const days of [1, 30, 59]) {
      const run = vi.fn<() => void>();
      const cancel = systemClock.after(60 * DAY_MS, run);
      vi.advanceTimersByTime(days * DAY_MS);
      cancel();
      vi.advanceTimersByTime(100 * DAY_MS);
      expect(run).not.toHaveBeenCalled();
    }
  });
});
