import { render } from "preact";
import { watchFigures } from "./live.js";
import { page, titleOf } from "./view.js";

const root = document.createElement("main");
document.body.append(root);

watchFigures((known) => {
  render(page(known), root);
  document.title = titleOf(known);
});
