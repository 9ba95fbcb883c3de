/** Keys of bodies: a step's undo is a body of its own, under the key that the engine gives to its row. */
const UNDO = "#undo";

export function undoKey(step: string): string {
  return `${step}${UNDO}`;
}

export function isUndo(key: string): boolean {
  return key.endsWith(UNDO);
}

/** The step that a body belongs to. */
export function stepOf(key: string): string {
  return isUndo(key) ? key.slice(0, -UNDO.length) : key;
}
