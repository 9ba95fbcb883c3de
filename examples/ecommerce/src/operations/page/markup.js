import htm from "htm";
import { h } from "preact";

/**
 * Markup in templates, without a build step. A value becomes text or an attribute, never markup.
 *
 * @type {(strings: TemplateStringsArray, ...values: unknown[]) => import("preact").ComponentChild}
 */
export const html = htm.bind(h);
