/** The files of a project that begins. They lie beside this package's manifest, so that they are checked and run as they are. */
import { readFile } from "node:fs/promises";
import manifest from "../package.json" with { type: "json" };

export interface StarterFile {
  readonly name: string;
  readonly text: string;
}

const COPIED = ["workflows.ts", "worker.ts", "tsconfig.json", "README.md"];

export async function starterFiles(name: string): Promise<readonly StarterFile[]> {
  const copied = await Promise.all(
    COPIED.map(async (file) => ({ name: file, text: await starterText(file) })),
  );
  return [
    { name: "package.json", text: json(manifestOf(name)) },
    ...copied,
    { name: "everstep.config.json", text: json({ store: "everstep.db" }) },
    // A package can't hold one by its own name.
    { name: ".gitignore", text: await starterText("gitignore") },
  ];
}

function starterText(file: string): Promise<string> {
  return readFile(new URL(`../starter/${file}`, import.meta.url), "utf8");
}

function json(data: unknown): string {
  return `${JSON.stringify(data, null, 2)}\n`;
}

function manifestOf(name: string): Readonly<Record<string, unknown>> {
  const own = `^${manifest.version}`;
  return {
    name,
    private: true,
    type: "module",
    engines: { node: manifest.engines.node },
    scripts: {
      dev: "everstep dev --workflows ./workflows.ts",
      worker: "node worker.ts",
      check: "everstep check --workflows ./workflows.ts",
    },
    dependencies: {
      "@everstep/adapters": own,
      "@everstep/core": own,
      "better-sqlite3": manifest.peerDependencies["better-sqlite3"],
    },
    devDependencies: { "@everstep/cli": own, "@types/node": "^22.0.0", typescript: "^7.0.2" },
  };
}
