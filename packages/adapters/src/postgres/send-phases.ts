import type { Send } from "@everstep/core";
import { eventKey, Places, runKey, type Use } from "./places.ts";
import { emitRow, messageColumns, PLACES, startRow, tagRows } from "./wave-rows.ts";
import type { Row, Wave } from "./waves.ts";

/** A send of the write `i`. */
export interface Sent {
  readonly send: Send;
  readonly i: number;
  readonly sender: string;
}

/** All that the advances of a wave send out. Here `i` is the place of a send among all of them, and `a` the write that it belongs to. */
export interface SendsRow {
  readonly phases: readonly SendPhase[];
  readonly marks: readonly { readonly i: number; readonly k: number; readonly seq: number | null }[];
  readonly guarded?: true;
}

interface SendPhase {
  /** Of the only one, where each has a phase. */
  k?: number;
  starts?: Row[];
  given?: Row[];
  names?: string[];
  awaits?: Row[];
  emits?: Row[];
  messages?: Row[];
}

/** Within a phase: starts, then events, then messages. */
const RANKS = { start: 0, emit: 1, message: 2 } as const;

/** `alone`: a phase for each. */
export function addSends(wave: Wave, sends: readonly Sent[], alone: boolean): void {
  const phases: SendPhase[] = [];
  const places = new Places<Send["kind"]>(
    (before, kind) => RANKS[before] < RANKS[kind] || (before === "message" && kind === "message"),
  );
  for (const [index, sent] of sends.entries()) {
    const place = alone ? places.placeApart() : places.place(usesOf(sent.send));
    const phase = (phases[place] ??= {});
    if (alone) phase.k = index + 1;
    addTo(phase, sent, index + 1);
  }
  const marks = sends.map(({ i, send: { seq } }, index) => ({ i, k: index + 1, seq }));
  (wave.extra ??= {}).sends = alone ? { phases, marks, guarded: true } : { phases, marks };
}

function usesOf(send: Send): readonly Use<Send["kind"]>[] {
  const how = send.kind;
  switch (send.kind) {
    case "start":
      return [{ key: runKey(send.run.id), how }];
    case "message":
      return [{ key: runKey(send.runId), how }];
    case "emit":
      return [
        { key: eventKey(send.event.name, send.event.id), how },
        { key: runKey(send.event.runPrefix), how, isPrefix: true },
      ];
  }
}

function addTo(phase: SendPhase, { send, i: a, sender }: Sent, k: number): void {
  switch (send.kind) {
    case "start": {
      const { run, key, awaited } = send;
      (phase.starts ??= []).push({ ...startRow(run, k), a, parent: sender, key, awaited });
      if (awaited) (phase.awaits ??= []).push({ i: k, a, id: run.id, key });
      if (run.version === null) (phase.names ??= []).push(run.workflow);
      for (const row of tagRows(run.tags, k)) (phase.given ??= []).push(row);
      return;
    }
    case "message":
      return void (phase.messages ??= []).push({ ...messageColumns(send, k), a });
    case "emit":
      return void (phase.emits ??= []).push({ ...emitRow(send.event, k), place: a * PLACES + k, a });
  }
}
