import { Component, createRef } from "preact";
import { html } from "./markup.js";

/** @import { RefObject } from "preact" */

/** How long the button says that it has copied. */
const SAID_MS = 2000;

/**
 * A command with a button that copies it. Where the browser allows no page to copy, it is selected, so that the keyboard does.
 *
 * @extends {Component<{ command: string, about: string }, { said: string }>}
 */
export class CommandLine extends Component {
  /** @readonly @type {RefObject<HTMLElement | null>} */
  #code = createRef();
  /** @override */
  state = { said: "" };

  /** @readonly */
  #copy = async () => {
    try {
      await navigator.clipboard.writeText(this.props.command);
      this.#say("Copied");
    } catch {
      if (this.#code.current !== null) getSelection()?.selectAllChildren(this.#code.current);
      this.#say("Selected");
    }
  };

  /** @param {string} said */
  #say(said) {
    this.setState({ said });
    setTimeout(() => this.setState({ said: "" }), SAID_MS);
  }

  /** @override */
  render() {
    const { command, about } = this.props;
    const { said } = this.state;
    return html`
      <div class="command">
        <code ref=${this.#code} dir="ltr">${command}</code>
        <button type="button" onClick=${this.#copy} aria-label=${`Copy the command that explains ${about}`}>
          ${said === "" ? "Copy" : said}
        </button>
        <span class="aside" role="status">${said === "" ? "" : `${said}: ${command}`}</span>
      </div>
    `;
  }
}
